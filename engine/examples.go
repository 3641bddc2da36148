package engine

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// The batches with which examples are looked for: sizes that other axes rarely have.
const someExamples, otherExamples = 7, 11

// examples finds where the examples of a batch lie in the values of g, the forward graph with a loss: shapes are inferred for a batch, and
// the number of the example is followed from the inputs through the nodes. nil when nothing can be told.
func (m *Model) examples(g *graph.Graph) *grad.Examples {
	n, free := someExamples, m.batch.fixed == 0 || m.Batch() == 0
	if !free {
		n = m.batch.fixed
	}
	if n < 2 || len(m.inputs) == 0 {
		return nil
	}
	shapes, values := m.shapesOf(g, n, free)
	ex := &grad.Examples{Rows: map[graph.Value]ops.Rows{}}
	coords := make([]ops.Coords, g.NumValues())
	for i, in := range m.inputs {
		v := g.Inputs[i]
		k := m.BatchAxis(in.Name)
		if k < 0 || k >= len(shapes[v]) || shapes[v][k] != n {
			continue
		}
		if ex.Of == 0 {
			ex.Of, ex.Axis = v, k
		}
		coords[v] = ops.Coords{ops.CountAlong(len(shapes[v]), k, n)}
	}
	if ex.Of == 0 {
		return nil
	}
	for _, nd := range g.Nodes {
		follow(nd, coords, shapes, values)
	}
	for v, c := range coords {
		if len(c) == 0 || !c[0].Known() {
			continue
		}
		r, ok := ops.RowsOf(c[0], n)
		if !ok {
			r.Axis = -1
		}
		ex.Rows[graph.Value(v)] = r
	}
	if free {
		others, theirs := m.shapesOf(g, otherExamples, true)
		ex.Alone = alone(g, shapes, others, values, theirs)
		for v := range g.Values {
			r, ok := grown(shapes[v], others[v])
			if _, known := ex.Rows[v]; known || !ok || values[v] != nil {
				continue
			}
			if coords[v] != nil && r.Several { // of which of them each element is, is not known
				r.Axis = -1
			}
			ex.Rows[v] = r // else repeated for each example, or one index for each
		}
	}
	return ex
}

// grown is the axis that has the examples in a value of shape s, and of shape t for another number of them.
func grown(s, t tensor.Shape) (r ops.Rows, ok bool) {
	if len(s) != len(t) {
		return r, false
	}
	for k, d := range s {
		if d == t[k] {
			continue
		}
		if ok || d%someExamples != 0 || d/someExamples*otherExamples != t[k] {
			return r, false
		}
		r, ok = ops.Rows{Axis: k, Several: d > someExamples}, true
	}
	return r, ok
}

// shapesOf infers the shapes in g for a batch of n, as far as that goes.
func (m *Model) shapesOf(g *graph.Graph, n int, free bool) ([]tensor.Shape, []*tensor.Tensor) {
	in := m.inferable(n, free)
	for range len(g.Inputs) - len(in) { // labels
		in = append(in, tensor.Shape{n})
	}
	shapes, values, _ := exec.Shapes(g, in)
	return shapes, values
}

// follow sets the coordinates of the outputs of n.
func follow(n *graph.Node, coords []ops.Coords, shapes []tensor.Shape, values []*tensor.Tensor) {
	in := make([]ops.Coords, len(n.In))
	is, iv, out := make([]tensor.Shape, len(n.In)), make([]*tensor.Tensor, len(n.In)), make([]tensor.Shape, len(n.Out))
	any := false
	for i, v := range n.In {
		if v == 0 {
			continue
		}
		if is[i], iv[i] = shapes[v], values[v]; iv[i] == nil {
			in[i] = coords[v]
			any = any || in[i] != nil
		}
	}
	if !any {
		return
	}
	for o, v := range n.Out {
		if v != 0 {
			if out[o] = shapes[v]; out[o] == nil {
				return
			}
		}
	}
	cs, _, _ := ops.Follow(n, in, is, iv, out)
	for o, v := range n.Out {
		if v != 0 && values[v] == nil {
			coords[v] = cs[o]
		}
	}
}

// alone tells which values are the same for every batch: their content comes from no input, at most from extents, and for another number of
// examples they have the same shape and, where planning knows it, the same content.
func alone(g *graph.Graph, shapes, others []tensor.Shape, values, theirs []*tensor.Tensor) func(graph.Value) bool {
	same := make([]bool, g.NumValues())
	for v, i := range g.Values {
		same[v] = i.Kind == graph.Constant || i.Kind == graph.Parameter
	}
	for _, n := range g.Nodes {
		content := n.In
		if n.Op.View { // the others say a shape
			content = n.In[:1]
		}
		all := !slices.ContainsFunc(content, func(v graph.Value) bool { return v != 0 && !same[v] })
		for _, v := range n.Out {
			if v == 0 || shapes[v] == nil || others[v] == nil || !shapes[v].Equal(others[v]) {
				continue
			}
			if x, y := values[v], theirs[v]; x != nil && y != nil {
				same[v] = string(x.Bytes()) == string(y.Bytes()) && slices.Equal(x.Strings(), y.Strings())
			} else {
				same[v] = all
			}
		}
	}
	return func(v graph.Value) bool { return same[v] }
}
