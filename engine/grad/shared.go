package grad

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// norm2 is the squared norm of the gradient of each example by the parameter p, from the uses of p and of what is made of it, which are
// among all; 0 when there is no use.
func (s *sweep) norm2(forward []*graph.Node, p graph.Value, all []graph.Value) (graph.Value, error) {
	m := newMaking(s.g, forward, p, s.params)
	var from []graph.Value // p, or made of it, and used
	uses := 0
	for _, v := range all {
		if m.of[v] && len(s.example[v]) > 0 {
			from = append(from, v)
			uses += len(s.example[v])
		}
	}
	switch {
	case uses == 0:
		return 0, nil
	case uses == 1 && m.moved[from[0]]: // the same numbers in another order
		u := s.example[from[0]][0]
		if u.pe.Norm2 != 0 {
			return u.pe.Norm2, nil
		}
		return ops.RowSumSquares(s.b, u.pe.Grad), nil
	}
	if sides := s.sides(m, from); sides != nil {
		return s.b.Add(ops.SharedNorm2, nil, append([]graph.Value{p}, sides...)...), s.b.Err()
	}
	var sum graph.Value
	for _, v := range from {
		var own graph.Value
		for _, u := range s.example[v] {
			g := u.pe.Grad
			if g == 0 {
				return 0, fmt.Errorf("grad: parameter %q is used several times and %s gives no per-example gradient: %w", s.g.Info(p).Name,
					u.node.Label(), errors.ErrUnsupported)
			}
			own = s.plus(own, g)
		}
		if v != p {
			var err error
			if own, err = s.back(m, v, own); err != nil {
				return 0, fmt.Errorf("grad: parameter %q: %w", s.g.Info(p).Name, err)
			}
		}
		sum = s.plus(sum, own)
	}
	return ops.RowSumSquares(s.b, sum), s.b.Err()
}

func (s *sweep) plus(x, y graph.Value) graph.Value {
	if x == 0 {
		return y
	}
	return s.b.Add(ops.Add, nil, x, y)
}

// sides are left and right of all uses of a matrix, by pairs, where every use is of that form and is of the matrix or its transpose; else
// nil.
func (s *sweep) sides(m *making, from []graph.Value) []graph.Value {
	var out []graph.Value
	for _, v := range from {
		turned, ok := m.turned[v]
		if !ok {
			return nil
		}
		for _, u := range s.example[v] {
			if u.pe.Left == 0 {
				return nil
			}
			if turned {
				out = append(out, u.pe.Right, u.pe.Left)
			} else {
				out = append(out, u.pe.Left, u.pe.Right)
			}
		}
	}
	return out
}

// making is how values are made of a parameter.
type making struct {
	p      graph.Value
	nodes  []*graph.Node        // that make them
	of     map[graph.Value]bool // p and what is made of it
	moved  map[graph.Value]bool // those that have its numbers in another order or shape
	turned map[graph.Value]bool // those that are p (false) or its transpose (true)
}

func newMaking(g *graph.Graph, forward []*graph.Node, p graph.Value, among map[graph.Value]bool) *making {
	m := &making{p: p, of: map[graph.Value]bool{p: true}, moved: map[graph.Value]bool{p: true}, turned: map[graph.Value]bool{p: false}}
	matrix := g.Info(p).Data != nil && g.Info(p).Data.Rank() == 2
	for _, n := range forward {
		if !slices.ContainsFunc(n.In, func(v graph.Value) bool { return m.of[v] }) {
			continue
		}
		made := false
		for _, y := range n.Out {
			if y != 0 && among[y] {
				m.of[y], made = true, true
			}
		}
		if !made {
			continue
		}
		m.nodes = append(m.nodes, n)
		x := n.In[0]
		if m.moved[x] && (n.Op == ops.Transpose || n.Op.View) {
			m.moved[n.Out[0]] = true
		}
		if turned, ok := m.turned[x]; ok && matrix && (n.Op == ops.Transpose && ops.Turns(n) || n.Op == ops.Identity) {
			m.turned[n.Out[0]] = turned != (n.Op == ops.Transpose)
		}
	}
	return m
}

// back takes d [N, shape of v], gradients by v, to gradients by the parameter of m: a Scan over the examples, whose body goes back through
// what makes v.
func (s *sweep) back(m *making, v, d graph.Value) (graph.Value, error) {
	body := graph.New("body")
	in := body.AddInput("gradient", s.g.Info(v).DType, nil)
	b := graph.NewBuilder(body)
	var captured []graph.Value
	inner := map[graph.Value]graph.Value{}
	at := func(x graph.Value) graph.Value {
		if x == 0 || inner[x] != 0 {
			return inner[x]
		}
		inner[x] = body.AddInput(s.g.Info(x).Name, s.g.Info(x).DType, nil)
		captured = append(captured, x)
		return inner[x]
	}
	p := at(m.p)
	needed := map[graph.Value]bool{v: true}
	var path []*graph.Node
	for _, n := range slices.Backward(m.nodes) {
		if slices.ContainsFunc(n.Out, func(y graph.Value) bool { return y != 0 && needed[y] }) {
			path = append(path, n)
			for _, x := range n.In {
				needed[x] = true
			}
		}
	}
	for _, n := range slices.Backward(path) {
		if len(n.Bodies) > 0 {
			return 0, fmt.Errorf("%s stands between it and its use: %w", n.Label(), errors.ErrUnsupported)
		}
		args, want := make([]graph.Value, len(n.In)), make([]bool, len(n.Out))
		for i, x := range n.In {
			args[i] = at(x)
		}
		for i, y := range n.Out {
			want[i] = y != 0
		}
		c := b.AddNode(n.Name, n.Op, n.Attrs, args, want)
		if c == nil {
			return 0, b.Err()
		}
		c.Opset = n.Opset
		for i, y := range n.Out {
			if y != 0 {
				inner[y] = c.Out[i]
			}
		}
	}
	ds, err := Reverse(body, []Seed{{inner[v], in}}, []graph.Value{p}, Options{Override: s.o.Override})
	if err != nil {
		return 0, err
	}
	if ds[0] == 0 {
		return ops.Fill(s.b, d, 0), nil
	}
	body.Outputs = []graph.Value{ds[0]}
	n := s.b.AddControl("", ops.Scan, ops.ScanOver(1), []graph.Value{d}, []bool{true},
		[]*graph.Body{{Attr: "body", G: body, Formals: 1}}, captured)
	if n == nil {
		return 0, s.b.Err()
	}
	return n.Out[0], nil
}
