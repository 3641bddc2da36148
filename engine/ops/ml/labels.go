package ml

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// labels are the names of classes: numbers or strings.
type labels struct {
	ints    []int
	strings []string
}

// labelsOf are the labels of a classifier, of which exactly one attribute has some.
func labelsOf(intsName string, ints []int, stringsName string, strings []string) (labels, error) {
	return labels{ints, strings}, exactlyOne(intsName, len(ints), stringsName, len(strings))
}

func (l labels) count() int { return max(len(l.ints), len(l.strings)) }

// dtype is the type of a tensor of labels.
func (l labels) dtype() tensor.DType {
	if len(l.strings) > 0 {
		return tensor.String
	}
	return tensor.Int64
}

// set makes element i of y label k.
func (l labels) set(y *tensor.Tensor, i, k int) {
	if len(l.strings) > 0 {
		y.Strings()[i] = l.strings[k]
	} else {
		y.I64()[i] = int64(l.ints[k])
	}
}

// tensor is all labels, [K].
func (l labels) tensor() *tensor.Tensor {
	if len(l.strings) > 0 {
		return tensor.FromStrings(l.strings, len(l.strings))
	}
	x := make([]int64, len(l.ints))
	for i, v := range l.ints {
		x[i] = int64(v)
	}
	return tensor.From(x, len(x))
}

// classifierTypes is the Types rule of classifiers: labels, and scores in single precision.
func classifierTypes[A any](labels func(a *A) (ints []int, strings []string)) func(*A, []tensor.DType, []tensor.DType) error {
	return func(a *A, _, out []tensor.DType) error {
		for i := range out {
			out[i] = tensor.Float32
		}
		out[0] = tensor.Int64
		if _, s := labels(a); len(s) > 0 {
			out[0] = tensor.String
		}
		return nil
	}
}

// classifierOut are the outputs of classifiers.
func classifierOut() []graph.Formal { return []graph.Formal{{Name: "Y", NoGrad: true}, {Name: "Z"}} }

// top is the first of the largest scores.
func top[T real](s []T) int {
	best := 0
	for k, v := range s {
		if v > s[best] {
			best = k
		}
	}
	return best
}

// twoFromOne are the scores of two classes of which the model has one score p, that of the second: (1-p, p), or with opposite the
// decision values (-p, p).
func twoFromOne(p float32, post transform, opposite bool) []float32 {
	switch {
	case post == logistic:
		return []float32{sigmoid(-p), sigmoid(p)}
	case post == probit:
		return []float32{probitOf(1 - p), probitOf(p)}
	case opposite:
		return []float32{-p, p}
	}
	return []float32{1 - p, p}
}

// distinct is how many different numbers there are.
func distinct(x []int) int {
	s := slices.Clone(x)
	slices.Sort(s)
	return len(slices.Compact(s))
}
