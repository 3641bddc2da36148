package tokens

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/compress"
	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// softFeeds adds the masks of a schedule to the feeds of a soft model.
func (t *ViT) softFeeds(s Schedule, feeds map[string]*tensor.Tensor) {
	have := t.Tokens
	put := func(name string, v []float64) {
		x := tensor.New(tensor.Float32, len(v))
		for i := range v {
			x.F32()[i] = float32(v[i])
		}
		feeds[name] = x
	}
	for i := t.first; i < t.Layers; i++ {
		n := softNames(i)
		mid := min(have, s[i].Prune)
		put(n.prune, Mask(t.Tokens, mid, have))
		left := min(mid, s[i].Merge)
		put(n.merge, Mask(t.Tokens, left, mid))
		from, into := make([]float64, t.Tokens), make([]float64, t.Tokens)
		for j := range from {
			if j >= left && j < mid {
				from[j] = 1
			}
			if j < t.Prefix || j >= left {
				into[j] = far
			}
		}
		put(n.from, from)
		put(n.into, into)
		have = left
	}
}

// learner learns the rates of each layer.
type learner struct {
	w            *work
	m            *engine.Model
	run          *engine.Session
	prune, merge []*Rate // by layer; nil before the first
	moments      [][2][]float64
	step         int
	price        float64         // of the operations above the target, beside the penalty: it rises until the target is met
	teacher      *engine.Session // gives the targets where there are no labels
}

// teacherInput is the input of a soft model that has what the outputs shall be.
const teacherInput = "tokens.teacher"

// newLearner compiles the soft model.
func newLearner(w *work) (*learner, error) {
	t := w.t
	file, err := t.Soft()
	if err != nil {
		return nil, err
	}
	l := &learner{w: w, prune: make([]*Rate, t.Layers), merge: make([]*Rate, t.Layers)}
	if l.m, err = engine.Load(file, engine.WithThreads(w.threads)); err != nil {
		return nil, err
	}
	q := engine.Query{Override: l.detached}
	for i := t.first; i < t.Layers; i++ {
		n := softNames(i)
		q.Grad = append(q.Grad, n.prune, n.merge)
		step := max(1, (t.Tokens-t.Prefix)/49)
		l.prune[i], l.merge[i] = NewRate(t.Tokens-t.Prefix, step, t.Prefix), NewRate(t.Tokens-t.Prefix, step, t.Prefix)
	}
	for i, k := range t.uniform(w.whole, w.target, func(from, to int) Kept { return Kept{(from + to + 1) / 2, to} }) {
		if i >= t.first { // the same number in each layer, half left out and half merged
			l.prune[i].aim(k.Prune)
			l.merge[i].aim(k.Merge)
		}
	}
	if w.s.Task != nil {
		q.Loss = w.s.Task.Total()
	} else {
		out := l.m.Outputs()[0]
		q.Loss = func(b *engine.Build) (graph.Value, error) {
			y, err := b.Value(out.Name)
			if err != nil {
				return 0, err
			}
			d := b.Add(ops.Sub, nil, y, b.Input(teacherInput, out.DType, out.Dims))
			return b.Add(ops.ReduceMean, ops.KeepDims(false), b.Add(ops.Mul, nil, d, d)), b.Err()
		}
		if l.teacher, err = w.s.Model.Session(engine.Query{Fetch: []string{out.Name}}); err != nil {
			return nil, err
		}
	}
	if l.run, err = l.m.Session(q); err != nil {
		l.m.Close()
		return nil, err
	}
	return l, nil
}

// detached has no gradient go through similarities: they say what is merged.
func (l *learner) detached(n *graph.Node) grad.Rule {
	if !strings.HasPrefix(n.Name, "tokens/") || !strings.Contains(n.Name, "/most") {
		return nil
	}
	return func(_ *graph.Builder, n *graph.Node, _ []graph.Value, _ []bool) ([]graph.Value, error) {
		return make([]graph.Value, len(n.In)), nil
	}
}

// schedule is what the rates say now.
func (l *learner) schedule() Schedule {
	s := All(l.w.t.Layers, l.w.t.Tokens)
	for i := l.w.t.first; i < len(s); i++ {
		p := l.prune[i].Kept()
		s[i] = Kept{p, min(p, l.merge[i].Kept())}
	}
	return l.w.t.settled(s)
}

