package explain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// tracedRows is the batch that values are traced for: with two rows the axis of the batch shows.
const tracedRows = 2

// trace knows the shape of every value of a graph for n rows, and of which row and place of the explained input each of its elements is
// made.
type trace struct {
	g      *graph.Graph
	n      int
	shapes []tensor.Shape // by value, nil where only a run can tell
	values []*tensor.Tensor
	coords map[graph.Value]ops.Coords // the row, then the axes that are followed; nil for what does not come from an input
	flows  map[*graph.Node][]ops.Flow // of what has coordinates
	mixing []*graph.Node              // nodes that mix the rows
}

// newTrace infers the shapes for inputs of the given shapes, in the order of g.Inputs. Where some are left that only a run can tell, what
// the parameters hold is taken into account: a file may keep one tensor for a weight and a size.
func newTrace(g *graph.Graph, inputs []tensor.Shape, n int) (*trace, error) {
	t := &trace{g: g, n: n}
	var err error
	if t.shapes, t.values, err = exec.Shapes(g, inputs); err != nil ||
		!slices.ContainsFunc(g.Outputs, func(v graph.Value) bool { return t.shapes[v] == nil }) {
		return t, err
	}
	fixed := g.Clone()
	for _, in := range fixed.Values {
		if in.Kind == graph.Parameter {
			in.Kind = graph.Constant
		}
	}
	t.shapes, t.values, err = exec.Shapes(fixed, inputs)
	return t, err
}

// follow carries the row and the places along axes of the value source through the graph. rows are the axes of rows of the
// inputs that have one. It stops before the first node that stop wants, nil for none.
func (t *trace) follow(source graph.Value, axes []int, rows map[graph.Value]int,
	stop func(n *graph.Node, in []ops.Coords, out []ops.Coords) bool) {
	t.mixing = nil
	t.coords, t.flows = map[graph.Value]ops.Coords{}, map[*graph.Node][]ops.Flow{}
	begin := func(v graph.Value, axes []int) {
		s := t.shapes[v]
		cs := ops.Coords{steps(len(s), rows[v], s[rows[v]])}
		for _, a := range axes {
			if a < 0 {
				cs = append(cs, ops.Coord{Shape: slices.Repeat(tensor.Shape{1}, len(s)), X: []float32{nan}})
			} else {
				cs = append(cs, steps(len(s), a, s[a]))
			}
		}
		t.coords[v] = cs
	}
	for _, v := range t.g.Inputs {
		if k, ok := rows[v]; ok && v != source && len(t.shapes[v]) > k {
			begin(v, slices.Repeat([]int{-1}, len(axes)))
		}
	}
	begin(source, axes)
	for _, n := range t.g.Nodes {
		in := make([]ops.Coords, len(n.In))
		shapes, values := make([]tensor.Shape, len(n.In)), make([]*tensor.Tensor, len(n.In))
		any := false
		for i, v := range n.In {
			if v == 0 {
				continue
			}
			shapes[i], values[i] = t.shapes[v], t.values[v]
			if t.values[v] == nil {
				in[i] = t.coords[v]
				any = any || in[i] != nil
			}
		}
		if !any || slices.Contains(n.Out, source) {
			continue
		}
		out := make([]tensor.Shape, len(n.Out))
		known := true
		for o, v := range n.Out {
			if v != 0 {
				out[o] = t.shapes[v]
				known = known && (out[o] != nil || t.values[v] != nil)
			}
		}
		cs, flow, ok := ops.Follow(n, in, shapes, values, out)
		rows := func(c ops.Coords) bool { return c != nil && c[0].Varies() }
		if ok && known && slices.ContainsFunc(in, rows) && !slices.ContainsFunc(cs, rows) {
			t.mixing = append(t.mixing, n)
		}
		if stop != nil && stop(n, in, cs) {
			return
		}
		t.flows[n] = flow
		for o, v := range n.Out {
			if v != 0 && t.values[v] == nil && known {
				t.coords[v] = cs[o]
			}
		}
	}
}

// steps is 0, 1, 2 … along axis a of a value of rank r.
func steps(r, a, n int) ops.Coord {
	s := slices.Repeat(tensor.Shape{1}, r)
	s[a] = n
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i)
	}
	return ops.Coord{Shape: s, X: x}
}

// places are the coordinates of v along the axes that are followed; nil when it has none.
func (t *trace) places(v graph.Value) ops.Coords {
	c := t.coords[v]
	if len(c) == 0 {
		return nil
	}
	return c[1:]
}

// describe is the element type and shape of v, for example float32[N,4420,2].
func (t *trace) describe(v graph.Value) string {
	var d []string
	for k, n := range t.shapes[v] {
		if k == 0 && n == t.n {
			d = append(d, "N")
		} else {
			d = append(d, strconv.Itoa(n))
		}
	}
	return fmt.Sprintf("%v[%s]", t.g.Info(v).DType, strings.Join(d, ","))
}
