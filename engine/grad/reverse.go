// Package grad derives graphs from graphs: gradients (Reverse), per-example gradient norms (PerExample) and
// Hessian-vector products (HVP). It adds nodes to the graph it is given; nothing is computed here.
package grad

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// Rule is a gradient rule for one node, of the form of graph.Def.Grad.
type Rule func(b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error)

// Options change how a graph is differentiated.
type Options struct {
	// Override returns the rule to use for n instead of the operator's own, or nil. Guided
	// backpropagation and LRP are overrides.
	Override func(n *graph.Node) Rule
	// Stop reports whether the gradient must not go through v to what v is computed from.
	Stop func(v graph.Value) bool
	// Examples says where the examples of a batch lie, for PerExample.
	Examples *Examples
}

// Seed is where a reverse sweep starts: DY, a value of Y's shape, is the gradient by Y of the scalar that is differentiated.
type Seed struct{ Y, DY graph.Value }

// Reverse adds to g the gradients of a scalar by wrt, given its gradients by the values of seeds, and returns them in the order of wrt.
// A result of 0 means that the scalar does not depend on the value.
func Reverse(g *graph.Graph, seeds []Seed, wrt []graph.Value, o Options) ([]graph.Value, error) {
	s := newSweep(g, o)
	if err := s.run(g.Nodes[:len(g.Nodes):len(g.Nodes)], seeds, wrt, nil); err != nil {
		return nil, err
	}
	out := make([]graph.Value, len(wrt))
	for i, v := range wrt {
		out[i] = s.total(v)
	}
	return out, s.b.Err()
}

// Ones adds the value 1, or 1 for each element of y, as the seed of y.
func Ones(g *graph.Graph, y graph.Value) Seed {
	b := graph.NewBuilder(g)
	return Seed{Y: y, DY: ops.Fill(b, y, 1)}
}

// sweep is the state of one reverse pass.
type sweep struct {
	g       *graph.Graph
	b       *graph.Builder
	o       Options
	terms   map[graph.Value][]graph.Value // contributions to the gradient of a value
	done    map[graph.Value]graph.Value   // their sum, once taken
	params  map[graph.Value]bool          // parameters whose per-example gradients are asked for
	example map[graph.Value][]use         // what was found of them
	failed  []NodeError
	stuck   []graph.Value // inputs of failed nodes that a gradient should have gone to
}

func newSweep(g *graph.Graph, o Options) *sweep {
	b := NewBuilder(g, Options{Override: o.Override}) // Stop is about values of g
	return &sweep{g: g, b: b, o: o, terms: map[graph.Value][]graph.Value{}, done: map[graph.Value]graph.Value{}}
}

// NewBuilder is a builder for g with which gradient rules and lowerings can differentiate, as o says.
func NewBuilder(g *graph.Graph, o Options) *graph.Builder {
	b := graph.NewBuilder(g)
	b.Reverse = func(body *graph.Graph, ys, dys, wrt []graph.Value) ([]graph.Value, error) {
		seeds := make([]Seed, len(ys))
		for i := range ys {
			seeds[i] = Seed{ys[i], dys[i]}
		}
		return Reverse(body, seeds, wrt, o)
	}
	return b
}

// total is the sum of the contributions to v's gradient, 0 when there are none.
func (s *sweep) total(v graph.Value) graph.Value {
	if d, ok := s.done[v]; ok {
		return d
	}
	ts := s.terms[v]
	if len(ts) == 0 {
		return 0
	}
	d := ts[0]
	for _, t := range ts[1:] {
		d = ops.Plus(s.b, d, t)
	}
	s.done[v] = d
	return d
}

// run sweeps nodes, which are in order, backwards.
func (s *sweep) run(nodes []*graph.Node, seeds []Seed, wrt []graph.Value, params []graph.Value) error {
	g := s.g
	depends := make(map[graph.Value]bool, len(wrt)) // on something that is asked for
	for _, v := range wrt {
		depends[v] = true
	}
	for _, v := range params {
		depends[v] = true
	}
	active := make([]bool, len(nodes))
	flows := make([][][]bool, len(nodes)) // of nodes with bodies
	for i, n := range nodes {
		carries := make([]bool, len(n.Out))
		for k, v := range n.In {
			if v == 0 || !depends[v] || !n.Differentiable(k) {
				continue
			}
			if !active[i] && n.Op.Control() {
				if err := followable(n); err != nil {
					return err
				}
				flows[i] = n.Flow()
			}
			active[i] = true
			for o := range carries {
				carries[o] = carries[o] || flows[i] == nil || flows[i][o][k]
			}
		}
		for o, v := range n.Out {
			if v != 0 && carries[o] && graph.Differentiable(g.Info(v).DType) && (s.o.Stop == nil || !s.o.Stop(v)) {
				depends[v] = true
			}
		}
	}
	for _, sd := range seeds {
		if sd.DY != 0 {
			s.terms[sd.Y] = append(s.terms[sd.Y], sd.DY)
		}
	}
	for i := len(nodes) - 1; i >= 0; i-- {
		n := nodes[i]
		if !active[i] {
			continue
		}
		dy := make([]graph.Value, len(n.Out))
		any := false
		for k, v := range n.Out {
			if v == 0 || !depends[v] || !graph.Differentiable(g.Info(v).DType) || (s.o.Stop != nil && s.o.Stop(v)) {
				continue
			}
			if f := n.Op.FormalOut(k); f != nil && f.NoGrad {
				continue
			}
			dy[k] = s.total(v)
			any = any || dy[k] != 0
		}
		if !any {
			continue
		}
		if need, err := s.node(n, dy, depends, flows[i]); err != nil {
			s.fail(n, need, err)
		}
		if err := s.b.Err(); err != nil {
			return fmt.Errorf("grad: %s: %w", n.Label(), err)
		}
	}
	if len(s.failed) > 0 {
		return &Error{Nodes: s.failed, From: s.through(slices.Concat(wrt, params))}
	}
	return nil
}

