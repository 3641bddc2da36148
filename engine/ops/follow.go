package ops

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Flow says how far an input of a node reaches in its outputs.
type Flow uint8

// The flows. The gradient by an input at one place comes, for Along, from the output at that place, if the two agree in their
// coordinates; for Moved from the outputs that it was copied or pooled to; for Across from all places.
const (
	Along Flow = iota
	Moved
	Across
)

// Follow carries coordinates through n: those of its outputs from those of its inputs, and how each input reaches the outputs. in is nil
// where an input does not come from the model's input; shapes and values are what shape inference knows of the inputs, out the shapes of
// the outputs. The first coordinate is the row of the batch. known is false where nothing is known of the operator.
//
// Operators that move elements are run on coordinates. What scans positions with a window spreads its positions evenly over the extent of
// its input. A product, a sum or a mean has the middle of the places that it was made of, and none when it was made of all alike: the
// rows of an attention matrix are those of the queries. Everything else works element by element. What is not known comes from no place
// in particular.
func Follow(n *graph.Node, in []Coords, shapes []tensor.Shape, values []*tensor.Tensor, out []tensor.Shape) (outs []Coords, flow []Flow,
	known bool) {
	f := &follower{n: n, in: in, shapes: shapes, values: values, out: out, outs: make([]Coords, len(n.Out)), flow: make([]Flow, len(n.In))}
	for _, c := range in {
		f.k = max(f.k, len(c))
	}
	ready := f.k > 0 && len(n.Bodies) == 0
	for i, v := range n.Out {
		ready = ready && (v == 0 || out[i] != nil && out[i].Len() > 0)
	}
	for i, c := range in {
		ready = ready && (c == nil || shapes[i] != nil && shapes[i].Len() > 0)
	}
	if known = ready && f.rule()(f); !known {
		f.unknown()
	}
	return f.outs, f.flow, known
}

// follower is one step of Follow.
type follower struct {
	n      *graph.Node
	in     []Coords
	shapes []tensor.Shape
	values []*tensor.Tensor
	out    []tensor.Shape
	outs   []Coords
	flow   []Flow
	k      int // how many coordinates there are
}

// rule is how coordinates go through the node: by its name, else by the role of its operator, else element by element. A rule returns
// false when it cannot tell.
func (f *follower) rule() func(*follower) bool {
	op := f.n.Op
	named, ok := followRules[op.Name]
	switch {
	case op.View:
		return (*follower).view
	case op == FusedAttention:
		return (*follower).attention
	case op.Domain == "ai.onnx.ml" && op.Role != graph.Activation:
		return (*follower).rows
	case op.Domain != "":
		return (*follower).pointwise
	case ok:
		return named
	}
	switch op.Role {
	case graph.Move:
		return (*follower).move
	case graph.Pool:
		return (*follower).pool
	case graph.Reduction:
		return (*follower).reduce
	case graph.Recurrent:
		return (*follower).recur
	case graph.Control:
		return (*follower).refuse
	}
	return (*follower).pointwise
}

var followRules = map[string]func(*follower) bool{
	"Transpose": (*follower).transpose, "Concat": (*follower).concat, "Pad": (*follower).pad,
	"Gather": (*follower).gather, "Expand": (*follower).pointwise,
	"DepthToSpace": (*follower).pool, "SpaceToDepth": (*follower).pool,
	"Conv": (*follower).conv, "ConvTranspose": (*follower).conv, "MatMul": (*follower).matmul, "Gemm": (*follower).gemm,
	"ArgMax": (*follower).reduce, "ArgMin": (*follower).reduce,
	"TopK": (*follower).refuse, "NonZero": (*follower).refuse, "Col2Im": (*follower).refuse, "AffineGrid": (*follower).refuse,
	"RoiAlign": (*follower).refuse, "MaxRoiPool": (*follower).refuse, "NonMaxSuppression": (*follower).refuse,
	"GridSample": (*follower).sampled, "DeformConv": (*follower).deformed,
	"ConvInteger": (*follower).conv, "MatMulInteger": (*follower).matmul,
	"QLinearConv": (*follower).refuse, "QLinearMatMul": (*follower).refuse,
	"SoftmaxCrossEntropyLoss": (*follower).refuse, "NegativeLogLikelihoodLoss": (*follower).refuse,
}

func (f *follower) refuse() bool { return false }

// rows keeps the coordinates of rows, of which everything else is made of all columns.
func (f *follower) rows() bool {
	done := false
	for o, s := range f.out {
		f.outs[o] = make(Coords, f.k)
		for k := range f.k {
			f.outs[o][k] = nowhere(len(s))
			for _, in := range f.in {
				if in == nil {
					continue
				}
				if c := in[k]; len(s) > 0 && len(c.Shape) > 0 && c.Shape[0] == s[0] && c.Shape[1:].Len() == 1 {
					f.outs[o][k] = Coord{append(tensor.Shape{s[0]}, slices.Repeat(tensor.Shape{1}, len(s)-1)...), c.X}
					done = true
				}
			}
		}
	}
	return done
}

