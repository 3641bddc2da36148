package engine

import (
	"errors"
	"fmt"
	"sync"
	"weak"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// ErrInUse is the error of running a Session, or another thing that serves one goroutine, while it runs already.
var ErrInUse = errors.New("it is in use: another goroutine runs it; give each goroutine one of its own")

// ErrClosed is the error of using a Model, or a Session of one, that was closed.
var ErrClosed = errors.New("the model was closed")

// gate lets many use a model side by side, or one alone who replaces what the others read. The zero gate is open.
type gate struct {
	mu       sync.Mutex
	users    int
	waiting  int // who want to be alone
	closed   bool
	changed  chan struct{}           // closed when users or waiting come to 0; nil while nobody waits for that
	sessions []weak.Pointer[Session] // of the model, for Close
}

// enter lets the caller use the model until leave; it fails when the model is closed. It may be nested.
func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.admit()
}

func (g *gate) admit() error {
	if g.closed {
		return fmt.Errorf("engine: %w", ErrClosed)
	}
	g.users++
	return nil
}

// enterRun is enter for a run, which lets those go first who wait to be alone. It must not be nested.
func (g *gate) enterRun() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.waiting > 0 && !g.closed {
		g.wait()
	}
	return g.admit()
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.users--; g.users == 0 {
		g.wake()
	}
}

// alone runs f once nobody uses the model, and lets nobody in meanwhile.
func (g *gate) alone(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting++
	for g.users > 0 {
		g.wait()
	}
	f()
	g.waiting--
	g.wake()
}

// wait waits, with mu released, for a call of wake.
func (g *gate) wait() {
	if g.changed == nil {
		g.changed = make(chan struct{})
	}
	changed := g.changed
	g.mu.Unlock()
	<-changed
	g.mu.Lock()
}

func (g *gate) wake() {
	if g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
}

// opened notes a session, which Close empties.
func (g *gate) opened(s *Session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.sessions) == cap(g.sessions) { // before it grows, forget those that are gone
		kept := g.sessions[:0]
		for _, w := range g.sessions {
			if w.Value() != nil {
				kept = append(kept, w)
			}
		}
		clear(g.sessions[len(kept):])
		g.sessions = kept
	}
	g.sessions = append(g.sessions, weak.Make(s))
}

// Close waits for runs in progress and gives up what m holds: its worker pool, its weights and the file, and what its sessions keep, such
// as packed weights and the memory of their runs. Using m or one of its sessions afterwards is an error that is ErrClosed; tensors that
// were taken from it before stay. Close may be called again, and from any goroutine, but not from within a run of m.
func (m *Model) Close() {
	g := &m.gate
	g.mu.Lock()
	before := g.closed
	g.closed = true
	g.wake()
	g.mu.Unlock()
	g.alone(func() {
		if before {
			return
		}
		m.pool.Close()
		for _, w := range m.gate.sessions {
			if s := w.Value(); s != nil {
				s.prog, s.trained, s.frozen, s.state = nil, nil, nil, nil
			}
		}
		m.gate.sessions = nil
		m.file, m.g, m.params, m.byName, m.untrained = nil, graph.New(""), nil, nil, nil
		m.looks.forget()
	})
}
