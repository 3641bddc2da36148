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
	if y.DType() == tensor.String {
		return m.setTexts(y, names, o)
	}
	whole := y.DType().IsInt() || y.DType() == tensor.Bool
	if !whole && !y.DType().IsFloat() {
		return malformed(m.path, "y", "need real numbers", "array is %v", y)
	}
	if m.picture && (y.DType() == tensor.Bool || o.positions()) {
		y = m.withoutChannel(y)
	}
	flat := y.Rank() == 1 || y.Rank() == 2 && y.Dim(1) == 1
	switch {
	case o.Task == "regression":
		return m.setReal(y, names, o)
	case o.classes() && flat:
		return m.setIndices(y, names, o)
	case o.classes():
		if y.Rank() == 2 {
			return m.setHot(y, names, o)
		}
		return malformed(m.path, "y", "need [N], or one-hot rows [N,K]; --task dense takes classes of positions",
			"class indices of shape %v", y.Shape())
	case o.Task == "multilabel":
		if y.Rank() == 1 {
			y = y.Reshape(y.Dim(0), 1)
		}
		if y.Rank() != 2 {
			return malformed(m.path, "y", "need [N,K]", "labels of shape %v", y.Shape())
		}
		return m.setHot(y, names, o)
	case o.positions():
		return m.setPositions(y, names, o)
	case whole && flat:
		return m.setIndices(y, names, o)
	case whole && m.picture && y.Rank() == 4:
		return malformed(m.path, "y", "save x and y as float32 in the range of the model; --task regression takes targets of 0 to 255, "+
			"--task segmentation masks [N,1,H,W]", "%v for pictures: targets are not scaled as pictures are", y)
	case whole:
		if y.Rank() == 2 && (names == nil || len(names) == y.Dim(1)) && flags(y) {
			return m.setHot(y, names, o)
		}
		return m.setPositions(y, names, o)
	}
	if flat && wholeFew(y) {
		m.notes = append(m.notes, "y holds whole numbers as fractions: taken for targets; --task classification takes them for classes")
	}
	if y.Rank() == 2 && y.Dim(1) > 1 && flags(y) {
		const note = "y %v holds 0 and 1 as fractions: taken for targets; --task multiclass or multilabel takes them for labels"
		m.notes = append(m.notes, fmt.Sprintf(note, y.Shape()))
	}
	return m.setReal(y, names, o)
}

// wholeFew reports whether t [n] holds whole numbers from 0 on, few of them different, as classes are.
func wholeFew(t *tensor.Tensor) bool {
	seen := map[float64]bool{}
	for _, v := range t.Float64s() {
		if seen[v] = true; !(v >= 0 && v == math.Trunc(v)) && v != NoLabel || len(seen) > min(100, t.Len()/2) {
			return false
		}
	}
	return len(seen) > 1
}

// withoutChannel is masks [n,1,H,W] or [n,H,W,1] of the size of the pictures as [n,H,W]; all else as it is.
func (m *memory) withoutChannel(y *tensor.Tensor) *tensor.Tensor {
	s := y.Shape()
	if y.Rank() != 4 {
		return y
	}
	for _, c := range []struct{ axis, h, w int }{{1, 2, 3}, {3, 1, 2}} {
		if s[c.axis] != 1 {
			continue
		}
		if r := y.Reshape(s[0], s[c.h], s[c.w]); m.pixels(r) {
			return r
		}
	}
	return y
}

