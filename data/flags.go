package data

import (
	"fmt"

	"github.com/gtk-onnx/gtk/tensor"
)

// setFlags takes rows of 0 and 1, one value for each of the names (nil: numbered): one-hot rows are classes where the task is
// one class for each example, all else is Y int64 [K].
func (m *memory) setFlags(place string, y []uint8, names []string, o Options) error {
	k := len(y) / max(1, m.n)
	hot := make([]int32, m.n)
	oneHot := m.n > 0
	for i := range m.n {
		n := 0
		for c, v := range y[i*k : (i+1)*k] {
			if v == 1 {
				n++
				hot[i] = int32(c)
			}
		}
		if n != 1 && o.classes() {
			return malformed(m.path, fmt.Sprintf("row %d, %s", i, place), "use --task multilabel",
				"%d labels where the task %s needs one", n, o.Task)
		}
		oneHot = oneHot && n == 1
	}
	if o.Task == "binary" && k != 2 {
		return malformed(m.path, place, "use --task multiclass", "one-hot rows of %d classes for a binary task", k)
	}
	if names == nil {
		if names = o.Classes; names != nil && len(names) != k && o.Task != "" {
			return malformed(m.path, place, "give the class list of this data", "%d labels for each example, and %d classes are given", k,
				len(names))
		}
		if names == nil && o.Task != "" {
			names, _ = numberedClasses(m.path, k-1, nil) // none are given
		}
	} else if o.Classes != nil {
		if int64(m.n)*int64(len(o.Classes)) > o.Limits.bytes() {
			return malformed(m.path, place, "raise the limit or split the data", "%d labels for %d examples are over the limit of bytes",
				len(o.Classes), m.n)
		}
		var err error
		if y, hot, err = m.reorder(place, y, hot, names, o.Classes); err != nil {
			return err
		}
		names, k = o.Classes, len(o.Classes)
	}
	m.classes = names
	if o.classes() {
		m.labels = hot
		return nil
	}
	if oneHot && o.Task == "" && k > 1 {
		m.notes = append(m.notes, place+": exactly one 1 in every row; --task multiclass takes them for classes")
	}
	m.y, m.yType = tensor.From(y, m.n, k), tensor.Int64
	if len(names) == k {
		m.targets = names
	}
	return nil
}

// reorder puts labels with names where a given list of classes has them.
func (m *memory) reorder(place string, y []uint8, hot []int32, names, classes []string) ([]uint8, []int32, error) {
	to := make([]int, len(names))
	for c, name := range names {
		var err error
		if to[c], err = classIndex(m.path, place, name, classes); err != nil {
			return nil, nil, err
		}
	}
	moved := make([]uint8, m.n*len(classes))
	for i := range m.n {
		for c := range names {
			moved[i*len(classes)+to[c]] = y[i*len(names)+c]
		}
		hot[i] = int32(to[hot[i]])
	}
	return moved, hot, nil
}
