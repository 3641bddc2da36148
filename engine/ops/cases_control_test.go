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

// scanning is a Scan.
func scanning(name string, attrs graph.Attrs, in, caps []arg, outs int, formals []tensor.DType,
	f func(b *graph.Builder, x, c []graph.Value) []graph.Value) opCase {
	return opCase{op: "Scan", name: name, attrs: attrs, in: in, caps: caps, outs: outs, bodies: []bodyCase{{"body", formals, f}}}
}

// looping is a Loop with states of the floating-point type.
func looping(name string, m, cond arg, states, caps []arg, outs int, f func(b *graph.Builder, x, c []graph.Value) []graph.Value) opCase {
	formals := []tensor.DType{tensor.Int64, tensor.Bool}
	for _, s := range states {
		d := tensor.Float32
		if s.fixed != nil {
			d = s.fixed.DType()
		}
		formals = append(formals, d)
	}
	return opCase{op: "Loop", name: name, in: append([]arg{m, cond}, states...), caps: caps, outs: outs,
		bodies: []bodyCase{{"body", formals, f}}}
}

// cell is an Elman cell: s' = tanh(s c1 + x c0), which it also gives out.
func cell(b *graph.Builder, x, c []graph.Value) []graph.Value {
	s := b.Add(ops.Tanh, nil, b.Add(ops.Add, nil, b.Add(ops.Gemm, nil, x[0], c[1], 0), b.Add(ops.Gemm, nil, x[1], c[0], 0)))
	return vs(s, s)
}

// running carries the sum and the product of what it reads, and gives out their difference and what it was given.
func running(b *graph.Builder, x, _ []graph.Value) []graph.Value {
	s, p := b.Add(ops.Add, nil, x[0], x[2]), b.Add(ops.Mul, nil, x[1], x[3])
	return vs(s, p, b.Add(ops.Sub, nil, s, p), x[1])
}

// iterate is s' = tanh(s c0) scaled by the number of the trip plus one, while there are trips left to make; it gives out s s'.
func iterate(b *graph.Builder, x, c []graph.Value) []graph.Value {
	d := b.DType(x[2])
	k := b.Add(ops.Add, nil, b.Add(ops.Cast, ops.CastTo(d), x[0]), b.Scalar(d, 1))
	s := b.Add(ops.Mul, nil, b.Add(ops.Tanh, nil, b.Add(ops.Gemm, nil, x[2], c[0], 0)), k)
	return vs(b.Add(ops.Identity, nil, x[1]), s, b.Add(ops.Mul, nil, x[2], s))
}

// counting goes on while its second state, a counter, is below 3, and divides by it.
func counting(b *graph.Builder, x, c []graph.Value) []graph.Value {
	d := b.DType(x[2])
	n := b.Add(ops.Add, nil, x[3], b.Const(tensor.Scalar(int64(1))))
	s := b.Add(ops.Div, nil, b.Add(ops.Sin, nil, b.Add(ops.Gemm, nil, x[2], c[0], 0)), b.Add(ops.Cast, ops.CastTo(d), n))
	return vs(b.Add(ops.Less, nil, n, b.Const(tensor.Scalar(int64(3)))), s, n)
}

// chosen is a trip with an If in it: odd trips multiply by c0, even ones are squared.
func chosen(b *graph.Builder, x, c []graph.Value) []graph.Value {
	side := func(attr string, f func(b *graph.Builder, s, c graph.Value) graph.Value) *graph.Body {
		g := graph.New(attr)
		s, w := g.AddInput("s", b.DType(x[2]), nil), g.AddInput("w", b.DType(c[0]), nil)
		ib := graph.NewBuilder(g)
		g.Outputs = vs(f(ib, s, w))
		b.Fail(ib.Err())
		return &graph.Body{Attr: attr, G: g}
	}
	then := side("then_branch", func(b *graph.Builder, s, c graph.Value) graph.Value { return b.Add(ops.Gemm, nil, s, c, 0) })
	els := side("else_branch", func(b *graph.Builder, s, _ graph.Value) graph.Value { return b.Add(ops.Mul, nil, s, s) })
	odd := b.Add(ops.Equal, nil, b.Add(ops.Mod, nil, x[0], b.Ints(2)), b.Ints(1))
	n := b.AddControl("inner", ops.If, nil, vs(odd), []bool{true}, []*graph.Body{then, els}, vs(x[2], c[0], x[2], c[0]))
	if n == nil {
		return vs(0, 0)
	}
	return vs(b.Add(ops.Identity, nil, x[1]), n.Out[0])
}

