package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Recurrent layers as a Scan over the steps, for each direction one: the form in which their gradient can be written in ONNX's operators
// and be differentiated again. What depends on the input alone is one matrix product before it.

// unroll is the Scan of one direction under construction.
type unroll struct {
	b    *graph.Builder // around the Scan
	in   *graph.Builder // of its body
	g    *graph.Graph
	dir  int
	act  []*gate[float64]
	r    graph.Value   // recurrent weights of the direction, [m·H,H]
	bias []graph.Value // Wb and Rb of the direction, [m·H], none without B
	peep graph.Value   // peepholes of the direction, [3·H], or 0

	held     map[graph.Value]graph.Value
	captured []graph.Value
}

// hold is v of the graph around the Scan in its body.
func (u *unroll) hold(v graph.Value) graph.Value {
	if h, ok := u.held[v]; ok {
		return h
	}
	info := u.b.G.Info(v)
	u.held[v] = u.g.AddInput("held:"+info.Name, info.DType, info.Dims)
	u.captured = append(u.captured, v)
	return u.held[v]
}

// times is h [N,H] times the transpose of w [k,H].
func (u *unroll) times(h, w graph.Value) graph.Value {
	return u.in.Add(MatMul, nil, h, u.hold(u.b.Add(Transpose, Perm(1, 0), w)))
}

// parted is v in k equal parts along an axis.
func parted(b *graph.Builder, v graph.Value, axis, k int) []graph.Value {
	if k == 1 {
		return []graph.Value{v}
	}
	return b.AddN(Split, &splitAttrs{Axis: axis, NumOutputs: &k}, k, v)
}

// ofDirection is entry dir of the first axis of v, of which there are d.
func ofDirection(b *graph.Builder, v graph.Value, dir, d int) graph.Value {
	if v == 0 {
		return 0
	}
	return b.Add(Squeeze, nil, parted(b, v, 0, d)[dir], b.Ints(0))
}

