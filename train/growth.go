package train

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// growth is the growth of batches in a training. Its methods do nothing where it is nil.
type growth struct {
	BatchGrowth
	changes []BatchChange
	need    float64 // by the last test, NaN before
	noise   float64 // share of the squared norm of the mean gradient that is noise, likewise

	norms    *engine.Session // gradients, with the norms of each example's
	products *engine.Session // products of each example's gradient with a vector
	of       int             // trained parameters of these sessions
	proven   bool            // the norm of an example is what it is alone
}

// prepareGrowth checks what is asked of growing batches, and compiles the norms.
func (f *fit) prepareGrowth() error {
	if err := f.c.CheckBatches(f.ds.Len()); err != nil {
		return err
	}
	fixed := f.m.Batch()
	if f.c.MicroBatch > 0 && f.c.BN == engine.BNTrain {
		switch {
		case fixed > 0:
			return fmt.Errorf("train: the model takes %d examples at a time, and with --bn train these are the parts of a batch: leave out "+
				"--micro-batch", fixed)
		case len(f.changed) > len(f.params) && (f.c.MicroBatch < f.c.BatchSize || f.c.Growth != nil): // some are changed beside what is trained
			f.note("with --bn train and --micro-batch the statistics of batch normalisation are those of the parts of a batch")
		}
	}
	if f.c.Growth == nil {
		return nil
	}
	g := f.c.Growth.With(f.ds.Len())
	if fixed > 0 && f.c.BN == engine.BNTrain {
		return errors.New("train: growing batches: the model takes its own number of examples only, and --bn train wants full ones: train " +
			"with --bn frozen")
	}
	if f.c.BatchSize < few {
		f.note("growing batches: %d examples say little about the variance of their gradients: begin with %d or more", f.c.BatchSize, few)
	}
	f.growth = &growth{BatchGrowth: g, need: math.NaN(), noise: math.NaN(),
		changes: []BatchChange{{Step: 1, Size: f.c.BatchSize}}}
	return f.growth.compile(f)
}

// compile makes the sessions for what is trained now.
func (g *growth) compile(f *fit) error {
	g.of = len(f.q.Grad)
	if g.Form == PartsForm {
		return nil
	}
	q := f.q
	q.PerExample = q.Grad
	var err error
	if g.norms, err = f.m.Session(f.tract.ask(q)); err != nil {
		if errors.Is(err, graph.ErrNoGradient) || errors.Is(err, errors.ErrUnsupported) {
			return notEach(err)
		}
		return err
	}
	if g.Test == NormTest {
		return nil
	}
	q = f.q
	q.Loss, q.Derive = nil, g.along(f, q.Loss)
	if g.products, err = f.m.Session(q); err != nil {
		var none *grad.Error
		if errors.As(err, &none) {
			return fmt.Errorf("train: growing batches: products with the mean gradient need second derivatives: %w. --batch-adapt norm does "+
				"without", err)
		}
		return err
	}
	return nil
}

// notEach is the error of a model whose examples have no gradients of their own that are known at once.
func notEach(err error) error {
	return fmt.Errorf("train: growing batches: the norms of the examples' gradients are not known: %w. --batch-form parts with --micro-batch "+
		"compares the gradients of the parts of a batch instead; with --micro-batch 1 that is exact", err)
}

// Names of what along adds to a session.
const (
	alongInput = "gtk.along:"
	alongValue = "gtk.products"
)

// along adds the products of each example's gradient, times the weight of its loss, with vectors that are fed by the names of the
// parameters. The loss is a sum of the examples' losses times their weights, so what a weight multiplies in the product of its gradient
// with the vectors is the derivative of that example's loss along them: the gradient of the product by the weight.
func (g *growth) along(f *fit, loss engine.Loss) func(b *engine.Build) (engine.Outputs, error) {
	names := f.q.Grad
	return func(b *engine.Build) (engine.Outputs, error) {
		l, err := loss(b)
		if err != nil {
			return nil, err
		}
		var ws []graph.Value
		for _, name := range names {
			w, err := b.Value(name)
			if err != nil {
				return nil, err
			}
			ws = append(ws, w)
		}
		ds, err := grad.Reverse(b.G, []grad.Seed{grad.Ones(b.G, l)}, ws, grad.Options{})
		if err != nil {
			return nil, err
		}
		var seeds []grad.Seed
		for i, d := range ds {
			if d == 0 {
				continue
			}
			p, err := f.m.Param(names[i])
			if err != nil {
				return nil, err
			}
			v := b.Input(alongInput+names[i], p.Value.DType(), dims(p.Value.Shape()))
			seeds = append(seeds, grad.Seed{Y: d, DY: b.Add(ops.Identity, nil, v)})
		}
		if err := b.Err(); err != nil {
			return nil, err
		}
		var weights []graph.Value
		for _, v := range b.G.Inputs {
			switch b.G.Info(v).Name {
			case task.WeightInput, task.OtherWeightInput, task.TeacherWeightInput:
				weights = append(weights, v)
			}
		}
		each, err := grad.Reverse(b.G, seeds, weights, grad.Options{})
		if err != nil {
			return nil, err
		}
		var sum graph.Value
		for i, d := range each {
			if d == 0 {
				continue
			}
			x := b.Add(ops.ReduceSum, ops.KeepDims(false), b.Add(ops.Flatten, nil, b.Add(ops.Mul, nil, d, weights[i])), b.Ints(1))
			if sum != 0 {
				x = b.Add(ops.Add, nil, sum, x)
			}
			sum = x
		}
		if sum == 0 {
			return nil, errors.New("the loss is linear in no weight of an example")
		}
		return engine.Outputs{alongValue: sum}, b.Err()
	}
}

