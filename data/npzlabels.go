package data

import (
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

// setY takes y [n,…]: classes, targets, labels that are 0 and 1, or classes of positions, by its type and shape or by o.Task. names is
// the list of classes in the file, or nil.
func (m *memory) setY(y *tensor.Tensor, names []string, o Options) error {
	if y.Rank() == 0 || y.Dim(0) != m.n {
		return malformed(m.path, "y", fmt.Sprintf("need one label or target for each row of x, [%d] or [%d,…]", m.n, m.n),
			"array is %v for %d examples", y, m.n)
	}
	if y.DType() == tensor.String {
		return m.setTexts(y, names, o)
	}
	whole := y.DType().IsInt() || y.DType() == tensor.Bool
	if !whole && !y.DType().IsFloat() {
		return malformed(m.path, "y", "need real numbers", "array is %v", y)
	}
	flat := y.Rank() == 1 || y.Rank() == 2 && y.Dim(1) == 1
	switch {
	case o.Task == "regression":
		return m.setReal(y, o)
	case o.classes() && flat:
		return m.setIndices(y, names, o)
	case o.classes():
		if y.Rank() == 2 {
			return m.setHot(y, names, o)
		}
		return malformed(m.path, "y", "need [N], or one-hot rows [N,K]; --task dense takes classes of positions",
			"class indices of shape %v", y.Shape())
	case o.Task == "multilabel":
		if y.Rank() != 2 {
			return malformed(m.path, "y", "need [N,K]", "labels of shape %v", y.Shape())
		}
		return m.setHot(y, names, o)
	case o.positions():
		return m.setPositions(y, names, o)
	case whole && flat:
		return m.setIndices(y, names, o)
	case whole && m.picture && y.Rank() == 4:
		return malformed(m.path, "y", "save x and y as float32 in the range of the model, or use --task regression for targets of 0 to 255",
			"%v for pictures: targets are not scaled as pictures are", y)
	case whole:
		if y.Rank() == 2 && flags(y) {
			return m.setHot(y, names, o)
		}
		return m.setPositions(y, names, o)
	}
	if y.Rank() == 2 && y.Dim(1) > 1 && flags(y) {
		const note = "y %v holds 0 and 1 as fractions: taken for targets; --task multiclass or multilabel takes them for labels"
		m.notes = append(m.notes, fmt.Sprintf(note, y.Shape()))
	}
	return m.setReal(y, o)
}

// setReal takes targets: float64 as they are, whole numbers as float64 where float32 would not hold them, all else as float32.
func (m *memory) setReal(y *tensor.Tensor, o Options) error {
	if !o.AllowNonFinite {
		if err := finite(m.path, "y", y); err != nil {
			return err
		}
	}
	m.y, m.yType = y, tensor.Float32
	if y.DType() == tensor.Float64 {
		m.yType = tensor.Float64
	}
	if y.DType().IsInt() {
		return eachRow(y, func(_ int, v []float64) error {
			for _, f := range v {
				if math.Abs(f) > 1<<24 {
					m.yType = tensor.Float64
				}
			}
			return nil
		})
	}
	return nil
}

// setIndices takes class numbers [N] or [N,1]; NoLabel stands for none.
func (m *memory) setIndices(y *tensor.Tensor, names []string, o Options) error {
	const most = 1 << 20
	m.labels = make([]int32, m.n)
	highest := -1
	err := eachRow(y, func(i int, v []float64) error {
		switch f := v[0]; {
		case f == NoLabel:
			m.labels[i] = -1
		case f < 0 || f >= most || f != math.Trunc(f):
			return malformed(m.path, fmt.Sprintf("y, row %d", i), "class indices count from 0; -100 stands for no label; --task regression takes y for numbers",
				"label %v is out of range", f)
		default:
			m.labels[i] = int32(f)
			highest = max(highest, int(f))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return m.numbered(highest, names, o)
}

// numbered sets the classes of class numbers: those given, else those of the file where it has enough, else numbers. Numbers of the file
// follow its names to where the given classes have them.
func (m *memory) numbered(highest int, names []string, o Options) (err error) {
	known := func(n string) bool { _, err := classIndex("", "", n, o.Classes); return err == nil }
	switch {
	case o.Classes == nil && highest < len(names):
		m.classes = names
	case o.Classes != nil && highest >= 0 && highest < len(names) && slices.ContainsFunc(names, known):
		to := make([]int, highest+1)
		for i := range to {
			if to[i], err = classIndex(m.path, "classes", names[i], o.Classes); err != nil {
				return err
			}
		}
		for i, l := range m.labels {
			if l >= 0 {
				m.labels[i] = int32(to[l])
			}
		}
		m.classes = o.Classes
	case highest >= 0 || o.Classes != nil:
		if o.Classes != nil && len(names) > 0 && !slices.Equal(names, o.Classes) {
			m.notes = append(m.notes, "the names of classes in the file are not those that are given: class numbers are taken as they are")
		}
		m.classes, err = numberedClasses(m.path, highest, o.Classes)
	}
	if err == nil && o.Task == "binary" && highest > 1 {
		return malformed(m.path, "y", "use --task multiclass", "class %d for a binary task", highest)
	}
	return err
}

// setTexts takes class names [N].
func (m *memory) setTexts(y *tensor.Tensor, names []string, o Options) error {
	if y.Rank() != 1 && !(y.Rank() == 2 && y.Dim(1) == 1) || o.Task != "" && !o.classes() {
		return malformed(m.path, "y", "texts are class names, one for each example, [N]", "array is %v", y)
	}
	given := o.Classes
	if given == nil {
		given = names
	}
	list := slices.Compact(slices.Sorted(slices.Values(y.Strings())))
	if m.classes = given; given == nil {
		m.classes = list
	}
	index := make(map[string]int32, len(list))
	for i, n := range list {
		index[n] = int32(i)
		if given != nil {
			c, err := classIndex(m.path, "y", n, given)
			if err != nil {
				return err
			}
			index[n] = int32(c)
		}
	}
	if o.Task == "binary" && len(m.classes) > 2 {
		return malformed(m.path, "y", "use --task multiclass", "%d classes for a binary task", len(m.classes))
	}
	m.labels = make([]int32, m.n)
	for i, s := range y.Strings() {
		m.labels[i] = index[s]
	}
	return nil
}

// flags reports whether t holds 0 and 1 only.
func flags(t *tensor.Tensor) bool {
	if t.DType() == tensor.Bool {
		return true
	}
	return eachRow(t, func(_ int, v []float64) error {
		if slices.ContainsFunc(v, func(f float64) bool { return f != 0 && f != 1 }) {
			return errNoFlags
		}
		return nil
	}) == nil
}

var errNoFlags = malformed("", "", "", "labels other than 0 and 1")

// setHot takes labels [N,K] that are 0 or 1.
func (m *memory) setHot(y *tensor.Tensor, names []string, o Options) error {
	if !flags(y) {
		return malformed(m.path, "y", "labels [N,K] are 0 and 1; --task regression takes them for numbers, dense for classes of positions",
			"other numbers in y %v", y.Shape())
	}
	all := make([]uint8, 0, y.Len())
	err := eachRow(y, func(_ int, v []float64) error {
		for _, f := range v {
			all = append(all, uint8(f))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(names) != y.Dim(1) {
		names = nil
	}
	return m.setFlags(fmt.Sprintf("y %v", y.Shape()), all, names, o)
}

// setPositions takes the class of each position [N,…], NoLabel for none: masks where x is pictures of that size.
func (m *memory) setPositions(y *tensor.Tensor, names []string, o Options) error {
	if m.masks == nil && m.pixels(y) {
		if err := m.setMasks("y", y); err != nil {
			return err
		}
		if m.classes = o.Classes; m.classes == nil {
			m.classes = names
		}
		return nil
	}
	highest := -1
	if y.DType() != tensor.Bool {
		err := eachRow(y, func(i int, v []float64) error {
			for _, f := range v {
				if f != math.Trunc(f) || f >= 1<<53 || f < 0 && f != NoLabel {
					return malformed(m.path, fmt.Sprintf("y, row %d", i),
						"classes of positions count from 0, and -100 stands for none; --task regression takes y for numbers", "class %v", f)
				}
				highest = max(highest, int(f))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	m.y, m.yType = y, tensor.Int64
	if m.classes = o.Classes; m.classes == nil && highest < len(names) {
		m.classes = names
	}
	return nil
}