// mostFollowed is how many pairs of a value of a body and an input of it are looked at, to tell which outputs depend on which inputs.
const mostFollowed = 1 << 27

// followable fails for a node whose bodies are so large that following their inputs would take too long.
func followable(n *graph.Node) error {
	for _, b := range n.Bodies {
		if pairs := b.G.NumValues() * len(b.G.Inputs); pairs > mostFollowed {
			return fmt.Errorf("grad: %s: %s has %d values and %d inputs, too many to find out which depend on each other: freeze the "+
				"parameters "+
				"that it reads", n.Label(), b.Attr, b.G.NumValues(), len(b.G.Inputs))
		}
	}
	return nil
}

// node adds the gradient of one node, whose inputs carry to its outputs as flow says, and returns which inputs need one.
func (s *sweep) node(n *graph.Node, dy []graph.Value, depends map[graph.Value]bool, flow [][]bool) (need []bool, err error) {
	need = make([]bool, len(n.In))
	any := false
	s.b.For = n
	if n.For != nil {
		s.b.For = n.For
	}
	defer func() { s.b.For = nil }()
	for k, v := range n.In {
		if v == 0 || !depends[v] || !graph.Differentiable(s.g.Info(v).DType) || !n.Differentiable(k) || !reaches(flow, k, dy) {
			continue
		}
		if s.params[v] {
			if err := s.perExample(n, dy, k, v); err != nil {
				return need, err
			}
			continue
		}
		need[k] = true
		any = true
	}
	if !any {
		return need, nil
	}
	var dx []graph.Value
	var rule Rule
	if s.o.Override != nil {
		rule = s.o.Override(n)
	}
	switch {
	case rule != nil:
		dx, err = rule(s.b, n, dy, need)
	case n.Op.HasRule():
		dx, err = n.Op.Grad(s.b, n, dy, need)
	case n.Op.HasLower():
		dx, err = s.throughLower(n, dy, need)
	default:
		err = graph.ErrNoGradient
	}
	if err != nil {
		return need, err
	}
	for k, d := range dx {
		if d != 0 && k < len(need) && need[k] {
			s.terms[n.In[k]] = append(s.terms[n.In[k]], d)
		}
	}
	return need, nil
}

// reaches reports whether input k carries to an output that has a gradient.
func reaches(flow [][]bool, k int, dy []graph.Value) bool {
	for o, d := range dy {
		if d != 0 && (flow == nil || flow[o][k]) {
			return true
		}
	}
	return false
}

// throughLower differentiates n by the gradients of the simpler operators that it is made of.
func (s *sweep) throughLower(n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
	// The lowering reads stand-ins of the inputs, so that an input used twice by n, or elsewhere too, is not confused.
	stand := *n
	stand.In = make([]graph.Value, len(n.In))
	for k, v := range n.In {
		if v != 0 && need[k] {
			stand.In[k] = s.b.Add(ops.Identity, nil, v)
		} else {
			stand.In[k] = v
		}
	}
	begin := len(s.g.Nodes)
	out, err := n.Op.Lower(s.b, &stand)
	if err != nil {
		return nil, err
	}
	if err := s.b.Err(); err != nil {
		return nil, err
	}
	nodes := append([]*graph.Node(nil), s.g.Nodes[begin:]...)
	var seeds []Seed
	for k, d := range dy {
		if d != 0 && k < len(out) && out[k] != 0 {
			seeds = append(seeds, Seed{Y: out[k], DY: d})
		}
	}
	var wrt []graph.Value
	for k, v := range stand.In {
		if v != 0 && need[k] {
			wrt = append(wrt, v)
		}
	}
	sub := newSweep(s.g, s.o)
	sub.b = s.b
	if err := sub.run(nodes, seeds, wrt, nil); err != nil {
		return nil, err
	}
	dx := make([]graph.Value, len(n.In))
	for k, v := range stand.In {
		if v != 0 && need[k] {
			dx[k] = sub.total(v)
		}
	}
	return dx, nil
}
