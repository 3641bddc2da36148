package train

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// pass is a step that is under way: what the parts of its batch gave so far.
type pass struct {
	tally           // of the batch
	size  int       // examples of the batch
	whole int       // rows of it: as many, or all views of each
	seen  int       // of them
	place int       // of its first one in the epoch
	at    int       // example of the batch with which the part that is run begins
	stats [][]byte  // running statistics before the step
	rows  feed.Rows // what the session was given beside inputs for the last part
	gauge *gauge    // what is measured of the gradients, nil for nothing
}

// alone reports whether the batch comes as one part.
func (p *pass) alone(b *data.Batch) bool { return b.Len() == p.whole }

// advance runs b, the next part of the batch of a step, and with the last one makes the step. It tells of the whole batch the sum of its
// loss with its terms, and how many decisions were right before the step.
func (f *fit) advance(ctx context.Context, b *data.Batch) (r tally, done bool, err error) {
	if f.now == nil {
		f.begin(b)
	}
	if err := f.forward(ctx, b); err != nil {
		return r, false, err
	}
	if b.Rest > 0 {
		return r, false, nil
	}
	p := f.now
	if err := f.finish(ctx, b); err != nil {
		return r, false, err
	}
	f.now = nil
	return p.tally, true, nil
}

// begin begins a step with the first part of its batch.
func (f *fit) begin(b *data.Batch) {
	size := f.examplesIn(b) + b.Rest
	f.now = &pass{size: size, whole: b.Len() + b.Rest, place: f.place, stats: f.statistics(), gauge: f.growth.gauge(f, size)}
	for _, p := range f.params {
		p.G = nil
	}
}

// seed is that of what is random in the model in this step, for the part of its batch that begins at an example of it.
func (f *fit) seed(at int) int64 {
	const odd = 0x1e3779b97f4a7c15 // spreads the places
	return (int64(f.c.Seed<<32) + int64(f.step)) ^ int64(at)*odd
}

// abandon leaves the step that is under way as if it had not begun, because of err.
func (f *fit) abandon(err error) error {
	if f.now != nil {
		f.setStatistics(f.now.stats)
		f.now = nil
	}
	return err
}

// forward runs a part of the batch, and adds its gradients to those of the parts before.
func (f *fit) forward(ctx context.Context, b *data.Batch) error {
	now, t := f.now, f.c.Task
	truth, err := t.Truth(b)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	terms := truth.Total()
	weights := truth.Mean()
	f.importance.weigh(weights, f.place+now.seen)
	rows := truth.Rows(weights)
	if f.c.Teacher != nil {
		if rows, err = f.c.Teacher.rows(ctx, b, truth, rows); err != nil {
			return err
		}
	}
	first := now.seen == 0
	now.at = now.seen
	mean, err := f.gradients(ctx, b, rows, func(p feed.Part) error {
		if err := now.gauge.see(p, terms); err != nil {
			return err
		}
		if err := f.tract.see(f, p, first, terms); err != nil {
			return err
		}
		if err := f.importance.see(p, b.Index, weights); err != nil {
			return err
		}
		first = false
		if !t.HasClasses() {
			return nil
		}
		return t.Decisions(p.Value(t.Fetch()), p.Hi-p.Lo, truth.Slice(p.Lo, p.Hi), func(_ int, d *task.Decision) {
			now.n++
			now.hit += b2i(d.Right())
		})
	})
	if err != nil {
		return err
	}
	if math.IsNaN(mean) || math.IsInf(mean, 0) {
		return f.diverged(f.step+1, fmt.Sprintf("the loss is not finite (%v)", mean), nil)
	}
	if err := now.gauge.part(ctx, f, b, rows, terms); err != nil {
		return err
	}
	if !now.alone(b) {
		f.accumulate(now.seen == 0, terms)
	}
	now.rows = rows
	now.loss, now.terms, now.seen = now.loss+mean*terms, now.terms+terms, now.seen+b.Len()
	return nil
}

