// Package grad derives graphs from graphs: gradients (Reverse), per-example gradient norms (PerExample) and
// Hessian-vector products (HVP). It adds nodes to the graph it is given; nothing is computed here.
package grad

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Rule is a gradient rule for one node, of the form of graph.Def.Grad.
type Rule func(b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error)

// Options change how a graph is differentiated.
type Options struct {
	// Override returns the rule to use for n instead of the operator's own, or nil. Guided
	// backpropagation, TrAct and LRP are overrides.
	Override func(n *graph.Node) Rule
	// Stop reports whether the gradient must not go through v to what v is computed from.
	Stop func(v graph.Value) bool
}

// Error collects, by node, why a graph cannot be differentiated.
type Error struct{ Nodes []NodeError }

// NodeError is the reason for one node.
type NodeError struct {
	Node *graph.Node
	Err  error
}

// Error lists all nodes.
func (e *Error) Error() string {
	s := "grad: "
	for i, n := range e.Nodes {
		if i > 0 {
			s += "; "
		}
		s += n.Node.Label() + ": " + n.Err.Error()
	}
	return s
}

// Is reports whether target is graph.ErrNoGradient, when that is among the reasons.
func (e *Error) Is(target error) bool {
	for _, n := range e.Nodes {
		if errors.Is(n.Err, target) {
			return true
		}
	}
	return false
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
}

func newSweep(g *graph.Graph, o Options) *sweep {
	return &sweep{g: g, b: graph.NewBuilder(g), o: o, terms: map[graph.Value][]graph.Value{}, done: map[graph.Value]graph.Value{}}
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
		d = s.b.Add(ops.Add, nil, d, t)
	}
	s.done[v] = d
	return d
}

func differentiable(d tensor.DType) bool {
	return d == tensor.Float32 || d == tensor.Float64
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
	for i, n := range nodes {
		for k, v := range n.In {
			if v == 0 || !depends[v] {
				continue
			}
			if f := n.Op.FormalIn(k); k < n.NumIn && f != nil && f.NoGrad {
				continue
			}
			active[i] = true
		}
		if !active[i] {
			continue
		}
		for _, v := range n.Out {
			if v != 0 && differentiable(g.Info(v).DType) && (s.o.Stop == nil || !s.o.Stop(v) || depends[v]) {
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
			if v == 0 || !differentiable(g.Info(v).DType) || (s.o.Stop != nil && s.o.Stop(v)) {
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
		if err := s.node(n, dy, depends); err != nil {
			s.failed = append(s.failed, NodeError{n, err})
		}
		if err := s.b.Err(); err != nil {
			return fmt.Errorf("grad: %s: %w", n.Label(), err)
		}
	}
	if len(s.failed) > 0 {
		return &Error{s.failed}
	}
	return nil
}

// node adds the gradient of one node.
func (s *sweep) node(n *graph.Node, dy []graph.Value, depends map[graph.Value]bool) error {
	need := make([]bool, len(n.In))
	any := false
	s.b.For = n
	if n.For != nil {
		s.b.For = n.For
	}
	defer func() { s.b.For = nil }()
	for k, v := range n.In {
		if v == 0 || !depends[v] || !differentiable(s.g.Info(v).DType) {
			continue
		}
		if f := n.Op.FormalIn(k); k < n.NumIn && f != nil && f.NoGrad {
			continue
		}
		if s.params[v] {
			if err := s.perExample(n, dy, k, v); err != nil {
				return err
			}
			continue
		}
		need[k] = true
		any = true
	}
	if !any {
		return nil
	}
	var dx []graph.Value
	var err error
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
		return err
	}
	for k, d := range dx {
		if d != 0 && k < len(need) && need[k] {
			s.terms[n.In[k]] = append(s.terms[n.In[k]], d)
		}
	}
	return nil
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
