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
	names, to, err := m.labelNames(place, k, names, o)
	if err != nil {
		return err
	}
	if to != nil {
		y, k = inPlace(y, m.n, k, to, len(names)), len(names)
		for i, c := range hot {
			hot[i] = int32(to[c])
		}
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
