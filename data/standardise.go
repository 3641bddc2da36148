package data

import (
	"errors"
	"fmt"
	"math"
)

// Standardise is the preprocessing that gives every feature (axis 0 of the examples, which are no pictures) mean 0 and standard deviation 1
// over ds, usually the training part. Features that are constant are only shifted. It travels with the model like any other
// preprocessing.
func Standardise(ds Dataset) (Preprocess, error) {
	if ds.Len() == 0 {
		return Preprocess{}, errors.New("data: standardise: the data set is empty")
	}
	var mean, square, count []float64
	for i := range ds.Len() {
		e, err := ds.Example(i)
		if err != nil {
			return Preprocess{}, err
		}
		v, err := floats(e.X)
		if err != nil || e.Picture || e.X.Rank() == 0 || e.X.Len() == 0 {
			return Preprocess{}, fmt.Errorf("data: standardise: example %q is %v; need features [F] or [F,…]", e.ID, e.X)
		}
		f := e.X.Dim(0)
		if i == 0 {
			mean, square, count = make([]float64, f), make([]float64, f), make([]float64, f)
		}
		if f != len(mean) {
			return Preprocess{}, fmt.Errorf("data: standardise: example %q has %d features, the first one %d", e.ID, f, len(mean))
		}
		for k := range f { // Welford's update: no cancellation for large means
			for _, x := range v[k*len(v)/f : (k+1)*len(v)/f] {
				count[k]++
				d := x - mean[k]
				mean[k] += d / count[k]
				square[k] += d * (x - mean[k])
			}
		}
	}
	p := Preprocess{Scale: 1, Tensors: true, Mean: mean, Std: square}
	for k, s := range square {
		if p.Std[k] = math.Sqrt(s / count[k]); p.Std[k] == 0 {
			p.Std[k] = 1
		}
	}
	return p, p.Validate()
}
