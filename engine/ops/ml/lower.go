package ml

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// with adds op with those attributes.
func with(b *graph.Builder, op *graph.Spec, attrs graph.Attrs, in ...graph.Value) graph.Value {
	a, err := op.DecodeAttrs(attrs)
	if err != nil {
		b.Fail(err)
		return 0
	}
	return b.Add(op, a, in...)
}

// cast is x in type d.
func cast(b *graph.Builder, x graph.Value, d tensor.DType) graph.Value {
	if b.DType(x) == d {
		return x
	}
	return b.Add(ops.Cast, ops.CastTo(d), x)
}

// floating is the type that x is computed in, double for double, and x in it.
func floating(b *graph.Builder, x graph.Value) (graph.Value, tensor.DType) {
	d := tensor.Float32
	if b.DType(x) == tensor.Float64 {
		d = tensor.Float64
	}
	return cast(b, x, d), d
}

// constant is a list as a constant of type d, float32 or float64.
func constant(b *graph.Builder, d tensor.DType, x []float32, shape ...int) graph.Value {
	if d == tensor.Float64 {
		return b.Const(tensor.From(widened(x), shape...))
	}
	return b.Const(tensor.From(append([]float32{}, x...), shape...))
}

// lower adds the transform of scores [N,K], a row at a time.
func (t transform) lower(b *graph.Builder, s graph.Value) graph.Value {
	d := b.DType(s)
	number := func(x float64) graph.Value { return b.Scalar(d, x) }
	switch t {
	case softmax:
		return b.Add(ops.Softmax, nil, s)
	case logistic:
		return b.Add(ops.Sigmoid, nil, s)
	case softmaxZero:
		const zero = 0.0000001
		away := b.Add(ops.Greater, nil, b.Add(ops.Abs, nil, s), number(zero))
		top := with(b, ops.ReduceMax, graph.Attrs{"keepdims": int64(1)}, s, b.Ints(-1))
		e := b.Add(ops.Exp, nil, b.Add(ops.Sub, nil, s, top))
		sum := with(b, ops.ReduceSum, graph.Attrs{"keepdims": int64(1)}, b.Add(ops.Where, nil, away, e, number(0)), b.Ints(-1))
		rest := b.Add(ops.Mul, nil, s, b.Add(ops.Exp, nil, b.Add(ops.Neg, nil, top)))
		return b.Add(ops.Div, nil, b.Add(ops.Where, nil, away, e, rest), sum)
	case probit:
		const a, pi = 0.147, 3.14159265358979323846
		x := b.Add(ops.Sub, nil, b.Add(ops.Mul, nil, s, number(2)), number(1))
		one := number(1)
		log := b.Add(ops.Log, nil, b.Add(ops.Mul, nil, b.Add(ops.Sub, nil, one, x), b.Add(ops.Add, nil, one, x)))
		v := b.Add(ops.Add, nil, b.Add(ops.Mul, nil, log, number(0.5)), number(2/(pi*a)))
		r := b.Add(ops.Sqrt, nil, b.Add(ops.Sub, nil, b.Add(ops.Mul, nil, v, v), b.Add(ops.Mul, nil, log, number(1/a))))
		r = b.Add(ops.Sqrt, nil, b.Add(ops.Sub, nil, r, v))
		return b.Add(ops.Mul, nil, b.Add(ops.Mul, nil, r, b.Add(ops.Sign, nil, x)), number(1.4142135623730951))
	}
	return s
}

// pick is the labels at the places of an integer tensor.
func pick(b *graph.Builder, l labels, at graph.Value) graph.Value {
	return b.Add(ops.Gather, nil, b.Const(l.tensor()), at)
}

// asTable is x as rows of that many columns: [C] is one row.
func asTable(b *graph.Builder, x graph.Value, columns int) graph.Value {
	return b.Add(ops.Reshape, nil, x, b.Ints(-1, columns))
}
