package data

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/gtk-onnx/gtk/tensor"
)

// moments are mean and variance of several values, by Welford's update: no cancellation for large means.
type moments struct{ count, mean, square []float64 }

func newMoments(n int) *moments {
	return &moments{make([]float64, n), make([]float64, n), make([]float64, n)}
}

func (m *moments) add(k int, x float64) {
	m.count[k]++
	d := x - m.mean[k]
	m.mean[k] += d / m.count[k]
	m.square[k] += d * (x - m.mean[k])
}

// std is the standard deviations, 1 for values that are constant, and which are.
func (m *moments) std() (std []float64, constant []int) {
	std = make([]float64, len(m.square))
	for k, s := range m.square {
		if std[k] = math.Sqrt(s / m.count[k]); std[k] == 0 || m.count[k] == 0 {
			std[k] = 1
			constant = append(constant, k)
		}
	}
	return std, constant
}

// LastAxis is a Dataset whose features are the last axis of X [T,C], not the first.
type LastAxis interface{ FeaturesLast() bool }

// featuresLast reports whether the features of ds are the last axis; it looks through subsets.
func featuresLast(ds Dataset) bool {
	for ; ds != nil; ds = inner(ds) {
		if l, ok := ds.(LastAxis); ok {
			return l.FeaturesLast()
		}
	}
	return false
}

// features is the number of features of x and how many values in a row are of one: they are axis 0, or the last one.
func features(x *tensor.Tensor, last bool) (n, inner int) {
	switch r := x.Rank(); {
	case r == 0:
		return 1, 1
	case last:
		return x.Dim(r - 1), 1
	default:
		return x.Dim(0), x.Len() / max(1, x.Dim(0))
	}
}

// StandardiseFeatures is the preprocessing that gives every feature of the examples, which are no pictures, mean 0 and standard deviation
// 1 over ds, usually the training part. Features are axis 0, or the last one for windows [T,C]. Features that are constant are only
// shifted; constant names them. It travels with the model like any other preprocessing.
func StandardiseFeatures(ds Dataset) (p Preprocess, constant []string, err error) {
	if ds.Len() == 0 {
		return p, nil, errors.New("data: standardise: the data set is empty")
	}
	last := featuresLast(ds)
	var m *moments
	for i := range ds.Len() {
		e, err := ds.Example(i)
		if err != nil {
			return p, nil, err
		}
		if e.X == nil {
			return p, nil, fmt.Errorf("data: standardise: example %q has named arrays only; standardise their columns in the file", e.ID)
		}
		v, err := floats(e.X)
		if err != nil || e.Picture || e.X.Rank() == 0 || e.X.Len() == 0 {
			return p, nil, fmt.Errorf("data: standardise: example %q is %v; need features [F] or [F,…]", e.ID, e.X)
		}
		f, inner := features(e.X, last)
		if i == 0 {
			m = newMoments(f)
		}
		if f != len(m.mean) {
			return p, nil, fmt.Errorf("data: standardise: example %q has %d features, the first one %d", e.ID, f, len(m.mean))
		}
		for k, x := range v {
			m.add(k/inner%f, x)
		}
	}
	std, at := m.std()
	p = Preprocess{Scale: 1, Tensors: true, Mean: m.mean, Std: std}
	if last {
		p.Layout = "nhwc"
	}
	return p, pick(FeatureNames(ds), at), p.Validate()
}

// Standardise is StandardiseFeatures without the names.
func Standardise(ds Dataset) (Preprocess, error) {
	p, _, err := StandardiseFeatures(ds)
	return p, err
}

// pick is the names at some places, their numbers where there are no names.
func pick(names []string, at []int) []string {
	var list []string
	for _, k := range at {
		if k < len(names) {
			list = append(list, names[k])
		} else {
			list = append(list, strconv.Itoa(k))
		}
	}
	return list
}

// scaledTargets is a data set with targets (y − mean)/std.
type scaledTargets struct {
	Dataset
	mean, std []float64
	notes     []string
}

func (s *scaledTargets) unwrap() Dataset { return s.Dataset }
func (s *scaledTargets) at(i int) int    { return i }
func (s *scaledTargets) Notes() []string { return s.notes }

func (s *scaledTargets) Example(i int) (Example, error) {
	e, err := s.Dataset.Example(i)
	if err != nil || e.Y == nil {
		return e, err
	}
	v, err := floats(e.Y)
	if err != nil || !e.Y.DType().IsFloat() {
		return e, fmt.Errorf("data: standardise: example %q: target %v is not of fractions", e.ID, e.Y)
	}
	n := len(s.mean)
	if len(v)%n != 0 || n > 1 && e.Y.Dim(e.Y.Rank()-1) != n {
		return e, fmt.Errorf("data: standardise: example %q: target %v for %d means", e.ID, e.Y, n)
	}
	out := slices.Clone(v)
	for k := range out {
		out[k] = (out[k] - s.mean[k%n]) / s.std[k%n]
	}
	e.Y, err = tensor.From(out, e.Y.Shape()...).Convert(e.Y.DType())
	return e, err
}

// StandardiseTargets gives the targets of ds, usually the training part, mean 0 and standard deviation 1. mean and std have one value for
// each place of the last axis of Y, or one for all where the axis is time (the steps of one forecast) or Y has more than two axes, so
// that y·std+mean undoes it by broadcasting. Constant targets are only shifted, and noted.
func StandardiseTargets(ds Dataset) (mean, std []float64, out Dataset, err error) {
	if ds.Len() == 0 {
		return nil, nil, nil, errors.New("data: standardise: the data set is empty")
	}
	names := TargetNames(ds)
	var m *moments
	for i := range ds.Len() {
		e, err := ds.Example(i)
		if err != nil {
			return nil, nil, nil, err
		}
		if e.Y == nil || !e.Y.DType().IsFloat() || e.Y.Len() == 0 {
			return nil, nil, nil, fmt.Errorf("data: standardise: example %q has no targets that are fractions; --task regression makes "+
				"targets of whole numbers", e.ID)
		}
		n := places(e.Y, names)
		if i == 0 {
			m = newMoments(n)
		}
		if n != len(m.mean) {
			return nil, nil, nil, fmt.Errorf("data: standardise: example %q has %d targets, the first one %d", e.ID, n, len(m.mean))
		}
		for k, x := range e.Y.Float64s() {
			m.add(k%n, x)
		}
	}
	std, at := m.std()
	s := ScaleTargets(ds, m.mean, std).(*scaledTargets)
	for _, name := range pick(names, at) {
		s.notes = append(s.notes, fmt.Sprintf("the target %s is the same everywhere: it is only shifted", name))
	}
	return m.mean, std, s, nil
}

// places is how many different targets y has: the last axis, or one where that is time or y has more than two axes.
func places(y *tensor.Tensor, names []string) int {
	if r := y.Rank(); r == 1 && len(names) != 1 || r == 2 {
		return y.Dim(r - 1)
	}
	return 1
}

// ScaleTargets is ds with targets (y − mean)/std, as StandardiseTargets found them on another part.
func ScaleTargets(ds Dataset, mean, std []float64) Dataset {
	return &scaledTargets{Dataset: ds, mean: mean, std: std}
}
