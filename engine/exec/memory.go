package exec

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/tensor"
)

// The limits of the memory that a run may plan. A file of a few bytes can ask for any amount, so a run gets memory in proportion to what
// it was given, see growth, but at least MinRunBytes and at most MaxValueBytes. Where the user set the memory of the process
// (memory.SetBudget) that is the only limit.
var (
	MaxValueBytes = int(min(int64(16<<30), math.MaxInt))
	MinRunBytes   = 32 << 20
)

// growth is what a run may plan, in bytes, beside MinRunBytes: for each byte of weights, and for each element of its inputs, of real
// numbers and of others. Others are mostly indices into tables: one of them stands for a row.
type growth struct{ weights, real, index int }

// The most that a model of the shared collection needs, in batches of 1 to 128: of inference, 3 bytes for a byte of weights, 512 for a real
// input (a denoiser of 64 channels at full size) and 5344 for an index (a state-space model of width 32); of training, 3, 4300 and
// 62 KiB. These are eight times as much and more.
var (
	inferring = growth{weights: 32, real: 4 << 10, index: 64 << 10}
	training  = growth{weights: 32, real: 36 << 10, index: 512 << 10}
)

// madeUp is the most that a run may plan because of inputs that nobody gave, and tried the most where it only tries something out, as
// several do one after another.
const (
	madeUp = 768 << 20
	tried  = 384 << 20
)

type madeUpKey struct{}

// MadeUp marks the runs with this context as those on inputs whose sizes the model chose: they say nothing of how much memory a run may
// have.
func MadeUp(ctx context.Context) context.Context { return context.WithValue(ctx, madeUpKey{}, true) }

// foldBytes is how much the plans of a program and its bodies compute ahead in all.
const foldBytes = 16 << 20

// limit is the memory that a run of p on inputs of the given shapes may plan.
func (p *Program) limit(ctx context.Context, shapes []tensor.Shape) int {
	if n, chosen := memory.Budget(); chosen {
		return int(min(n, math.MaxInt))
	}
	given := p.g.Given
	if given == 0 {
		given = p.g.DataBytes()
	}
	by := inferring
	if p.trains {
		by = training
	}
	in := 0
	for i, s := range shapes {
		each := by.index
		if graph.Differentiable(p.g.Info(p.g.Inputs[i]).DType) {
			each = by.real
		}
		in += each * min(s.Len(), MaxValueBytes/each)
	}
	switch {
	case ctx.Value(madeUpKey{}) == nil:
	case graph.TriesOut(ctx):
		in = min(in, tried)
	default:
		in = min(in, madeUp)
	}
	return min(MaxValueBytes, MinRunBytes+in+by.weights*min(given, MaxValueBytes/by.weights))
}

// storage is the bytes that a tensor takes, the headers of strings included.
func storage(d tensor.DType, s tensor.Shape) int { return graph.StorageBytes(d, s.Len()) }

// MemoryError is the refusal of a run that needs more memory than a model and inputs of its size may have.
type MemoryError = graph.MemoryError

// checkSize refuses a value of shape s that no run may have.
func checkSize(s tensor.Shape, d tensor.DType, limit int) error {
	if _, err := s.CheckedLen(d); err != nil {
		return err
	}
	// An extent of zero does not make the others harmless: they are loops and tables too.
	n := 1
	for _, e := range s {
		n *= max(1, e)
	}
	if b := graph.StorageBytes(d, n); b > limit {
		return &MemoryError{What: fmt.Sprintf("output of shape %v", s), Need: b, Limit: limit}
	}
	return nil
}

// fits refuses an arena that is larger than the limit.
func (pl *plan) fits(limit int) error {
	if pl.size > limit {
		return fmt.Errorf("exec: %w", &MemoryError{What: pl.largest(), Need: pl.size, Limit: limit})
	}
	return nil
}

// largest names the node with the largest output: the first suspect.
func (pl *plan) largest() string {
	bytes, at := -1, graph.Value(0)
	for i := range pl.slots {
		if s := &pl.slots[i]; s.value != 0 && s.bytes > bytes {
			bytes, at = s.bytes, s.value
		}
	}
	if at == 0 {
		return "the run"
	}
	return fmt.Sprintf("the run, with %s for %v of %s,", memory.Size(int64(bytes)), pl.shape[at], pl.g.Info(at).Def.Label())
}

