package ops

import (
	"fmt"
	"math"
	"strings"

	"github.com/gtk-onnx/gtk/internal/kernel"
)

// gate is an activation function of a recurrent layer, with the clip that is applied before it. All are monotone, and their
// derivative is a function of their value.
//
// Source: https://onnx.ai/onnx/operators/onnx__LSTM.html, "Activation functions".
type gate[T real] struct {
	name        string // lower case
	alpha, beta T
	clip        T           // 0 means none
	lo, hi      T           // values at the ends of the clip
	fast        func(x []T) // the function without the clip, nil when there is only at
}

// defaultAlphaBeta are the parameters of activation functions that have some.
var defaultAlphaBeta = map[string][2]float32{
	"affine": {1, 0}, "leakyrelu": {0.01, 0}, "thresholdedrelu": {1, 0}, "scaledtanh": {1, 1}, "hardsigmoid": {0.2, 0.5}, "elu": {1, 0},
	"relu": {}, "sigmoid": {}, "tanh": {}, "softsign": {}, "softplus": {},
}

func sigmoidF32(x []float32) { kernel.SigmoidF32(nil, x, x) }
func tanhF32(x []float32)    { kernel.TanhF32(nil, x, x) }

// gatesOf are the activation functions of each direction, defaults being those of one direction.
func gatesOf[T real](a *recurrentAttrs, d int, defaults ...string) ([][]*gate[T], error) {
	names := a.Activations
	if names == nil {
		for range d {
			names = append(names, defaults...)
		}
	}
	if len(names) != d*len(defaults) {
		return nil, fmt.Errorf("%d activations for %d directions, want %d each", len(names), d, len(defaults))
	}
	alpha, beta := a.Alpha, a.Beta
	next := func(list *[]float32, def float32) T {
		if len(*list) == 0 {
			return T(def)
		}
		v := (*list)[0]
		*list = (*list)[1:]
		return T(v)
	}
	var all []*gate[T]
	for _, name := range names {
		g := &gate[T]{name: strings.ToLower(name)}
		def, ok := defaultAlphaBeta[g.name]
		if !ok {
			return nil, fmt.Errorf("activation %q is not supported", name)
		}
		switch g.name {
		case "sigmoid":
			g.fast, _ = any(sigmoidF32).(func([]T))
		case "tanh":
			g.fast, _ = any(tanhF32).(func([]T))
		case "affine", "scaledtanh", "hardsigmoid":
			g.alpha, g.beta = next(&alpha, def[0]), next(&beta, def[1])
		case "leakyrelu", "thresholdedrelu", "elu":
			g.alpha = next(&alpha, def[0])
		}
		if g.alpha < 0 || g.beta < 0 && g.name == "scaledtanh" {
			return nil, fmt.Errorf("activation %s with alpha %v and beta %v, which falls, is not supported", name, g.alpha, g.beta)
		}
		if a.Clip != nil && *a.Clip > 0 {
			ends := []T{-T(*a.Clip), T(*a.Clip)}
			g.apply(ends)
			g.clip, g.lo, g.hi = T(*a.Clip), ends[0], ends[1]
		}
		all = append(all, g)
	}
	dirs := make([][]*gate[T], d)
	for i := range dirs {
		dirs[i] = all[i*len(defaults) : (i+1)*len(defaults)]
	}
	return dirs, nil
}

// unclipped is g without its clip.
func (g *gate[T]) unclipped() *gate[T] {
	f := *g
	f.clip = 0
	return &f
}

// is reports whether g is the named function, of float32 and without a clip.
func (g *gate[T]) is(name string) bool { return g.name == name && g.clip == 0 && g.fast != nil }

// singles is x where T is float32.
func singles[T real](x []T) []float32 { return any(x).([]float32) }

// apply replaces x by its values.
func (g *gate[T]) apply(x []T) {
	if g.clip > 0 {
		for i, v := range x {
			x[i] = min(max(v, -g.clip), g.clip)
		}
	}
	if g.fast != nil {
		g.fast(x)
		return
	}
	for i, v := range x {
		x[i] = T(g.at(float64(v)))
	}
}

func (g *gate[T]) at(x float64) float64 {
	alpha, beta := float64(g.alpha), float64(g.beta)
	switch g.name {
	case "sigmoid":
		return 1 / (1 + math.Exp(-x))
	case "tanh":
		return math.Tanh(x)
	case "relu":
		return max(x, 0)
	case "affine":
		return alpha*x + beta
	case "leakyrelu":
		if x < 0 {
			return alpha * x
		}
		return x
	case "thresholdedrelu":
		if x >= alpha {
			return x
		}
		return 0
	case "scaledtanh":
		return alpha * math.Tanh(beta*x)
	case "hardsigmoid":
		return min(max(alpha*x+beta, 0), 1)
	case "elu":
		if x < 0 {
			return alpha * math.Expm1(x)
		}
		return x
	case "softsign":
		return x / (1 + math.Abs(x))
	}
	return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) // softplus
}

// derive multiplies d by the derivative where the function has the values y.
func (g *gate[T]) derive(d, y []T) {
	switch g.name {
	case "sigmoid":
		for i, v := range y {
			d[i] *= v * (1 - v)
		}
	case "tanh":
		for i, v := range y {
			d[i] *= 1 - v*v
		}
	default:
		for i, v := range y {
			d[i] *= T(g.slope(float64(v)))
		}
	}
	if g.clip > 0 {
		for i, v := range y {
			if v <= g.lo || v >= g.hi {
				d[i] = 0
			}
		}
	}
}

func (g *gate[T]) slope(y float64) float64 {
	alpha, beta := float64(g.alpha), float64(g.beta)
	when := func(c bool, a, b float64) float64 {
		if c {
			return a
		}
		return b
	}
	switch g.name {
	case "relu", "thresholdedrelu":
		return when(y > 0, 1, 0)
	case "affine":
		return alpha
	case "leakyrelu":
		return when(y < 0, alpha, 1)
	case "scaledtanh":
		if alpha == 0 {
			return 0
		}
		return alpha * beta * (1 - y/alpha*y/alpha)
	case "hardsigmoid":
		return when(y > 0 && y < 1, alpha, 0)
	case "elu":
		return when(y < 0, y+alpha, 1)
	case "softsign":
		return (1 - math.Abs(y)) * (1 - math.Abs(y))
	}
	return -math.Expm1(-y) // softplus
}