// lowerRecurrent writes a layer of m gates as Scans. before is what of the bias is added to the input's share of the gates, nil for all.
// step is the states after a step from those before it, the first of them the output, and x [N,m·H], the input's share of the gates.
func lowerRecurrent(a *recurrentAttrs, b *graph.Builder, n *graph.Node, m, states int, defaults []string,
	before func(u *unroll) graph.Value, step func(u *unroll, x graph.Value, old []graph.Value) []graph.Value) ([]graph.Value, error) {
	d := 1
	if a.Direction == "bidirectional" {
		d = 2
	}
	acts, err := gatesOf[float64](a, d, defaults...)
	if err != nil {
		return nil, err
	}
	x, w, r := n.In[0], n.In[1], n.In[2]
	if a.Layout == 1 {
		x = b.Add(Transpose, Perm(1, 0, 2), x)
	}
	var mask graph.Value
	if lens := input(n, 4); lens != 0 {
		scalar := func(v graph.Value) graph.Value { return b.Add(Squeeze, nil, v, b.Ints(0)) }
		zero, one := b.Const(tensor.Scalar(int64(0))), b.Const(tensor.Scalar(int64(1)))
		at := b.Add(Range, nil, zero, scalar(shapePart(b, x, 0, 1)), one)
		at = b.Add(Unsqueeze, nil, at, b.Ints(1, 2)) // [T,1,1]
		lens = b.Add(Unsqueeze, nil, b.Add(Cast, CastTo(tensor.Int64), lens), b.Ints(1))
		mask = b.Add(Less, nil, at, lens) // [T,N,1]
	}
	ys, last := make([]graph.Value, d), make([][]graph.Value, states)
	for dir := range d {
		u := &unroll{b: b, g: graph.New(n.Op.Name), dir: dir, act: acts[dir], r: ofDirection(b, r, dir, d),
			peep: ofDirection(b, input(n, 7), dir, d), held: map[graph.Value]graph.Value{}}
		u.in = graph.NewBuilder(u.g)
		shares := b.Add(MatMul, nil, x, b.Add(Transpose, Perm(1, 0), ofDirection(b, w, dir, d))) // [T,N,m·H]
		if bias := ofDirection(b, input(n, 3), dir, d); bias != 0 {
			u.bias = parted(b, bias, 0, 2)
			shares = add(b, shares, before(u))
		}
		var feeds, old []graph.Value
		matrix := []graph.Dim{{Size: -1}, {Size: -1}}
		for s := range states {
			initial := input(n, 5+s)
			switch {
			case initial == 0:
				shape := joined(b, shapePart(b, x, 1, 2), shapePart(b, r, 2, 3))
				initial = b.Add(ConstantOfShape, nil, shape)
				if b.DType(x) != tensor.Float32 {
					initial = b.Add(Cast, CastTo(b.DType(x)), initial)
				}
			case a.Layout == 1:
				initial = ofDirection(b, b.Add(Transpose, Perm(1, 0, 2), initial), dir, d)
			default:
				initial = ofDirection(b, initial, dir, d)
			}
			feeds, old = append(feeds, initial), append(old, u.g.AddInput("state", b.DType(x), matrix))
		}
		backwards := b2i(dir == 1 || a.Direction == "reverse")
		attrs := &scanAttrs{NumScanInputs: 1, InAxes: []int{0}, InDirections: []int{backwards}, OutAxes: []int{0},
			OutDirections: []int{backwards}}
		feeds = append(feeds, shares)
		share, live := u.g.AddInput("gates", b.DType(x), matrix), graph.Value(0)
		if mask != 0 {
			attrs.NumScanInputs, attrs.InAxes, attrs.InDirections = 2, []int{0, 0}, []int{backwards, backwards}
			feeds, live = append(feeds, mask), u.g.AddInput("live", tensor.Bool, matrix)
		}
		formals := len(u.g.Inputs)
		next := step(u, share, old)
		y := next[0]
		if live != 0 {
			y = u.in.Add(Where, nil, live, y, u.in.Scalar(b.DType(x), 0))
			for s := range next {
				next[s] = u.in.Add(Where, nil, live, next[s], old[s])
			}
		} else {
			y = u.in.Add(Identity, nil, y)
		}
		u.g.Outputs = append(next, y)
		for _, v := range u.g.Outputs {
			u.g.Info(v).Dims = matrix
		}
		if err := u.in.Err(); err != nil {
			return nil, err
		}
		body := &graph.Body{Attr: "body", G: u.g, Formals: formals}
		scan := b.AddControl("", Scan, attrs, feeds, allOf(states+1), []*graph.Body{body}, u.captured)
		if scan == nil {
			return nil, b.Err()
		}
		for s := range states {
			last[s] = append(last[s], b.Add(Unsqueeze, nil, scan.Out[s], b.Ints(0)))
		}
		ys[dir] = b.Add(Unsqueeze, nil, scan.Out[states], b.Ints(1))
	}
	together := func(vs []graph.Value, axis int, layout1 ...int) graph.Value {
		v := vs[0]
		if d == 2 {
			v = b.Add(Concat, &concatAttrs{Axis: axis}, vs...)
		}
		if a.Layout == 1 {
			v = b.Add(Transpose, Perm(layout1...), v)
		}
		return v
	}
	out := []graph.Value{together(ys, 1, 2, 0, 1, 3)} // [T,D,N,H]
	for s := range states {
		out = append(out, together(last[s], 0, 1, 0, 2)) // [D,N,H]
	}
	return out, b.Err()
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// allBias is all of the bias.
func allBias(u *unroll) graph.Value { return add(u.b, u.bias[0], u.bias[1]) }

// express is g of x in operators.
func (g *gate[T]) express(b *graph.Builder, x graph.Value) graph.Value {
	d := b.DType(x)
	if g.clip > 0 {
		x = b.Add(Clip, nil, x, b.Scalar(d, -float64(g.clip)), b.Scalar(d, float64(g.clip)))
	}
	alpha, beta := float64(g.alpha), float64(g.beta)
	switch g.name {
	case "sigmoid":
		return b.Add(Sigmoid, nil, x)
	case "tanh":
		return b.Add(Tanh, nil, x)
	case "relu":
		return b.Add(Relu, nil, x)
	case "affine":
		return add(b, scale(b, x, alpha), b.Scalar(d, beta))
	case "leakyrelu":
		return b.Add(LeakyRelu, &leakyReluAttrs{Alpha: float32(g.alpha)}, x)
	case "thresholdedrelu":
		return b.Add(Where, nil, b.Add(Less, nil, x, b.Scalar(d, alpha)), b.Scalar(d, 0), x)
	case "scaledtanh":
		return scale(b, b.Add(Tanh, nil, scale(b, x, beta)), alpha)
	case "hardsigmoid":
		return b.Add(HardSigmoid, &hardSigmoidAttrs{Alpha: float32(g.alpha), Beta: float32(g.beta)}, x)
	case "elu":
		return b.Add(Elu, &eluAttrs{Alpha: float32(g.alpha)}, x)
	case "softsign":
		return b.Add(Softsign, nil, x)
	}
	return b.Add(Softplus, nil, x)
}

func lowerRNN(a *recurrentAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	return lowerRecurrent(a, b, n, 1, 1, []string{"Tanh"}, allBias, func(u *unroll, x graph.Value, old []graph.Value) []graph.Value {
		return []graph.Value{u.act[0].express(u.in, add(u.in, x, u.times(old[0], u.r)))}
	})
}

func lowerGRU(a *recurrentAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	// With linear_before_reset the last gate gets Rbh behind the reset.
	before := func(u *unroll) graph.Value {
		if !a.LinearBeforeReset {
			return allBias(u)
		}
		rb := parted(u.b, u.bias[1], 0, 3)
		return add(u.b, u.bias[0], joined(u.b, rb[0], rb[1], scale(u.b, rb[2], 0)))
	}
	return lowerRecurrent(a, b, n, 3, 1, []string{"Sigmoid", "Tanh"}, before,
		func(u *unroll, x graph.Value, old []graph.Value) []graph.Value {
			h, in, rs := old[0], u.in, parted(u.b, u.r, 0, 3)
			xs := parted(in, x, 1, 3)
			z := u.act[0].express(in, add(in, xs[0], u.times(h, rs[0])))
			r := u.act[0].express(in, add(in, xs[1], u.times(h, rs[1])))
			var c graph.Value
			if a.LinearBeforeReset {
				c = u.times(h, rs[2])
				if u.bias != nil {
					c = add(in, c, u.hold(parted(u.b, u.bias[1], 0, 3)[2]))
				}
				c = mul(in, r, c)
			} else {
				c = u.times(mul(in, r, h), rs[2])
			}
			c = u.act[1].express(in, add(in, xs[2], c))
			return []graph.Value{add(in, mul(in, sub(in, in.Scalar(in.DType(z), 1), z), c), mul(in, z, h))}
		})
}

func lowerLSTM(a *recurrentAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	return lowerRecurrent(a, b, n, 4, 2, []string{"Sigmoid", "Tanh", "Tanh"}, allBias,
		func(u *unroll, x graph.Value, old []graph.Value) []graph.Value {
			h, c, in := old[0], old[1], u.in
			f, g, hh := u.act[0], u.act[1], u.act[2].unclipped()
			z := parted(in, add(in, x, u.times(h, u.r)), 1, 4)
			peep := func(z graph.Value, k int, c graph.Value) graph.Value {
				if u.peep == 0 {
					return z
				}
				return add(in, z, mul(in, u.hold(parted(u.b, u.peep, 0, 3)[k]), c))
			}
			i := f.express(in, peep(z[0], 0, c))
			forget := graph.Value(0)
			if a.InputForget {
				forget = sub(in, in.Scalar(in.DType(i), 1), i)
			} else {
				forget = f.express(in, peep(z[2], 2, c))
			}
			next := add(in, mul(in, forget, c), mul(in, i, g.express(in, z[3])))
			o := f.express(in, peep(z[1], 1, next))
			return []graph.Value{mul(in, o, hh.express(in, next)), next}
		})
}