// gauge is what is measured of the gradients of one batch.
type gauge struct {
	g     *growth
	names []string // tensors of the groups; nil: all are one
	n     [][]float64
	terms []float64 // of the loss, in each part; with PartsForm the weights of the gradients
	got   *spread   // when the batch is through
}

// gauge is for the step that begins, nil where nothing is measured. The batch of so many examples is not a full one where an epoch ends.
func (g *growth) gauge(f *fit, size int) *gauge {
	if g == nil || f.size >= g.Max || size < f.size || f.step%g.Every != 0 {
		return nil
	}
	x := &gauge{g: g, n: make([][]float64, 1)}
	if g.Form == LayersForm {
		x.names = f.q.Grad
		x.n = make([][]float64, len(x.names))
	}
	return x
}

// session is the one to run in place of s, which gives more than the gradients.
func (x *gauge) session(s *engine.Session) *engine.Session {
	if x == nil || x.g.norms == nil {
		return s
	}
	return x.g.norms
}

// see takes the norms of the examples in p, of a part of the batch with so many terms.
func (x *gauge) see(p feed.Part, terms float64) error {
	if x == nil || x.g.norms == nil {
		return nil
	}
	take := func(k int, t *tensor.Tensor) error {
		v := make([]float64, p.Size) // zeros where the loss does not depend on it
		if t != nil {
			v = t.Float64s()
		}
		if len(v) != p.Size {
			return notEach(fmt.Errorf("%d norms for %d examples", len(v), p.Size))
		}
		for _, n := range v[:p.Hi-p.Lo] {
			x.n[k] = append(x.n[k], n*terms*terms)
		}
		return nil
	}
	if x.names == nil {
		return take(0, p.TotalNorm2())
	}
	for k, name := range x.names {
		if err := take(k, p.Norm2(name)); err != nil {
			return err
		}
	}
	return nil
}

// agreement is how far the norm of an example's gradient in a batch may be from that alone, relative to it.
const agreement = 1e-3

