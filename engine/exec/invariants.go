//go:build invariants

package exec

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"unsafe"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// With the build tag invariants a run checks what every run relies on, at several times its cost:
//
//   - memory that no value has is poisoned with bytes 0xFF, which are NaN as floats: before the run, and after the step that a value is
//
// needed     by for the last time. What reads memory before it is written, or too late, gives NaN, or a number that no test expects.   -
// A step changes nothing in the arena but its outputs and its working memory.   - A run changes neither what it was fed, which in a body
// is what it captures, nor constants or parameters.   - What a run is fed does not lie in its own arena, where results of the run before
// are gone.
const poison = 0xFF

// watched is one run that is watched.
type watched struct {
	p     *Program
	pl    *plan
	arena []byte
	was   []byte // the arena after the last step
	sums  map[graph.Value]uint64
	seen  map[*tensor.Tensor]uint64 // of the bodies' constants
}

var hashSeed = maphash.MakeSeed()

func (p *Program) watch(pl *plan) (*watched, error) {
	w := &watched{p: p, pl: pl, arena: p.arena[:pl.size], sums: map[graph.Value]uint64{}, seen: map[*tensor.Tensor]uint64{}}
	for _, v := range p.g.Inputs {
		if at, ok := w.at(pl.vals[v].Bytes()); ok {
			return nil, fmt.Errorf("exec: invariant: input %q lies in the arena of the run, at byte %d", p.g.Info(v).Name, at)
		}
		w.sums[v] = maphash.Bytes(hashSeed, pl.vals[v].Bytes())
	}
	if !p.isBody {
		w.constants(p.g)
	}
	fill(w.arena)
	w.was = bytes.Clone(w.arena)
	return w, nil
}

// constants notes the content of all constants and parameters of g and its bodies.
func (w *watched) constants(g *graph.Graph) {
	for _, in := range g.Values {
		if in.Data != nil {
			w.seen[in.Data] = maphash.Bytes(hashSeed, in.Data.Bytes())
		}
	}
	for _, n := range g.Nodes {
		for _, b := range n.Bodies {
			w.constants(b.G)
		}
	}
}

// at is where b begins in the arena.
func (w *watched) at(b []byte) (int, bool) {
	if len(b) == 0 || len(w.arena) == 0 {
		return 0, false
	}
	at := int(uintptr(unsafe.Pointer(&b[0])) - uintptr(unsafe.Pointer(&w.arena[0])))
	return at, at >= 0 && at < len(w.arena)
}

// after checks what step i did, and poisons the memory of what is not needed any more.
func (w *watched) after(i int) error {
	st := &w.pl.steps[i]
	if !st.view && !st.empty {
		for _, out := range st.rc.Out {
			if out != nil {
				w.accept(out.Bytes())
			}
		}
		w.accept(st.rc.Scratch)
	}
	if !bytes.Equal(w.was, w.arena) {
		for k := range w.arena {
			if w.was[k] != w.arena[k] {
				return fmt.Errorf("invariant: the node changed byte %d of the arena, %s", k, w.owner(i, k))
			}
		}
	}
	for k := range w.pl.slots {
		if s := &w.pl.slots[k]; s.start >= 0 && s.end == i {
			fill(w.arena[s.offset : s.offset+s.bytes])
			fill(w.was[s.offset : s.offset+s.bytes])
		}
	}
	return nil
}

// accept takes the present content of b, if it lies in the arena, for what is to be there.
func (w *watched) accept(b []byte) {
	if at, ok := w.at(b); ok {
		copy(w.was[at:at+len(b)], b)
	}
}

// owner says whose byte k of the arena is at step i.
func (w *watched) owner(i, k int) string {
	for _, s := range w.pl.slots {
		if s.start >= 0 && s.start <= i && s.end >= i && s.offset <= k && k < s.offset+s.bytes {
			if s.value == 0 {
				return "working memory"
			}
			return fmt.Sprintf("where %q is", w.pl.g.Info(s.value).Name)
		}
	}
	return "where nothing is"
}

// end checks what the run must not have changed.
func (w *watched) end() error {
	for v, sum := range w.sums {
		if maphash.Bytes(hashSeed, w.pl.vals[v].Bytes()) != sum {
			return fmt.Errorf("exec: invariant: the run changed its input %q", w.pl.g.Info(v).Name)
		}
	}
	for t, sum := range w.seen {
		if maphash.Bytes(hashSeed, t.Bytes()) != sum {
			return fmt.Errorf("exec: invariant: the run changed a constant or parameter, a tensor %v", t)
		}
	}
	return nil
}

func fill(b []byte) {
	for i := range b {
		b[i] = poison
	}
}
