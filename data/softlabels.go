package data

import (
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

// setSoft takes rows of k fractions as labels. Where the task is one class for each example they are probabilities of classes, of 0 to 1
// and one in sum; for multilabel each says for itself how far a label applies, from 0 to 1, or NoLabel where that is not known. Y is real.
func (m *memory) setSoft(place string, y []float64, k int, real tensor.DType, names []string, o Options) error {
	if o.Task == "binary" && k != 2 {
		return malformed(m.path, place, "use --task multiclass", "probabilities of %d classes for a binary task", k)
	}
	for i := range m.n {
		row, sum := y[i*k:(i+1)*k], 0.0
		at := fmt.Sprintf("row %d, %s", i, place)
		for _, v := range row {
			known := v >= 0 && v <= 1
			if !known && (o.classes() || v != NoLabel) {
				return malformed(m.path, at, "labels are 0 and 1, or fractions between; in a multilabel task -100 is not known. --task "+
					"regression "+
					"takes them for numbers, dense for classes of positions", "label %v", v)
			}
			sum += v
		}
		if o.classes() && math.Abs(sum-1) > 1e-3 {
			return malformed(m.path, at, "probabilities of classes sum to one; --task multilabel takes each label for itself, "+
				"regression for numbers",
				"the labels sum to %.4g", sum)
		}
	}
	names, to, err := m.labelNames(place, k, names, o)
	if err != nil {
		return err
	}
	if to != nil {
		y = inPlace(y, m.n, k, to, len(names))
		k = len(names)
	}
	m.classes, m.yType = names, real
	if len(names) == k {
		m.targets = names
	}
	m.y, err = tensor.From(y, m.n, k).Convert(real)
	return err
}

// labelNames is the names of k labels: those of the data, or a list of classes that is given, in which to finds them (nil: where they
// are), or numbers where a task asks for labels. Labels that the data lack do not apply.
func (m *memory) labelNames(place string, k int, names []string, o Options) (list []string, to []int, err error) {
	switch {
	case names == nil && o.Classes != nil && len(o.Classes) != k && o.Task != "":
		return nil, nil, malformed(m.path, place, "give the class list of this data, or name the labels in the data",
			"%d labels for each example, and %d classes are given", k, len(o.Classes))
	case names == nil && o.Classes == nil && o.Task != "":
		list, err = numberedClasses(m.path, k-1, nil)
		return list, nil, err
	case names == nil:
		return o.Classes, nil, nil
	case o.Classes == nil:
		return names, nil, nil
	case int64(m.n)*int64(len(o.Classes)) > o.Limits.bytes():
		return nil, nil, overLimit(m.path, place, fmt.Sprintf("%d labels for %d examples", len(o.Classes), m.n), o.Limits)
	}
	to = make([]int, len(names))
	for c, name := range names {
		if to[c], err = classIndex(m.path, place, name, o.Classes); err != nil {
			return nil, nil, err
		}
		if slices.Contains(to[:c], to[c]) {
			return nil, nil, malformed(m.path, place, "name each label once", "two labels stand for the class %q", o.Classes[to[c]])
		}
	}
	return o.Classes, to, nil
}

// inPlace is rows [n,k] of labels as rows [n,classes], label c at to[c].
func inPlace[T uint8 | float64](y []T, n, k int, to []int, classes int) []T {
	out := make([]T, n*classes)
	for i := range n {
		for c, at := range to {
			out[i*classes+at] = y[i*k+c]
		}
	}
	return out
}
