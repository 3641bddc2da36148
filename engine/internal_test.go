package engine

import "github.com/gtk-onnx/gtk/engine/exec"

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