// purse is what a program and its bodies hold together, in bytes.
type purse struct {
	programs []*Program // the program, and all bodies
	arenas   int
	dynamic  int // of values whose shapes only the run finds
	folded   int // of what plans computed ahead
	kept     int // of forms of constants
	held     int // of what kernels that run, with bodies, hold by themselves
	limit    int // of the present run
}

// holds notes that a kernel holds so many more bytes by itself and gives what the run holds.
func (u *purse) holds(more int) int {
	u.held += more
	return u.held + u.arenas + u.dynamic
}

// grow gives p an arena of n bytes. Where it is too much beside those of other bodies, theirs are given up if they do not run.
func (p *Program) grow(n int, largest func() string) error {
	u := p.purse
	p.giveUp()
	if u.arenas+u.held+n > u.limit {
		for _, o := range u.programs {
			if !o.running && o.arena != nil {
				o.giveUp()
			}
		}
	}
	if u.arenas+u.held+n > u.limit {
		return &MemoryError{What: largest(), Need: u.arenas + u.held + n, Limit: u.limit}
	}
	if n >= memory.Small {
		g, err := memory.Take(int64(n), largest())
		if err != nil {
			return err
		}
		memory.Tie(g, p)
		p.grant = g
	}
	p.arena = aligned(n)
	u.arenas += n
	return nil
}

// giveUp gives up the arena of p, and what its plans have in it.
func (p *Program) giveUp() {
	p.purse.arenas -= len(p.arena)
	p.arena = nil
	p.grant.Release()
	for _, pl := range p.plans {
		pl.base = nil
		for i := range pl.steps {
			st := &pl.steps[i]
			clear(st.rc.In)
			clear(st.rc.Out)
			st.rc.Scratch = nil
			for _, v := range st.node.Out {
				pl.vals[v] = nil
			}
		}
		p.forget(pl)
	}
}

// fitsBeside refuses a value that is not in the arena and is too much beside those that are held, and beside n bytes.
func (p *Program) fitsBeside(pl *plan, d tensor.DType, s tensor.Shape, n int) error {
	n += p.purse.dynamic + p.purse.held
	err := checkSize(s, d, pl.limit-n)
	if e, ok := errors.AsType[*MemoryError](err); ok && n > 0 {
		e.What += fmt.Sprintf(", beside %s that are held,", memory.Size(int64(n)))
		e.Need, e.Limit = e.Need+n, pl.limit
	}
	return err
}

// bytesOf is the bytes that t takes, with what it contains.
func bytesOf(t *tensor.Tensor) int {
	if t.DType().IsContainer() {
		return t.StorageBytes()
	}
	return storage(t.DType(), t.Shape())
}

// keep notes the content of a value that is not in the arena.
func (p *Program) keep(pl *plan, v graph.Value, t *tensor.Tensor) {
	n := bytesOf(t)
	pl.vals[v] = t
	pl.dynamic += n
	p.purse.dynamic += n
}

// drop gives up the values beside the arena that nothing reads after step i.
func (p *Program) drop(pl *plan, i int) {
	st := &pl.steps[i]
	clear(st.rc.In)
	clear(st.rc.Out)
	for _, v := range st.last {
		if t := pl.vals[v]; t != nil {
			n := bytesOf(t)
			pl.vals[v] = nil
			pl.dynamic -= n
			p.purse.dynamic -= n
		}
	}
}

// forget takes what the last run of pl made out of the count.
func (p *Program) forget(pl *plan) {
	p.purse.dynamic -= pl.dynamic
	pl.dynamic = 0
}

// reserve asks for n bytes for a form of a constant that p keeps.
func (p *Program) reserve(n int) bool {
	if p.purse.kept+n > p.purse.limit {
		return false
	}
	const what = "a constant in the form that a kernel reads"
	twice, err := memory.Take(2*int64(n), what) // it is made by way of another
	if err != nil {
		return false
	}
	twice.Release()
	g, err := memory.Take(int64(n), what)
	if err != nil {
		return false
	}
	memory.Tie(g, p)
	p.purse.kept += n
	return true
}
