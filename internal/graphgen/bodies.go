package graphgen

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// body makes a body that captures some values of m and all its conditions. The values come after formals, which it has already.
func (m *maker) body(formals []val, b *graph.Builder) *maker {
	in := &maker{r: m.r, o: m.o, b: b, vals: formals, depth: m.depth - 1, outer: m}
	for range 1 + m.r.IntN(3) {
		v, _ := m.pick(anyShape)
		in.push(in.capture(v.v, tensor.Float32), v.shape...)
	}
	for _, c := range m.conds {
		in.conds = append(in.conds, in.capture(c, tensor.Bool))
	}
	return in
}

// branch is an If on the condition whose branches compute different things of one shape.
func (m *maker) branch() bool {
	if m.depth == 0 {
		return false
	}
	x, _ := m.pick(anyShape)
	var bodies []*graph.Body
	var captured []graph.Value
	for _, attr := range []string{"then_branch", "else_branch"} {
		g := graph.New(attr)
		b := graph.NewBuilder(g)
		in := m.body(nil, b)
		in.push(in.capture(x.v, tensor.Float32), x.shape...)
		for range m.r.IntN(4) {
			in.step()
		}
		last, _ := in.pick(like(x.shape))
		g.Outputs = []graph.Value{last.v}
		m.b.Fail(b.Err())
		bodies = append(bodies, &graph.Body{Attr: attr, G: g})
		captured = append(captured, in.captured...)
	}
	n := m.b.AddControl(fmt.Sprintf("if%d", len(m.vals)), ops.If, nil, m.conds[:1], []bool{true}, bodies, captured)
	if n != nil {
		m.push(n.Out[0], x.shape...)
	}
	return true
}

// loop is a Loop of some trips with one state, and what it had in each trip, summed.
func (m *maker) loop() bool {
	if m.depth == 0 {
		return false
	}
	x, _ := m.pick(anyShape)
	g := graph.New("body")
	b := graph.NewBuilder(g)
	g.AddInput("i", tensor.Int64, nil)
	cond := g.AddInput("go", tensor.Bool, nil)
	state := val{g.AddInput("s", tensor.Float32, nil), x.shape}
	in := m.body([]val{state}, b)
	for range 1 + m.r.IntN(3) {
		in.step()
	}
	next, _ := in.pick(like(x.shape))
	s := b.Add(ops.Tanh, nil, b.Add(ops.Add, nil, next.v, state.v))
	g.Outputs = []graph.Value{b.Add(ops.Identity, nil, cond), s, b.Add(ops.Neg, nil, s)}
	m.b.Fail(b.Err())
	trips := m.r.IntN(5)
	outs := []bool{true, trips > 0} // of no trip, nobody knows the shape of what is stacked
	n := m.b.AddControl(fmt.Sprintf("loop%d", len(m.vals)), ops.Loop, nil, []graph.Value{m.b.Const(tensor.Scalar(int64(trips))), 0, x.v},
		outs,
		[]*graph.Body{{Attr: "body", G: g, Formals: 3}}, in.captured)
	if n != nil {
		m.push(n.Out[0], x.shape...)
	}
	if n != nil && trips > 0 {
		m.push(m.add(ops.ReduceSum, graph.Attrs{"keepdims": int64(0)}, n.Out[1], m.b.Ints(0)), x.shape...)
	}
	return true
}

// computedShape reshapes to what is the shape of the value, in a way that only a run can tell.
func (m *maker) computedShape() bool {
	if !m.o.Dynamic || len(m.conds) == 0 {
		return false
	}
	x, _ := m.pick(anyShape)
	zero := m.add(ops.Cast, graph.Attrs{"to": int64(tensor.Int64)}, m.conds[0])
	zero = m.b.Add(ops.Sub, nil, zero, zero)
	m.push(m.b.Add(ops.Reshape, nil, x.v, m.b.Add(ops.Add, nil, m.b.Add(ops.Shape, nil, x.v), zero)), x.shape...)
	return true
}
