package engine

import (
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// PlainSession is a session in which every parameter may change and no node is fused: the oracle of those that freeze and fuse.
func (m *Model) PlainSession(q Query) (*Session, error) {
	s := &Session{m: m, q: q, plain: true}
	return s, s.build()
}

// BareSession computes the outputs by the graph as Load left it, with no rewrite whatever.
func (m *Model) BareSession() (*Session, error) {
	s := &Session{m: m, plain: true, slot: map[string]int{}, none: map[string]bool{}}
	g := m.g.Clone()
	var fetch []graph.Value
	for i, o := range m.outputs {
		v, err := m.value(o.Name)
		if err != nil {
			return nil, err
		}
		s.slot["v:"+o.Name] = i
		fetch = append(fetch, v)
	}
	for _, v := range g.Inputs {
		s.feeds = append(s.feeds, g.Info(v).Name)
	}
	var err error
	s.prog, err = exec.Compile(g, fetch, m.pool)
	return s, err
}

// SharePool makes the sessions that m is asked for from now on run on p.
func (m *Model) SharePool(p *parallel.Pool) { m.pool = p }

// Program is the compiled graph of s.
func (s *Session) Program() *exec.Program { return s.prog }

// Slots are the keys of what s fetches.
func (s *Session) Slots() map[string]int { return s.slot }

// Fetched is what the run fetched under a key of Slots.
func (r *Result) Fetched(key string) []float64 { return r.get(key).Float64s() }

// Roomy makes s run with every value in memory of its own and no input overwritten: the oracle of plans. It must not be rebuilt after.
func (s *Session) Roomy() error {
	g, fetch, err := s.derive()
	if err != nil {
		return err
	}
	if err := rewrite.Fuse(g, fetch); err != nil {
		return err
	}
	rewrite.Dead(g, fetch)
	for _, n := range g.Nodes {
		n.Frozen = true
		for _, v := range n.Out {
			if v != 0 {
				fetch = append(fetch, v)
			}
		}
	}
	s.prog, err = exec.Compile(g, fetch, s.m.pool)
	return err
}

// Tensor is what the run fetched under a key of Slots.
func (r *Result) Tensor(key string) *tensor.Tensor { return r.get(key) }
