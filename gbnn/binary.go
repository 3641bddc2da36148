package gbnn

import (
	"errors"
	"math"
)

// Binary is log(1+exp(−2yF)) of truths y = ±1: the probability of the class 1 is sigmoid(2F).
type Binary struct{}

// ErrOneClass is the error of truths that are all of one class.
var ErrOneClass = errors.New("all examples are of one class")

// Start is ½·log((1+ȳ)/(1−ȳ)).
func (Binary) Start(y []float64, _ int) ([]float64, error) {
	mean := 0.0
	for _, v := range y {
		mean += v / float64(len(y))
	}
	if low, high := lowHigh(y); low == high {
		return nil, ErrOneClass
	}
	return []float64{math.Log((1+mean)/(1-mean)) / 2}, nil
}

func lowHigh(x []float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range x {
		low, high = min(low, v), max(high, v)
	}
	return low, high
}

// Residuals is 2y/(1+exp(2yF)).
func (Binary) Residuals(r, f, y []float64, _ int) {
	for i := range r {
		r[i] = 2 * y[i] / (1 + math.Exp(2*y[i]*f[i]))
	}
}

// Rate is eta·Σ r·p / Σ r·p²·(2y−r).
func (Binary) Rate(p, _, r, y []float64, _ int, eta float64) float64 {
	num, den := 0.0, 0.0
	for i, v := range p {
		num += r[i] * v
		den += r[i] * v * v * (2*y[i] - r[i])
	}
	if math.Abs(den) < small {
		return 0
	}
	return eta * num / den
}

// Mean is the mean of log(1+exp(−2yF)).
func (Binary) Mean(f, y []float64, _ int) float64 {
	s := 0.0
	for i, v := range f {
		z := -2 * y[i] * v
		s += max(z, 0) + math.Log1p(math.Exp(-math.Abs(z)))
	}
	return s / float64(len(f))
}
