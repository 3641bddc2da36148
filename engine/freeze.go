package engine

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/rewrite"
)

// settle makes constants of what is not differentiated by, before g is differentiated, makes one operator of the several that are written
// for it, and folds what is affine, such as batch normalisation: the gradient of the layer that took it in is that of the two. What is
// differentiated by and what is fetched stay available, parameters for which except is true stay parameters.
func (s *Session) settle(g *graph.Graph, w wrt, fetch []graph.Value, except func(graph.Value) bool) error {
	by := append(slices.Clone(w.grad), w.example...)
	keep := append(slices.Clone(by), fetch...)
	stays := make(map[graph.Value]bool, len(by))
	for _, v := range by {
		stays[v] = true
	}
	g.Outputs = nil
	rewrite.Freeze(g, func(v graph.Value) bool { return except(v) || stays[v] })
	if err := rewrite.Fold(g, by...); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	rewrite.Dead(g, keep)
	var own func(*graph.Node) bool // rules
	if o := s.q.Override; o != nil {
		own = func(n *graph.Node) bool { return o(n) != nil }
	}
	if err := rewrite.Whole(g, keep, own); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	rewrite.FoldAffine(g, keep, own)
	if err := rewrite.FuseDense(g, keep, own); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	return nil
}

// split notes which parameters of the model a run or its caller may change, those in changing, and which are constants of the session.
func (s *Session) split(g *graph.Graph, changing map[graph.Value]bool) {
	s.gen, s.thawed = s.m.gen.Load(), s.m.thawed
	s.trained, s.frozen = nil, nil
	for _, p := range s.m.params {
		switch {
		case g.Info(p.value).Kind != graph.Parameter:
		case changing[p.value]:
			s.trained = append(s.trained, p)
		default:
			s.frozen = append(s.frozen, p)
		}
	}
}

// stale reports whether a constant of the session has changed since it was built.
func (s *Session) stale() bool {
	gen := s.m.gen.Load()
	if s.gen == gen {
		return false
	}
	if s.thawed != s.m.thawed {
		return true
	}
	for _, p := range s.frozen {
		if p.changed.Load() > s.gen {
			return true
		}
	}
	s.gen = gen
	return false
}

// Changed tells sessions that the content of the named parameters, of all when none is named, was changed: those in which they are
// constants (see Query) are built anew before their next run. A run of a session that trains tells so by itself of the parameters that it
// trains, for what its caller does to them before another session runs. It may be called at any time: a run that has begun goes on with
// what it began with.
func (m *Model) Changed(names ...string) {
	if m.gate.enter() != nil {
		return
	}
	defer m.gate.leave()
	ps := m.params
	if len(names) > 0 {
		ps = nil
		for _, n := range names {
			if p := m.byName[n]; p != nil {
				ps = append(ps, p)
			}
		}
	}
	m.change(ps)
}

// change notes that the content of ps changed.
func (m *Model) change(ps []*Param) {
	if len(ps) == 0 {
		return
	}
	gen := m.gen.Add(1)
	for _, p := range ps {
		p.changed.Store(gen)
	}
}
