package engine

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// use is a place where a value is read: input in of node n of graph g.
type use struct {
	g  *graph.Graph
	n  *graph.Node
	in int
}

// formal describes the input that u is; nil when the operator has none there.
func (u use) formal() *graph.Formal { return u.n.Op.FormalIn(u.in) }

// other is the other operand of a node of two, 0 when there are more or fewer.
func (u use) other() graph.Value {
	if u.n.NumIn != 2 || u.in > 1 {
		return 0
	}
	return u.n.In[1-u.in]
}

// readers finds where values are read, in bodies too, and what values show. It remembers what it found of each graph, which must not change
// meanwhile.
type readers struct {
	reads   map[*graph.Graph]map[graph.Value][]use
	outputs map[*graph.Graph]map[graph.Value]bool
	sources map[*graph.Graph][]graph.Value
	shapes  map[place]tensor.Shape // of constants seen through views
}

// place is a value of a graph.
type place struct {
	g *graph.Graph
	v graph.Value
}

func newReaders() *readers {
	return &readers{map[*graph.Graph]map[graph.Value][]use{}, map[*graph.Graph]map[graph.Value]bool{}, map[*graph.Graph][]graph.Value{},
		map[place]tensor.Shape{}}
}

// direct are the reads of v of g: inputs of nodes, and inside the bodies that capture v.
func (r *readers) direct(g *graph.Graph, v graph.Value) []use {
	all := r.reads[g]
	if all == nil {
		all = map[graph.Value][]use{}
		for _, n := range g.Nodes {
			for i, x := range n.In[:n.NumIn] {
				if x != 0 {
					all[x] = append(all[x], use{g, n, i})
				}
			}
			for k, b := range n.Bodies {
				for i, x := range n.Captured(k) {
					all[x] = append(all[x], r.direct(b.G, b.G.Inputs[b.Formals+i])...)
				}
			}
		}
		r.reads[g] = all
	}
	return all[v]
}

// output reports whether v is an output of g.
func (r *readers) output(g *graph.Graph, v graph.Value) bool {
	all := r.outputs[g]
	if all == nil {
		all = make(map[graph.Value]bool, len(g.Outputs))
		for _, o := range g.Outputs {
			all[o] = true
		}
		r.outputs[g] = all
	}
	return all[v]
}

// ends are the reads of v, seen through views: where a weight that is transposed, reshaped or cast is used in the end. An end that is an
// output of g has no node.
func (r *readers) ends(g *graph.Graph, v graph.Value) []use {
	type step struct {
		use
		view place // that is to be looked through, unless it is zero
	}
	var out []use
	for todo := []step{{view: place{g, v}}}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if s.view.g == nil {
			out = append(out, s.use)
			continue
		}
		if r.output(s.view.g, s.view.v) {
			out = append(out, use{g: s.view.g})
		}
		for _, u := range slices.Backward(r.direct(s.view.g, s.view.v)) {
			if u.n.Op.Role == graph.View && u.in == 0 && len(u.n.Out) > 0 {
				todo = append(todo, step{view: place{u.g, u.n.Out[0]}})
			} else {
				todo = append(todo, step{use: u})
			}
		}
	}
	return out
}

// source is what v of g shows, seen back through views.
func (r *readers) source(g *graph.Graph, v graph.Value) graph.Value {
	all := r.sources[g]
	if all == nil {
		all = make([]graph.Value, g.NumValues())
		for i := range all {
			all[i] = graph.Value(i)
		}
		for _, n := range g.Nodes {
			if n.Op.Role != graph.View {
				continue
			}
			for _, o := range n.Out {
				all[o] = all[n.In[0]]
			}
		}
		all[0] = 0
		r.sources[g] = all
	}
	return all[v]
}

// constShape is the shape of v, which shows a constant or parameter through views; nil where it cannot be inferred.
func (r *readers) constShape(g *graph.Graph, v graph.Value) tensor.Shape {
	in := g.Info(v)
	if in.Data != nil {
		return in.Data.Shape()
	}
	n := in.Def
	if n == nil || n.Op.Role != graph.View {
		return nil
	}
	if s, known := r.shapes[place{g, v}]; known {
		return s
	}
	s := r.inferConst(g, n, in.Index)
	r.shapes[place{g, v}] = s
	return s
}

func (r *readers) inferConst(g *graph.Graph, n *graph.Node, out int) tensor.Shape {
	operands := make([]graph.Operand, n.NumIn)
	for i, x := range n.In[:n.NumIn] {
		if x == 0 {
			continue
		}
		s := r.constShape(g, x)
		if s == nil {
			return nil
		}
		operands[i] = graph.Operand{Present: true, DType: g.Info(x).DType, Shape: s, Value: g.Info(x).Data}
	}
	c := graph.NewInferCtx(n, operands, 1)
	if n.Op.Infer(n.Attrs, c) != nil {
		return nil
	}
	shapes, _, _ := c.Result()
	return shapes[out]
}
