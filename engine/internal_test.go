package engine

import (
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/tensor"
)

// PlainSession is a session in which every parameter may change and no node is fused: the oracle of those that freeze and fuse.
func (m *Model) PlainSession(q Query) (*Session, error) {
	s := &Session{m: m, q: q, plain: true}
	return s, s.build()
}

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
	rewrite.Fuse(g, fetch)
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