// wrapped is a body whose state is what the Scan cell makes of it and of the captured sequence c[2].
func wrapped(b *graph.Builder, s graph.Value, c []graph.Value) graph.Value {
	g := graph.New("body")
	d := b.DType(s)
	x := vs(g.AddInput("s", d, nil), g.AddInput("x", d, nil))
	caps := vs(g.AddInput("w", d, nil), g.AddInput("u", d, nil))
	ib := graph.NewBuilder(g)
	g.Outputs = cell(ib, x, caps)
	b.Fail(ib.Err())
	attrs, err := ops.Scan.DecodeAttrs(is("num_scan_inputs", 1))
	b.Fail(err)
	n := b.AddControl("inner", ops.Scan, attrs, vs(s, c[2]), []bool{true, true}, []*graph.Body{{Attr: "body", G: g, Formals: 2}}, c[:2])
	if n == nil {
		return 0
	}
	mean, err := ops.ReduceMean.DecodeAttrs(is("keepdims", 0))
	b.Fail(err)
	return b.Add(ops.Add, nil, n.Out[0], b.Add(ops.ReduceMean, mean, n.Out[1]))
}

// accumulating has a captured value and no state.
func accumulating(b *graph.Builder, x, c []graph.Value) []graph.Value {
	d := b.DType(c[0])
	return vs(b.Add(ops.Identity, nil, x[1]), b.Add(ops.Pow, nil, c[0],
		b.Add(ops.Add, nil, b.Add(ops.Cast, ops.CastTo(d), x[0]), b.Scalar(d, 1))))
}

func init() {
	f := []tensor.DType{tensor.Float32, tensor.Float32}
	square := arg{shape: []int{3, 3}, gen: inside}
	register(
		scanning("cell", is("num_scan_inputs", 1), []arg{w(2, 3), w(4, 2, 5)}, []arg{w(5, 3), square}, 2, f, cell),
		scanning("last state", is("num_scan_inputs", 1), []arg{w(2, 3), w(4, 2, 5)}, []arg{w(5, 3), square}, 1, f, cell),
		scanning("backwards", is("num_scan_inputs", 1, "scan_input_directions", ints(1), "scan_output_directions", ints(1)),
			[]arg{w(2, 3), w(4, 2, 5)}, []arg{w(5, 3), square}, 2, f, cell),
		scanning("axes", is("num_scan_inputs", 1, "scan_input_axes", ints(1), "scan_output_axes", ints(-1)), []arg{w(2, 3), w(2, 4, 5)},
			[]arg{w(5, 3), square}, 2, f, cell),
		scanning("two of each", is("num_scan_inputs", 2, "scan_input_axes", ints(-1, 0), "scan_input_directions", ints(0, 1),
			"scan_output_axes", ints(1, 0),
			"scan_output_directions", ints(1, 0)), []arg{w(3), w(3), w(3, 4), w(4, 3)}, nil, 4,
			[]tensor.DType{tensor.Float32, tensor.Float32, tensor.Float32, tensor.Float32}, running),
		scanning("no step", is("num_scan_inputs", 1), []arg{w(2, 3), w(0, 2, 5)}, []arg{w(5, 3), square}, 1, f, cell),
		scanning("no state", is("num_scan_inputs", 1), []arg{w(4, 3)}, []arg{w(3)}, 1, f[:1],
			func(b *graph.Builder, x, c []graph.Value) []graph.Value {
				return vs(b.Add(ops.Mul, nil, b.Add(ops.Mul, nil, x[0], c[0]), x[0]))
			}),
		looping("counted", scalarID(3), arg{}, []arg{w(2, 3)}, []arg{square}, 2, iterate),
		looping("counted, last state", scalarID(3), given(tensor.Scalar(true)), []arg{w(2, 3)}, []arg{square}, 1, iterate),
		looping("one trip", scalarID(1), arg{}, []arg{w(2, 3)}, []arg{square}, 2, iterate),
		looping("no trip", scalarID(0), arg{}, []arg{w(2, 3)}, []arg{square}, 1, iterate),
		looping("while", arg{}, given(tensor.Scalar(true)), []arg{w(2, 3), scalarID(0)}, []arg{square}, 2, counting),
		looping("choice inside", scalarID(4), arg{}, []arg{w(2, 3)}, []arg{square}, 1, chosen),
		looping("scan inside", scalarID(2), arg{}, []arg{w(2, 3)}, []arg{w(5, 3), square, w(3, 2, 5)}, 1,
			func(b *graph.Builder, x, c []graph.Value) []graph.Value {
				return vs(b.Add(ops.Identity, nil, x[1]), wrapped(b, x[2], c))
			}),
		choice("scan inside", true, []arg{w(5, 3), square, w(3, 2, 5), w(2, 3)}, 1, func(b *graph.Builder, c []graph.Value) []graph.Value {
			return vs(wrapped(b, c[3], c))
		}, func(_ *graph.Builder, c []graph.Value) []graph.Value { return vs(c[3]) }),
		looping("no state", scalarID(3), arg{}, nil, []arg{wg(positive, 2, 3)}, 1, accumulating),
	)
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
