package data

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/tensor"
)

// namesOfNames is what arrays are called that name the classes; scikit-learn says target_names.
var namesOfNames = []string{"classes", "class_names", "target_names", "label_names"}

// usualX is what the one array is called that is x, beside x itself, usualY what y is called.
var (
	usualX = []string{"data", "images", "image", "inputs", "features", "samples", "arr_0"}
	usualY = []string{"y", "labels", "label", "targets", "target", "arr_1"}
)

// isTexts takes texts [K].
func isTexts(t *tensor.Tensor) bool { return t.DType() == tensor.String && t.Rank() == 1 }

// labels is the array of labels or targets, nil for none.
func (a *archive) labels(m *memory) *tensor.Tensor {
	if y := a.find(anyArray, "y", "labels", "label"); y != nil {
		return y
	}
	numbers := 0
	for _, b := range a.arrays {
		if feedable(b.Tensor) {
			numbers++
		}
	}
	if numbers < 2 { // it is what is fed
		return nil
	}
	y := a.find(anyArray, "target", "targets")
	if y == nil && len(a.arrays) == 2 && a.arrays[0].Tensor.Rank() > 0 && a.arrays[1].Tensor.Rank() > 0 &&
		a.arrays[0].Tensor.Dim(0) == a.arrays[1].Tensor.Dim(0) {
		y = a.find(anyArray, "arr_1")
	}
	if y != nil {
		m.notes = append(m.notes, fmt.Sprintf("the array %s is taken for y", a.yName))
	}
	return y
}

// classes is the names of the classes, nil for none.
func (a *archive) classes() ([]string, error) {
	t := a.find(anyArray, "classes")
	if t == nil {
		t = a.find(isTexts, namesOfNames[1:]...)
	}
	if t == nil || !isTexts(t) {
		return nil, nil
	}
	if name, i := repeated(t.Strings()); i >= 0 {
		return nil, malformed(a.path, "classes", "name every class once", "class %q comes twice", clip(name))
	}
	return t.Strings(), nil
}

// ofSplit is the name of an array without its split, and the split: x_train, and where the name is a usual one also train_x.
func ofSplit(name string) (base, split string) {
	for _, s := range append([]string{"valid"}, npzSplits...) {
		base, ok := strings.CutSuffix(name, "_"+s)
		if !ok {
			base, ok = strings.CutPrefix(name, s+"_")
			lower := strings.ToLower(base)
			ok = ok && (lower == "x" || slices.Contains(usualX, lower) || slices.Contains(usualY, lower))
		}
		if ok {
			if s == "valid" {
				s = "val"
			}
			return base, s
		}
	}
	return name, ""
}