// finish makes the step, whose last part is b.
func (f *fit) finish(ctx context.Context, b *data.Batch) error {
	now := f.now
	if !now.alone(b) {
		f.average(now.terms)
	}
	ps := f.params[:0:0]
	for _, p := range f.params {
		if p.G != nil {
			ps = append(ps, p)
		}
	}
	if err := now.gauge.finish(ctx, f, b, ps); err != nil {
		return err
	}
	if err := f.tract.solve(f, ps, now.terms); err != nil {
		return err
	}
	if f.c.Reduce != nil {
		if err := f.c.Reduce(ctx, ps); err != nil {
			return fmt.Errorf("train: step %d: %w", f.step+1, err)
		}
	}
	s := optim.Step{N: f.step + 1, LR: f.next(now.size)}
	switch err := f.take(ctx, s, ps, b); {
	case errors.Is(err, optim.ErrNotFinite):
		return f.diverged(s.N, "a gradient is not finite", err)
	case err != nil:
		return fmt.Errorf("train: step %d: %w", s.N, err)
	}
	f.step, f.examples, f.place, f.part.measures = s.N, f.examples+now.size, f.place+now.size, nil
	f.last, f.rate = now.size, s.LR
	f.growth.grow(f, now.gauge)
	return nil
}

// repeat shows the parts of the batch of this step once more, the last of which is b: read again, where there are several.
func (f *fit) repeat(ctx context.Context, b *data.Batch, do func(b *data.Batch, rows feed.Rows, terms float64) error) error {
	at := 0
	run := func(b *data.Batch) error {
		f.now.at = at
		at += b.Len()
		truth, err := f.c.Task.Truth(b)
		if err != nil {
			return fmt.Errorf("train: %w", err)
		}
		rows := truth.Rows(truth.Mean())
		if f.c.Teacher != nil {
			if rows, err = f.c.Teacher.rows(ctx, b, truth, rows); err != nil {
				return err
			}
		}
		return do(b, rows, truth.Total())
	}
	if f.now.alone(b) {
		return run(b)
	}
	for b, err := range data.Batches(ctx, f.ds, f.sampler, f.now.size, f.batching(f.now.place)) {
		if err == nil {
			err = run(b)
		}
		if err != nil || b.Rest == 0 {
			return err
		}
	}
	return nil
}

// gather takes the gradients of what was fed of a part of a batch, the whole of it when all is true; else they are added up.
func (f *fit) gather(r *engine.Result, part int, all bool) {
	for _, p := range f.params {
		g := r.Grad(p.Name)
		switch sum := f.sums[p.Name]; {
		case g == nil:
			if part == 0 {
				p.G = nil
			}
		case all:
			p.G = g
		case sum == nil:
			p.G = g.Clone()
			f.sums[p.Name] = p.G
		case part == 0:
			copy(sum.Bytes(), g.Bytes())
			p.G = sum
		default:
			addTo(sum, g, 1)
			p.G = sum
		}
	}
}

// accumulate adds the gradients of a part of a batch, the means over so many terms, to those of the parts before.
func (f *fit) accumulate(first bool, terms float64) {
	for _, p := range f.params {
		if p.G == nil {
			continue
		}
		sum := f.total[p.Name]
		if sum == nil {
			sum = tensor.New(p.G.DType(), p.G.Shape()...)
			f.total[p.Name] = sum
		} else if first {
			clear(sum.Bytes())
		}
		addTo(sum, p.G, terms)
	}
}

// average makes the sums over the parts of a batch the gradients of the mean over so many terms.
func (f *fit) average(terms float64) {
	scale := 1 / max(terms, math.SmallestNonzeroFloat64)
	if terms == 0 {
		scale = 0
	}
	for _, p := range f.params {
		if p.G == nil {
			continue
		}
		p.G = f.total[p.Name]
		if p.G.DType() == tensor.Float64 {
			for i := range p.G.Len() {
				tensor.Data[float64](p.G)[i] *= scale
			}
			continue
		}
		for i, v := range p.G.F32() {
			p.G.F32()[i] = float32(float64(v) * scale)
		}
	}
}

// addTo adds scale·g to sum, of the same type and shape.
func addTo(sum, g *tensor.Tensor, scale float64) {
	if sum.DType() == tensor.Float64 {
		s := tensor.Data[float64](sum)
		for i, v := range tensor.Data[float64](g) {
			s[i] += v * scale
		}
		return
	}
	s, c := sum.F32(), float32(scale)
	for i, v := range g.F32() {
		s[i] += v * c
	}
}
