package ops_test

import (
	"math/rand/v2"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// arg is one input of a case. The zero arg is an absent input.
type arg struct {
	shape  []int
	gen    func(r *rng, n int) []float64 // of a floating-point input
	fixed  *tensor.Tensor                // content of any other input
	batch  bool                          // axis 0 is the batch; of fixed content, it is fed then
	stop   bool                          // not differentiable
	hidden bool                          // its shape is not declared
}

// The kinds of inputs.

func normal(r *rng, n int) []float64 {
	return draw(n, func(int) float64 { return r.NormFloat64() })
}

// kinkless is away from 0 by at least 0.1.
func kinkless(r *rng, n int) []float64 {
	return draw(n, func(int) float64 {
		x := 0.1 + 1.4*r.Float64()
		if r.IntN(2) == 0 {
			x = -x
		}
		return x
	})
}

// nonzero is away from 0 by at least 0.5.
func nonzero(r *rng, n int) []float64 {
	return draw(n, func(int) float64 { return (0.5 + r.Float64()) * float64(2*r.IntN(2)-1) })
}

func positive(r *rng, n int) []float64 {
	return draw(n, func(int) float64 { return 0.3 + 1.5*r.Float64() })
}

// inside is in (-0.9, 0.9).
func inside(r *rng, n int) []float64 {
	return draw(n, func(int) float64 { return 1.8*r.Float64() - 0.9 })
}

// distinct numbers differ by at least 0.02, so that a small step changes no order.
func distinct(r *rng, n int) []float64 {
	p := r.Perm(n)
	return draw(n, func(i int) float64 {
		return (float64(p[i]) - float64(n)/2 + 0.3 + 0.2*r.Float64()) * max(0.05, 2/float64(n))
	})
}

func draw(n int, f func(i int) float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = float64(float32(f(i)))
	}
	return x
}

type rng = rand.Rand

type generator = func(r *rng, n int) []float64

// x is an input with the batch on axis 0, w one without a batch: a weight.
func x(shape ...int) arg               { return arg{shape: shape, gen: normal, batch: true} }
func w(shape ...int) arg               { return arg{shape: shape, gen: normal} }
func xg(g generator, shape ...int) arg { return arg{shape: shape, gen: g, batch: true} }
func wg(g generator, shape ...int) arg { return arg{shape: shape, gen: g} }
func given(t *tensor.Tensor) arg       { return arg{fixed: t} }
func ids(v ...int64) arg               { return given(tensor.From(v, len(v))) }
func scalarID(v int64) arg             { return given(tensor.Scalar(v)) }
func floatsOf(v ...float32) arg        { return given(tensor.From(v, len(v))) }

// asFloat is an integer input as float32.
func (a arg) asFloat() arg {
	t, err := a.fixed.Convert(tensor.Float32)
	if err != nil {
		panic(err)
	}
	return given(t)
}

// floatsOf0 is a scalar.
func floatsOf0(v float32) arg { return given(tensor.Scalar(v)) }
func (a arg) noGrad() arg     { a.stop = true; return a }
func (a arg) perRow() arg     { a.batch = true; return a }
func ints(v ...int64) []int64 { return v }
func is(kv ...any) graph.Attrs {
	a := graph.Attrs{}
	for i := 0; i < len(kv); i += 2 {
		switch v := kv[i+1].(type) {
		case int:
			a[kv[i].(string)] = int64(v)
		case float64:
			a[kv[i].(string)] = float32(v)
		default:
			a[kv[i].(string)] = v
		}
	}
	return a
}