// unknown makes outputs that come from no place in particular, to which every input reaches.
func (f *follower) unknown() {
	for i := range f.outs {
		f.outs[i] = nil
		if f.k == 0 {
			continue
		}
		for range f.k {
			f.outs[i] = append(f.outs[i], nowhere(len(f.out[i])))
		}
	}
	for i := range f.flow {
		f.flow[i] = Across
	}
}

// each sets output o, coordinate by coordinate, from that of input i.
func (f *follower) each(o, i int, g func(c Coord) Coord) {
	f.outs[o] = make(Coords, f.k)
	for k, c := range f.in[i] {
		f.outs[o][k] = g(c)
	}
}

// pointwise is the rule of operators that work element by element, with broadcasting, and of normalisations, which keep the shape: each
// element is where the operand with the most places has it.
func (f *follower) pointwise() bool {
	done := false
	for o, s := range f.out {
		if f.n.Out[o] == 0 {
			continue
		}
		f.outs[o] = make(Coords, f.k)
		for k := range f.outs[o] {
			best := nowhere(len(s))
			for i, in := range f.in {
				if in == nil {
					continue
				}
				if b, err := broadcast(f.shapes[i], s); err != nil || !b.Equal(s) {
					continue
				}
				done = true
				if c := in[k]; c.better(best) {
					best = Coord{append(slices.Repeat(tensor.Shape{1}, len(s)-len(c.Shape)), c.Shape...), c.X}
				}
			}
			f.outs[o][k] = best
		}
	}
	return done
}

func (f *follower) view() bool {
	if f.in[0] == nil || f.shapes[0].Len() != f.out[0].Len() {
		return false
	}
	f.flow[0] = Moved
	f.each(0, 0, func(c Coord) Coord { return c.reshaped(f.shapes[0], f.out[0]) })
	return true
}

func (f *follower) transpose() bool {
	perm, err := f.n.Attrs.(*transposeAttrs).perm(len(f.shapes[0]))
	if err != nil {
		return false
	}
	f.flow[0] = Moved
	f.each(0, 0, func(c Coord) Coord { return c.permuted(perm) })
	return true
}

// concat joins along an axis. Channels joined to channels lie over each other, whatever rounding or cropping made of their places; tokens
// joined to tokens keep their own.
func (f *follower) concat() bool {
	var at int
	switch a := f.n.Attrs.(type) {
	case *concatAttrs:
		at = a.Axis
	case *concatOldAttrs:
		at = a.Axis
	}
	ax, err := axis(at, len(f.out[0]))
	if err != nil {
		return false
	}
	f.outs[0] = make(Coords, f.k)
	for k := range f.k {
		f.outs[0][k] = f.joined(k, ax)
	}
	for i := range f.flow {
		f.flow[i] = Moved
	}
	return true
}

func (f *follower) joined(k, ax int) Coord {
	var first Coord
	over := true // the places of all parts that have any are spread over other axes
	for _, in := range f.in {
		if in == nil || !in[k].Known() {
			continue
		}
		c := in[k]
		if first.X == nil {
			first = c
		}
		over = over && c.Shape[ax] == 1 && (c.Varies() || c.Same(first))
	}
	if first.X == nil {
		return nowhere(len(f.out[0]))
	}
	if over {
		return first
	}
	joint := slices.Repeat(tensor.Shape{1}, len(f.out[0]))
	for _, in := range f.in {
		if in != nil {
			joint, _ = broadcast(joint, append(append(slices.Clone(in[k].Shape[:ax]), 1), in[k].Shape[ax+1:]...))
		}
	}
	outer, inner := product(joint[:ax]), product(joint[ax+1:])
	joint[ax] = f.out[0][ax]
	x := make([]float32, joint.Len())
	from := 0
	for i, in := range f.in {
		n := f.shapes[i][ax]
		part := slices.Clone(joint)
		part[ax] = n
		c := nowhere(len(part))
		if in != nil {
			c = in[k]
		}
		for o, y := range chunks(c.Expand(part), outer) {
			copy(x[(o*joint[ax]+from)*inner:], y)
		}
		from += n
	}
	return shrunk(joint, x)
}

// chunks yields n equal parts of x.
func chunks(x []float32, n int) func(func(int, []float32) bool) {
	return func(yield func(int, []float32) bool) {
		k := len(x) / n
		for i := range n {
			if !yield(i, x[i*k:(i+1)*k]) {
				return
			}
		}
	}
}

// move runs the node itself on coordinates.
func (f *follower) move() bool { return f.run(f.n.Op, f.n.Attrs, f.n.NumIn) }

