package graphgen

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// exported is a normalisation or a Gelu as exporters write it out for operator sets that have none, in one of their forms, or what is made
// of slices.
func (m *maker) exported() bool {
	x, ok := m.pick(func(s []int) bool { return s[len(s)-1] >= 4 })
	if !ok {
		return false
	}
	switch m.r.IntN(6) {
	case 0, 1:
		m.push(m.gelu(x.v), x.shape...)
	case 2, 3:
		m.push(m.layerNorm(x), x.shape...)
	case 4:
		// A layer whose gradient reads what is cheap to compute again.
		n := x.shape[len(x.shape)-1]
		y := m.add(ops.LayerNormalization, graph.Attrs{"epsilon": float32(0.1)}, x.v, m.positive(n), m.param(0.3, n))
		m.push(m.either(ops.Mul, y, m.param(0.7, n)), x.shape...)
	default:
		m.parts(x)
	}
	return true
}

// parts adds up three slices of x, which may overlap.
func (m *maker) parts(x val) {
	k := len(x.shape)
	n := x.shape[k-1]
	cut := func(at int) graph.Value {
		return m.b.Add(ops.Slice, nil, x.v, m.b.Ints(at), m.b.Ints(at+n/2), m.b.Ints(k))
	}
	shape := append(append([]int{}, x.shape[:k-1]...), n/2)
	y := m.add(ops.Add, nil, m.add(ops.Tanh, nil, cut(0)), cut(n/2))
	m.push(m.add(ops.Add, nil, y, m.add(ops.Sigmoid, nil, cut(1))), shape...)
}

func (m *maker) number(x float64) graph.Value { return m.b.Scalar(tensor.Float32, x) }

// either is a op b or b op a.
func (m *maker) either(op *graph.Spec, a, b graph.Value) graph.Value {
	if m.r.IntN(2) == 0 {
		a, b = b, a
	}
	return m.add(op, nil, a, b)
}

// times is the product of vs in any order.
func (m *maker) times(vs ...graph.Value) graph.Value {
	m.r.Shuffle(len(vs), func(i, j int) { vs[i], vs[j] = vs[j], vs[i] })
	y := vs[0]
	for _, v := range vs[1:] {
		y = m.either(ops.Mul, y, v)
	}
	return y
}

func (m *maker) gelu(x graph.Value) graph.Value {
	var u graph.Value
	switch m.r.IntN(4) {
	case 0:
		u = m.add(ops.Erf, nil, m.add(ops.Div, nil, x, m.number(math.Sqrt2)))
	case 1:
		u = m.add(ops.Erf, nil, m.times(x, m.number(math.Sqrt2/2)))
	case 2:
		cube := m.add(ops.Pow, nil, x, m.number(3))
		u = m.add(ops.Tanh, nil, m.times(m.either(ops.Add, x, m.times(cube, m.number(0.044715))), m.number(math.Sqrt(2/math.Pi))))
	default:
		u = m.either(ops.Add, m.number(1), m.times(x, x, m.number(0.044715)))
		u = m.add(ops.Tanh, nil, m.times(x, u, m.number(math.Sqrt(2/math.Pi))))
	}
	u = m.either(ops.Add, u, m.number(1))
	if m.r.IntN(4) == 0 {
		return m.add(ops.Div, nil, m.times(x, u), m.number(2))
	}
	return m.times(x, u, m.number(0.5))
}

// layerNorm normalises over the last axis of x or, with one scale for all, the last two, with and without the mean.
func (m *maker) layerNorm(x val) graph.Value {
	axes, n := m.b.Ints(-1), x.shape[len(x.shape)-1]
	if len(x.shape) > 1 && m.r.IntN(4) == 0 {
		axes = m.b.Ints(-2, -1)
	}
	d := x.v
	if m.r.IntN(3) > 0 {
		d = m.add(ops.Sub, nil, d, m.add(ops.ReduceMean, nil, d, axes))
	}
	square := m.add(ops.Mul, nil, d, d)
	if m.r.IntN(2) == 0 {
		square = m.add(ops.Pow, nil, d, m.number(2))
	}
	if m.r.IntN(6) == 0 {
		m.push(square, x.shape...) // others read it too
	}
	sum := m.either(ops.Add, m.add(ops.ReduceMean, nil, square, axes), m.number(0.1))
	var y graph.Value
	switch m.r.IntN(3) {
	case 0:
		y = m.add(ops.Div, nil, d, m.add(ops.Sqrt, nil, sum))
	case 1:
		y = m.either(ops.Mul, d, m.add(ops.Reciprocal, nil, m.add(ops.Sqrt, nil, sum)))
	default:
		y = m.either(ops.Mul, d, m.add(ops.Pow, nil, sum, m.number(-0.5)))
	}
	if m.r.IntN(3) > 0 {
		y = m.either(ops.Mul, y, m.positive(n))
	}
	if m.r.IntN(3) > 0 {
		y = m.either(ops.Add, y, m.param(0.3, n))
	}
	return y
}
