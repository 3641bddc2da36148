package ops_test

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// The bodies of the cases below, named by what is special.

// branch is a body without formal inputs.
func branch(attr string, f func(b *graph.Builder, c []graph.Value) []graph.Value) bodyCase {
	return bodyCase{attr: attr, make: func(b *graph.Builder, _, c []graph.Value) []graph.Value { return f(b, c) }}
}

// choice is an If.
func choice(name string, cond bool, caps []arg, outs int, then, els func(b *graph.Builder, c []graph.Value) []graph.Value) opCase {
	return opCase{
		op: "If", name: name, in: []arg{given(tensor.Scalar(cond))}, caps: caps, outs: outs,
		bodies: []bodyCase{branch("then_branch", then), branch("else_branch", els)},
	}
}

// vs is a list of values.
func vs(v ...graph.Value) []graph.Value { return v }

// layer is tanh(c0 c1 + c2).
func layer(b *graph.Builder, c []graph.Value) []graph.Value {
	return vs(b.Add(ops.Tanh, nil, b.Add(ops.Gemm, nil, c[0], c[1], c[2])))
}

// product is c0 c0 c3, which leaves c1 and c2 alone.
func product(b *graph.Builder, c []graph.Value) []graph.Value {
	return vs(b.Add(ops.Gemm, nil, b.Add(ops.Mul, nil, c[0], c[0]), c[3]))
}

// nested is an If inside a branch: of its own body, which captures what the outer captures.
func nested(b *graph.Builder, c []graph.Value) []graph.Value {
	inner := func(attr string, f func(b *graph.Builder, c []graph.Value) []graph.Value) (*graph.Body, []graph.Value) {
		g := graph.New(attr)
		var in []graph.Value
		for _, v := range c {
			in = append(in, g.AddInput("inner", b.DType(v), nil))
		}
		ib := graph.NewBuilder(g)
		g.Outputs = f(ib, in)
		b.Fail(ib.Err())
		return &graph.Body{Attr: attr, G: g}, c
	}
	then, tc := inner("then_branch", layer)
	els, ec := inner("else_branch", product)
	sum := b.Add(ops.ReduceSum, nil, c[0])
	cond := b.Add(ops.Less, nil, b.Add(ops.Reshape, nil, sum, b.Ints(1)), b.Scalar(b.DType(c[0]), 1e6))
	n := b.AddControl("inner", ops.If, nil, vs(cond), []bool{true}, []*graph.Body{then, els}, append(append(vs(), tc...), ec...))
	if n == nil {
		return vs(0)
	}
	return vs(b.Add(ops.Mul, nil, n.Out[0], n.Out[0]))
}

func init() {
	caps := []arg{x(2, 3), w(3, 4), w(4), w(3, 4)}
	register(
		choice("then", true, caps, 1, layer, product),
		choice("else", false, caps, 1, layer, product),
		choice("outer value", true, caps, 1, func(_ *graph.Builder, c []graph.Value) []graph.Value { return vs(c[0]) }, product),
		choice("other shape", false, caps, 1, func(_ *graph.Builder, c []graph.Value) []graph.Value { return vs(c[2]) }, product),
		choice("outputs", true, caps, 3, func(b *graph.Builder, c []graph.Value) []graph.Value {
			y := layer(b, c)[0]
			return vs(y, b.Add(ops.Shape, nil, y), y)
		}, func(b *graph.Builder, c []graph.Value) []graph.Value {
			return vs(c[2], b.Add(ops.Shape, nil, c[1]), product(b, c)[0])
		}),
		choice("nested", true, caps, 1, nested, layer),
		choice("nested else", false, caps, 1, layer, nested),
		choice("constant branch", false, caps, 1, layer, func(b *graph.Builder, c []graph.Value) []graph.Value {
			return vs(b.Add(ops.Round, nil, c[1]))
		}),
	)
}