// part looks at a part of the batch when its gradients are there.
func (x *gauge) part(ctx context.Context, f *fit, b *data.Batch, rows feed.Rows, terms float64) error {
	if x == nil {
		return nil
	}
	if x.g.Form == PartsForm {
		n := 0.0
		for _, p := range f.params {
			if p.G != nil {
				n += norm2(p.G)
			}
		}
		x.n[0], x.terms = append(x.n[0], n), append(x.terms, terms)
		return nil
	}
	if x.g.proven || f.c.Dropout || terms == 0 { // with dropout an example alone has another mask
		return nil
	}
	want := 0.0
	for _, n := range x.n {
		want += n[len(n)-b.Len()] / (terms * terms)
	}
	got := 0.0
	sums := map[string]*tensor.Tensor{}
	err := f.c.Feed.Run(ctx, f.s, b.Slice(0, 1), rows.Slice(0, 1), func(p feed.Part) error {
		for _, q := range f.params {
			if g := p.Grad(q.Name); g != nil {
				sums[q.Name] = g
				got += norm2(g)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if math.Abs(math.Sqrt(got)-math.Sqrt(want)) > agreement*math.Sqrt(max(got, want))+1e-7 {
		return notEach(fmt.Errorf("the gradient of example %q has norm %.4g alone and %.4g in a batch: the model mixes the examples of a batch",
			b.IDs[0], math.Sqrt(got), math.Sqrt(want)))
	}
	x.g.proven = true
	return nil
}

// finish makes of the norms, and the mean gradient that is in ps now, what is needed; b is the last part of the batch.
func (x *gauge) finish(ctx context.Context, f *fit, b *data.Batch, ps []*optim.Param) error {
	if x == nil {
		return nil
	}
	now := f.now
	r := &spread{count: float64(now.size), groups: make([]group, len(x.n))}
	if now.terms == 0 || len(x.n[0]) < 2 { // nothing to compare
		return nil
	}
	scale := r.count / now.terms // the mean over examples of scale times their gradients is that over terms
	for k, n := range x.n {
		g := &r.groups[k]
		g.n = n
		for i := range n {
			if x.g.Form == PartsForm {
				r.weight = append(r.weight, x.terms[i]*scale)
			} else {
				n[i] *= scale * scale
			}
		}
		for _, p := range ps {
			if x.names == nil || x.names[k] == p.Name {
				g.gg += norm2(p.G)
			}
		}
	}
	if x.g.Test != NormTest {
		for k := range r.groups {
			s, err := x.along(ctx, f, b, ps, k)
			if err != nil {
				return err
			}
			for i := range s {
				s[i] *= scale
			}
			r.groups[k].s = s
		}
	}
	x.got = r
	x.g.need = x.g.BatchGrowth.need(r)
	x.g.noise = r.variance() / (r.count * r.gg())
	return nil
}

// along is the product of each example's gradient with the mean one in group k, of the sum over terms.
func (x *gauge) along(ctx context.Context, f *fit, b *data.Batch, ps []*optim.Param, k int) (all []float64, err error) {
	more := map[string]*tensor.Tensor{}
	for _, name := range x.g.products.Feeds() {
		for _, p := range ps {
			if name != alongInput+p.Name {
				continue
			}
			if more[name] = p.G; x.names != nil && x.names[k] != p.Name {
				more[name] = tensor.New(p.G.DType(), p.G.Shape()...)
			}
		}
	}
	err = f.repeat(ctx, b, func(b *data.Batch, rows feed.Rows, terms float64) error {
		feeds, err := f.c.Feed.Feeds(b)
		if err != nil {
			return err
		}
		for name, t := range more {
			feeds[name] = t
		}
		x.g.products.SetSeed(f.seed(f.now.at))
		return f.c.Feed.RunFeeds(ctx, x.g.products, feeds, b.Len(), rows, func(p feed.Part) error {
			for _, v := range p.Value(alongValue).Float64s()[:p.Hi-p.Lo] {
				all = append(all, v*terms)
			}
			return nil
		})
	})
	return all, err
}

// grow settles the size of the next batch, when a step was made and x was measured in it.
func (g *growth) grow(f *fit, x *gauge) {
	if g == nil || x == nil || math.IsNaN(g.need) {
		return
	}
	if size := g.next(f.size, g.need); size != f.size {
		f.size = size
		g.changes = append(g.changes, BatchChange{Step: f.step + 1, Examples: f.examples, Size: size})
	}
}

// fits looks at whether a record stands at a place that batches which grow can pass.
func (g *growth) fits(f *fit, r *record, step int) error {
	n := f.ds.Len()
	switch m := f.c.MaxSteps; {
	case r.Growth == nil:
		return implausible("it does not say how large batches had become")
	case r.Growth.Size < f.c.BatchSize || r.Growth.Size > g.Max || r.Growth.Last > n:
		return implausible("it tells of batches of %d examples after %d, and here they have %d to %d", r.Growth.Size, r.Growth.Last,
			f.c.BatchSize, g.Max)
	case r.Epochs > f.c.Epochs || m > 0 && step > m:
		return implausible("it stands at step %d, in epoch %d of %d", step, r.Epochs+1, f.c.Epochs)
	case r.Examples > (r.Epochs+1)*n:
		return implausible("it has seen %d examples by step %d, and there are %d until then", r.Examples, step, (r.Epochs+1)*n)
	}
	return nil
}

// report adds what is known of batches to m.
func (g *growth) report(f *fit, m map[string]float64) {
	if g == nil {
		return
	}
	m["batch.size"] = float64(f.size)
	if !math.IsNaN(g.need) {
		m["batch.need"], m["batch.noise"] = g.need, g.noise
	}
}

// norm2 is the squared norm of t.
func norm2(t *tensor.Tensor) float64 {
	sum := 0.0
	if t.DType() == tensor.Float32 {
		for _, v := range t.F32() {
			sum += float64(v) * float64(v)
		}
		return sum
	}
	for _, v := range t.Float64s() {
		sum += v * v
	}
	return sum
}
