package testkit

import (
	"maps"
	"math"

	"github.com/gtk-onnx/gtk/tensor"
)

// Moved is feeds with h·u[name] added to each input that u names. All of these are float64.
func Moved(feeds, u map[string]*tensor.Tensor, h float64) map[string]*tensor.Tensor {
	m := maps.Clone(feeds)
	for name, direction := range u {
		t := m[name].Clone()
		x := tensor.Data[float64](t)
		for k, v := range tensor.Data[float64](direction) {
			x[k] += h * v
		}
		m[name] = t
	}
	return m
}

// Difference is the derivative of f at 0 by central differences of fourth order in h.
func Difference(f func(h float64) (float64, error), h float64) (float64, error) {
	var v [4]float64
	for i, k := range []float64{-2, -1, 1, 2} {
		x, err := f(k * h)
		if err != nil {
			return 0, err
		}
		v[i] = x
	}
	return (v[0] - 8*v[1] + 8*v[2] - v[3]) / (12 * h), nil
}

// Inner is the inner product of got with u, and the sum of the absolute terms: the scale of its rounding errors.
func Inner(got, u *tensor.Tensor) (sum, scale float64) {
	g, d := got.Float64s(), u.Float64s()
	for i := range g {
		sum += g[i] * d[i]
		scale += math.Abs(g[i] * d[i])
	}
	return sum, scale
}