// setReal takes targets: float64 as they are, whole numbers as float64 where float32 would not hold them, all else as float32. names are
// those of targets [n,K] where they are as many; where the targets sum to one, which makes them probabilities, they are classes too.
func (m *memory) setReal(y *tensor.Tensor, names []string, o Options) error {
	if !o.AllowNonFinite {
		if err := finite(m.path, "y", y); err != nil {
			return err
		}
	}
	m.y, m.yType = y, tensor.Float32
	if y.DType() == tensor.Float64 {
		m.yType = tensor.Float64
	}
	if y.Rank() == 2 && y.Dim(1) == len(names) {
		if m.targets = names; o.Task == "" && y.DType().IsFloat() && y.Dim(1) > 1 && distributions(y) {
			return m.setSoft(fmt.Sprintf("y %v", y.Shape()), y.Float64s(), len(names), m.yType, names, Options{
				Task: "classification", Classes: o.Classes, Limits: o.Limits})
		}
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
	if onlyWhite(y) && len(o.Classes) < 256 {
		m.notes = append(m.notes, "y holds 0 and 255 alone: taken for classes 0 and 1")
		y = y.Clone()
		for i, v := range y.Bytes() {
			y.Bytes()[i] = v / 255
		}
	}
	highest := -1
	err := eachRow(y, func(i int, v []float64) error {
		switch f := v[0]; {
		case f == NoLabel:
			m.labels[i] = -1
		case f < 0 || f >= most || f != math.Trunc(f):
			return malformed(m.path, fmt.Sprintf("y, row %d", i), "class indices count from 0; -100 stands for no label; --task "+
				"regression takes y "+
				"for numbers, multilabel for fractions of 0 to 1", "label %v is out of range", f)
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

// numbered sets the classes of class numbers, as classMap finds them, else numbers.
func (m *memory) numbered(highest int, names []string, o Options) error {
	list, to, err := m.classMap(highest, names, o)
	if err != nil {
		return err
	}
	for i, l := range m.labels {
		if l >= 0 && to != nil {
			m.labels[i] = int32(to[l])
		}
	}
	if m.classes = list; list == nil && highest >= 0 || to == nil && o.Classes != nil {
		if m.classes, err = numberedClasses(m.path, highest, o.Classes); err != nil {
			return err
		}
	}
	if o.Task == "binary" && highest > 1 {
		return malformed(m.path, "y", "use --task multiclass", "class %d for a binary task", highest)
	}
	return nil
}

// classMap is the list of classes of numbers up to highest: the names in the file, or the list that is given. Numbers of the file follow
// its names to where the given list has them: to[i] is the place of number i there, nil where numbers stay.
func (m *memory) classMap(highest int, names []string, o Options) (list []string, to []int, err error) {
	known := func(n string) bool { _, err := classIndex("", "", n, o.Classes); return err == nil }
	switch {
	case o.Classes == nil && highest < len(names):
		return names, nil, nil
	case o.Classes == nil && len(names) > 0:
		m.notes = append(m.notes, fmt.Sprintf("the file names %d classes, and class numbers reach %d: the names are left out", len(names),
			highest))
		return nil, nil, nil
	case o.Classes == nil:
		return nil, nil, nil
	case highest >= 0 && highest < len(names) && slices.ContainsFunc(names, known):
		if slices.Equal(names, o.Classes) {
			return o.Classes, nil, nil
		}
		to = make([]int, highest+1)
		for i := range to {
			if to[i], err = classIndex(m.path, "classes", names[i], o.Classes); err != nil {
				return nil, nil, err
			}
		}
	case len(names) > 0:
		m.notes = append(m.notes, "the names of classes in the file are not those that are given: class numbers are taken as they are")
	}
	return o.Classes, to, nil
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
	index, err := m.classNames("y", slices.Compact(slices.Sorted(slices.Values(y.Strings()))), given)
	if err != nil {
		return err
	}
	if err := m.checkBinary("y", o); err != nil {
		return err
	}
	m.labels = make([]int32, m.n)
	for i, s := range y.Strings() {
		m.labels[i] = int32(index[s])
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

// onlyWhite reports whether t is bytes of which all are 0 or 255, and some 255: black and white as pictures have them.
func onlyWhite(t *tensor.Tensor) bool {
	return t.DType() == tensor.Uint8 && slices.Contains(t.Bytes(), 255) &&
		!slices.ContainsFunc(t.Bytes(), func(v byte) bool { return v != 0 && v != 255 })
}

// distributions reports whether each row of t [n,K] is of 0 to 1 and sums to one.
func distributions(t *tensor.Tensor) bool {
	return t.Dim(0) > 0 && eachRow(t, func(_ int, v []float64) error {
		sum := 0.0
		for _, f := range v {
			if sum += f; !(f >= 0 && f <= 1) {
				return errNoFlags
			}
		}
		if math.Abs(sum-1) > 1e-3 {
			return errNoFlags
		}
		return nil
	}) == nil
}

// setHot takes labels [N,K] that are 0 or 1, or fractions.
func (m *memory) setHot(y *tensor.Tensor, names []string, o Options) error {
	place, k := fmt.Sprintf("y %v", y.Shape()), y.Dim(1)
	if names != nil && len(names) != k {
		return malformed(m.path, place, "name each column, or leave classes out", "%d labels for each example, and classes has %d names",
			k,
			len(names))
	}
	if !flags(y) {
		real := tensor.Float32
		if y.DType() == tensor.Float64 {
			real = tensor.Float64
		}
		return m.setSoft(place, y.Float64s(), k, real, names, o)
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
	return m.setFlags(place, all, names, o)
}

// setPositions takes the class of each position [N,…], NoLabel for none: masks where x is pictures of that size. Bytes stay bytes, which
// are often masks as pictures hold them, other numbers become int64.
func (m *memory) setPositions(y *tensor.Tensor, names []string, o Options) error {
	highest, bytes := -1, y.DType() == tensor.Uint8
	err := eachRow(y, func(i int, v []float64) error {
		for _, f := range v {
			if f != math.Trunc(f) || f >= 1<<53 || f < 0 && f != NoLabel {
				return malformed(m.path, fmt.Sprintf("y, row %d", i),
					"classes of positions count from 0, and -100 stands for none; --task regression takes y for numbers", "class %v", f)
			}
			if !bytes || f != Void {
				highest = max(highest, int(f))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if m.masks == nil && m.pixels(y) {
		if err := m.setMasks("y", y); err != nil {
			return err
		}
		highest = -1
		for _, v := range m.masks.Bytes() {
			if v != Void {
				highest = max(highest, int(v))
			}
		}
		list, to, err := m.classMap(highest, names, o)
		if m.classes = list; err != nil || to == nil {
			return err
		}
		m.masks = m.masks.Clone()
		for i, v := range m.masks.Bytes() {
			if v != Void {
				m.masks.Bytes()[i] = uint8(to[v])
			}
		}
		return nil
	}
	if m.y, m.yType = y, tensor.Int64; bytes {
		m.yType = tensor.Uint8
	}
	list, to, err := m.classMap(highest, names, o)
	if m.classes = list; err != nil || to == nil {
		return err
	}
	if y, err = y.Convert(tensor.Int64); err != nil {
		return err
	}
	m.y, m.yType = y.Clone(), tensor.Int64 // the archive may have the array as another one too
	for i, v := range m.y.I64() {
		switch {
		case bytes && v == Void && len(to) <= Void:
			m.y.I64()[i] = NoLabel
		case v >= 0:
			m.y.I64()[i] = int64(to[v])
		}
	}
	return nil
}