// pressure is the weight of the operations in the loss: that of the paper for a model of the size of DeiT-S, whatever the size.
const pressure, paperSize = 5, 4.6

// learn makes one step on a batch and says what the loss was.
func (l *learner) learn(ctx context.Context, b *data.Batch, rate float64) (loss, share float64, err error) {
	t, w := l.w.t, l.w
	s := l.schedule()
	feeds, err := l.feeds(ctx, b)
	if err != nil {
		return 0, 0, err
	}
	t.softFeeds(s, feeds)
	r, err := l.run.Run(ctx, feeds)
	if err != nil {
		return 0, 0, err
	}
	loss = r.Loss().Float64s()[0]
	share = t.cost(w.whole, s) / w.whole
	over := 2*pressure*paperSize*paperSize*(share-w.s.MACs) + l.price // derivative of the penalty by the share
	l.price += pressure * (share - w.s.MACs)
	slope := t.slope(s)
	have := t.Tokens
	l.step++
	k := 0
	for i := t.first; i < t.Layers; i++ {
		n := softNames(i)
		mid := min(have, s[i].Prune)
		for _, x := range []struct {
			rate    *Rate
			name    string
			kept    int
			applied bool
		}{{l.prune[i], n.prune, mid, s[i].Prune < have}, {l.merge[i], n.merge, s[i].Merge, s[i].Merge < mid}} {
			d := x.rate.KeptGrad()
			for j := range d {
				d[j] *= over * slope[i] / w.whole
			}
			if g := r.Grad(x.name); g != nil && x.applied {
				for j, v := range x.rate.MaskGrad(bounded(g.Float64s(), x.kept)) {
					d[j] += v
				}
			}
			l.adam(k, x.rate.Logits, d, rate)
			k++
		}
		have = s[i].Merge
	}
	return loss, share, nil
}

// bounded is g with no number larger than thrice the largest of the tokens that are kept. Where attention is sharp, a token that is masked
// may have nearly all of it were it there, and the derivative at zero is thousands of times what it would change.
func bounded(g []float64, kept int) []float64 {
	top := 0.0
	for _, x := range g[:kept] {
		top = max(top, math.Abs(x))
	}
	out := make([]float64, len(g))
	for j, x := range g {
		out[j] = min(max(x, -3*top), 3*top)
	}
	return out
}

// feeds are the inputs of the soft model but for the masks.
func (l *learner) feeds(ctx context.Context, b *data.Batch) (map[string]*tensor.Tensor, error) {
	plan, err := l.w.s.Feed.With(l.w.s.Model)
	if err != nil {
		return nil, err
	}
	feeds, err := plan.Feeds(b)
	if err != nil {
		return nil, err
	}
	if l.teacher != nil {
		r, err := l.teacher.Run(ctx, feeds)
		if err != nil {
			return nil, err
		}
		feeds[teacherInput] = r.Value(l.m.Outputs()[0].Name).Clone()
		return feeds, nil
	}
	truth, err := l.w.s.Task.Truth(b)
	if err != nil {
		return nil, err
	}
	rows := truth.Rows(truth.Mean())
	for _, more := range []map[string]*tensor.Tensor{rows.Same, rows.Weight} {
		for name, x := range more {
			feeds[name] = x
		}
	}
	return wanted(l.run, feeds), nil
}

// adam is a step of Adam on the k-th list of logits.
func (l *learner) adam(k int, x, g []float64, rate float64) {
	for len(l.moments) <= k {
		l.moments = append(l.moments, [2][]float64{make([]float64, len(x)), make([]float64, len(x))})
	}
	const b1, b2, eps = 0.9, 0.999, 1e-8
	m, v := l.moments[k][0], l.moments[k][1]
	for i := range x {
		m[i] = b1*m[i] + (1-b1)*g[i]
		v[i] = b2*v[i] + (1-b2)*g[i]*g[i]
		mh, vh := m[i]/(1-math.Pow(b1, float64(l.step))), v[i]/(1-math.Pow(b2, float64(l.step)))
		x[i] -= rate * mh / (math.Sqrt(vh) + eps)
	}
}