// pad is move with nothing in the border, whatever the mode.
func (f *follower) pad() bool {
	switch a := f.n.Attrs.(type) {
	case *pad2Attrs:
		return f.run(f.n.Op, &pad2Attrs{Mode: "constant", Pads: a.Pads}, 1)
	case *pad1Attrs:
		return f.run(f.n.Op, &pad1Attrs{Mode: "constant", Pads: a.Pads}, 1)
	}
	if f.n.NumIn > 2 && f.n.In[2] != 0 {
		f.values = slices.Clone(f.values)
		f.values[2] = tensor.Scalar(float32(0))
	}
	return f.run(f.n.Op, &padAttrs{Mode: "constant"}, f.n.NumIn)
}

// gather is a look-up by index: the index says where an embedding comes from, the data where a selected element does.
func (f *follower) gather() bool {
	ax, err := axis(f.n.Attrs.(*gatherAttrs).Axis, len(f.shapes[0]))
	if err != nil || f.in[0] != nil && f.in[1] != nil || f.in[1] == nil && f.values[1] == nil {
		return false
	}
	if f.in[1] != nil {
		f.flow[1] = Moved
		f.each(0, 1, func(c Coord) Coord {
			s := append(slices.Repeat(tensor.Shape{1}, ax), c.Shape...)
			return Coord{append(s, slices.Repeat(tensor.Shape{1}, len(f.shapes[0])-ax-1)...), c.X}
		})
		return true
	}
	index, err := indicesIn(f.values[1], f.shapes[0][ax])
	if err != nil {
		return false
	}
	f.flow[0] = Moved
	f.each(0, 0, func(c Coord) Coord {
		outer, n, inner := around(c.Shape, ax)
		taken, at := slices.Clone(f.values[1].Shape()), index
		if n == 1 {
			taken, at = slices.Repeat(tensor.Shape{1}, len(taken)), []int{0}
		}
		x := make([]float32, 0, outer*len(at)*inner)
		for o := range outer {
			for _, i := range at {
				x = append(x, c.X[(o*n+i)*inner:(o*n+i+1)*inner]...)
			}
		}
		return shrunk(slices.Concat(c.Shape[:ax], taken, c.Shape[ax+1:]), x)
	})
	return true
}

// run evaluates op with each coordinate in the place of the inputs that have them. What an operator fills in itself is 0, so coordinates
// are shifted by one and 0 is no place.
func (f *follower) run(op *graph.Spec, attrs any, numIn int) bool {
	several := 0
	for i := range f.n.In[:numIn] {
		switch {
		case f.in[i] != nil:
			several++
		case f.n.In[i] != 0 && f.values[i] == nil:
			return false
		}
	}
	for o := range f.outs {
		f.outs[o] = make(Coords, f.k)
	}
	for k := range f.k {
		// Axes that keep their extent are left out where the coordinate does not depend on them, if the operator agrees.
		narrow := f.shapes[0]
		if several == 1 && f.in[0] != nil && len(f.out[0]) == len(narrow) {
			narrow = slices.Clone(narrow)
			for a, d := range f.in[0][k].Shape {
				if d == 1 && f.out[0][a] == narrow[a] {
					narrow[a] = 1
				}
			}
		}
		if !f.evaluate(k, op, attrs, numIn, narrow) && (narrow.Equal(f.shapes[0]) || !f.evaluate(k, op, attrs, numIn, f.shapes[0])) {
			return false
		}
	}
	for i := range f.flow {
		f.flow[i] = Moved
	}
	return true
}

// evaluate is run for coordinate k, with input 0 of shape first.
func (f *follower) evaluate(k int, op *graph.Spec, attrs any, numIn int, first tensor.Shape) bool {
	g := graph.New("")
	b := graph.NewBuilder(g)
	in, ts := make([]graph.Value, numIn), make([]*tensor.Tensor, numIn)
	for i := range in {
		s := f.shapes[i]
		if i == 0 {
			s = first
		}
		switch {
		case f.n.In[i] == 0:
			continue
		case f.in[i] != nil:
			x := f.in[i][k].Expand(s)
			for j, v := range x {
				if isNaN(v) {
					x[j] = 0
				} else {
					x[j] = v + 1
				}
			}
			ts[i] = tensor.From(x, s...)
		case f.n.Op.FormalIn(i).NoGrad:
			ts[i] = f.values[i]
		default:
			ts[i] = tensor.New(tensor.Float32, s...)
		}
		in[i] = g.AddConst("", ts[i])
	}
	want := make([]bool, len(f.n.Out))
	for o, v := range f.n.Out {
		want[o] = v != 0
	}
	n := b.AddNode("", op, attrs, in, want)
	if n == nil {
		return false
	}
	ys, err := graph.Evaluate(g, n, ts)
	if err != nil {
		return false
	}
	for o, y := range ys {
		if f.n.Out[o] == 0 {
			continue
		}
		for a, d := range y.Shape() {
			if len(f.out[o]) != y.Rank() || d != f.out[o][a] && (d != 1 || first[a] == f.shapes[0][a]) {
				return false
			}
		}
		x := slices.Clone(y.F32())
		for j, v := range x {
			if v == 0 {
				x[j] = nan32
			} else {
				x[j] = v - 1
			}
		}
		f.outs[o][k] = shrunk(y.Shape(), x)
	}
	return true
}