// fill takes x and the arrays that have the names of inputs.
func (a *archive) fill(m *memory, x, y *tensor.Tensor, o Options) error {
	want := a.split
	if want == "" && !slices.ContainsFunc(a.arrays, func(b tensor.Named) bool { // only arrays with a split
		base, split := ofSplit(b.Name)
		return split == "" && !slices.Contains(namesOfNames, base)
	}) {
		want = "train"
	}
	var fields []tensor.Named
	var all, left, other []string
	for _, b := range a.arrays {
		all = append(all, b.Name+" "+a.shape(b.Tensor).String())
		name, split := ofSplit(b.Name)
		lower := strings.ToLower(name)
		switch {
		case a.used[b.Name] || slices.Contains(namesOfNames, lower):
		case split != want && split != "":
			other = append(other, b.Name)
		case split != want: // arrays without a split do not belong to one
			left = append(left, b.Name)
		case lower == "x" || lower == "y":
			left = append(left, b.Name)
		default:
			fields = append(fields, tensor.Named{Name: name, Tensor: b.Tensor})
		}
	}
	what := clip(strings.Join(all, ", "))
	if i := soleInput(fields, y); x == nil && i >= 0 {
		x, a.xName = fields[i].Tensor, fields[i].Name
		m.notes = append(m.notes, fmt.Sprintf("the array %s is taken for x", a.xName))
		fields = slices.Delete(fields, i, i+1)
	}
	switch {
	case x != nil:
		if !feedable(x) {
			return malformed(a.path, a.xName, "need numbers [N,…]", "array is %v", x)
		}
		m.dtype, m.shape, m.raw, m.n = x.DType(), x.Shape()[1:], x.Bytes(), x.Dim(0)
		if m.late = a.late[x]; m.late != nil {
			m.shape, m.late.name, m.late.finite = m.late.shape, a.xName, !o.AllowNonFinite
		} else if err := a.finite(a.xName, x, o); err != nil {
			return err
		}
	case len(fields) == 0:
		want := "x"
		if a.split != "" {
			want = "x_" + a.split
		}
		return malformed(a.path, "", "name the inputs x, or as the model does, and the labels y; the archive has: "+what, "no array %q",
			want)
	default:
		n, err := a.rows(fields, y, what)
		if err != nil {
			return err
		}
		m.n = n
	}
	for _, f := range fields {
		if !feedable(f.Tensor) || f.Tensor.Dim(0) != m.n {
			if feedable(f.Tensor) && nearly(f.Tensor.Dim(0), m.n) {
				return a.sameRows(f.Name, f.Tensor, m.n)
			}
			left = append(left, f.Name+" "+a.shape(f.Tensor).String())
			continue
		}
		if s := a.late[f.Tensor]; s != nil {
			s.name, s.finite = f.Name, !o.AllowNonFinite
			m.lateFields = append(m.lateFields, s)
			continue
		}
		if err := a.finite(f.Name, f.Tensor, o); err != nil {
			return err
		}
		m.setField(f.Name, f.Tensor)
	}
	if left != nil {
		m.notes = append(m.notes,
			fmt.Sprintf("arrays that are not numbers of %d rows are left out: %s", m.n, clip(strings.Join(left, ", "))))
	}
	if other != nil && a.split == "" {
		m.notes = append(m.notes, fmt.Sprintf("arrays of another split are left out (#test reads it): %s",
			clip(strings.Join(other, ", "))))
	}
	return nil
}

// soleInput is the one array of numbers among fields that goes with y, where it has a usual name; else -1.
func soleInput(fields []tensor.Named, y *tensor.Tensor) int {
	at := -1
	for i, f := range fields {
		if !feedable(f.Tensor) || y != nil && y.Rank() > 0 && f.Tensor.Dim(0) != y.Dim(0) && !nearly(f.Tensor.Dim(0), y.Dim(0)) {
			continue
		}
		if at >= 0 {
			return -1
		}
		at = i
	}
	if at >= 0 && !slices.Contains(usualX, strings.ToLower(fields[at].Name)) {
		return -1
	}
	return at
}

// nearly reports whether d rows were meant to be n: arrays of a few rows more or less are no tables of something else.
func nearly(d, n int) bool { return n >= 8 && d != n && max(d-n, n-d) <= max(1, n/20) }

// sameRows fails when an array has not one row for each of the n examples.
func (a *archive) sameRows(name string, t *tensor.Tensor, n int) error {
	if t.Rank() > 0 && t.Dim(0) == n {
		return nil
	}
	of := "the others have"
	switch {
	case a.xName != "" && name != a.xName:
		of = a.xName + " has"
	case a.yName != "" && name != a.yName:
		of = a.yName + " has"
	}
	rows := "no rows"
	if t.Rank() > 0 {
		rows = fmt.Sprintf("%d rows", t.Dim(0))
	}
	return malformed(a.path, name, "every array needs one row for each example", "array is %v: %s where %s %d", t, rows, of, n)
}

// rows is the number of examples of an archive without x: that of y where an array has as many rows, else the first extent that the
// arrays have in common.
func (a *archive) rows(fields []tensor.Named, y *tensor.Tensor, what string) (int, error) {
	n, first := -1, ""
	for _, f := range fields {
		if !feedable(f.Tensor) {
			continue
		}
		d := f.Tensor.Dim(0)
		if y != nil && y.Rank() > 0 && d == y.Dim(0) {
			return d, nil
		}
		if n >= 0 && d != n && y == nil {
			return 0, malformed(a.path, "", "give all inputs one row for each example; the archive has: "+what,
				"%d rows of %s and %d of %s", n, first, d, f.Name)
		}
		if n < 0 {
			n, first = d, f.Name
		}
	}
	if n < 0 {
		return 0, malformed(a.path, "", "need numbers [N,…]; the archive has: "+what, "no array that can be fed")
	}
	return n, nil
}