// learned chooses by learning: steps on batches of the data. Of what the rates said on the way, brought to the target, it takes what has
// the smallest loss on n examples.
func learned(epochs, steps int, rate float64, n int) chooser {
	return func(ctx context.Context, w *work) (Schedule, error) {
		l, err := newLearner(w)
		if err != nil {
			return nil, refused(err)
		}
		defer l.m.Close()
		size := w.batch()
		if batches := (w.s.Data.Len() + size - 1) / size; epochs > 0 {
			steps = epochs * batches
		}
		way, err := l.all(ctx, steps, rate)
		if err != nil {
			return nil, err
		}
		w.r.Tried = l.step
		return w.best(ctx, way, n)
	}
}

// all makes so many steps and gives what the rates said at the end and at some points of the second half, brought to the target.
func (l *learner) all(ctx context.Context, steps int, rate float64) (way []Schedule, err error) {
	w := l.w
	set, end := w.s.Stage("learning rates", steps)
	defer end()
	for l.step < steps {
		before := l.step
		if err := w.s.Examples(ctx, w.s.Data.Len(), func(b *data.Batch) error {
			if l.step >= steps {
				return errEnough
			}
			if w.s.Feed.Batch() > 0 && b.Len() != w.s.Feed.Batch() {
				return nil // the last of a model for a fixed batch
			}
			lr := rate * (0.1 + 0.9*0.5*(1+math.Cos(math.Pi*float64(l.step)/float64(steps))))
			loss, share, err := l.learn(ctx, b, lr)
			if err != nil {
				return err
			}
			if math.IsNaN(loss) {
				return fmt.Errorf("tokens: the loss is not finite in step %d", l.step)
			}
			w.r.Curve = append(w.r.Curve, Point{l.step, loss, share})
			set(l.step, fmt.Sprintf("loss %.4f, %.3f of the operations", loss, share))
			if s := w.t.fit(w.whole, w.target, l.schedule()); l.step == steps || 2*l.step > steps && l.step%max(1, steps/16) == 0 {
				way = append(way, s)
			}
			return nil
		}); err != nil && err != errEnough {
			return nil, err
		}
		if l.step == before {
			return nil, compress.Ask("the data set has no full batch of %d examples, which the model asks for", w.s.Feed.Batch())
		}
	}
	return way, nil
}

// best is the schedule with the smallest loss on n examples.
func (w *work) best(ctx context.Context, of []Schedule, n int) (Schedule, error) {
	j, err := newJudge(ctx, w.t, w.s, n, w.threads)
	if err != nil {
		return nil, err
	}
	var best Schedule
	least := math.Inf(1)
	for _, s := range slices.Backward(of) {
		loss, err := j.of(ctx, s)
		if err != nil {
			return nil, err
		}
		if best == nil || loss < least {
			best, least = s, loss
		}
	}
	return best, nil
}

// errEnough ends a pass over the data.
var errEnough = fmt.Errorf("tokens: enough")

// batch is how many examples a step has.
func (w *work) batch() int {
	if n := w.s.Feed.Batch(); n > 0 {
		return n
	}
	if w.s.Batch > 0 {
		return w.s.Batch
	}
	return 32
}

// fit is the schedule nearest to s whose cost is at most target and not far below it: what each layer has lost in all is multiplied by one
// number, the largest that will do.
func (t *ViT) fit(whole, target float64, s Schedule) Schedule {
	of := func(a float64) Schedule {
		out := s.clone()
		scaled := func(k int) int { return t.Tokens - int(math.Round(a*float64(t.Tokens-k))) }
		for i := range out {
			out[i] = Kept{scaled(s[i].Prune), scaled(s[i].Merge)}
		}
		return t.settled(out)
	}
	lo, hi := 0.0, 1.0
	for t.cost(whole, of(hi)) > target && hi < 1e4 {
		hi *= 2
	}
	for range 50 {
		if mid := (lo + hi) / 2; t.cost(whole, of(mid)) > target {
			lo = mid
		} else {
			hi = mid
		}
	}
	return of(hi)
}
