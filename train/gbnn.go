package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/gbnn"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// BoostConfig says how Boost trains units.
type BoostConfig struct {
	GBNN     *GBNN // of GBNNSite.Put: where they are, and how many
	Eta      float64
	Share    float64 // of the examples that a step sees
	Iters    int     // of L-BFGS in a step
	Alpha    float64 // of the penalty of a step
	Progress func(examples int)
}

// BoostResult is what Boost did.
type BoostResult struct {
	Result
	// Start is the constant that boosting began with: Step 0 of the curve that History goes on with, an epoch of which is a step.
	Start EpochReport
	// Finish makes a model that was saved the one that is written: without units that were not trained, with its metadata.
	Finish func(*onnx.Model) error
}

// Boost trains the units of m (see GBNNSite.Put) on ds by gradient boosting, a few at a time; the rest of m stays as it is. Of c it takes
// the task, how inputs are fed, the validation data, patience, checkpoints and what is told of progress; Epochs is set to the number of
// steps. Features are standardised over ds, which becomes part of the weights.
//
// What is trained lies in m as it will be written, rounded: the next units are fitted to what that says.
//
// Source: see package gbnn.
func Boost(ctx context.Context, m *engine.Model, ds data.Dataset, c Config, bc BoostConfig) (*BoostResult, error) {
	b, err := newBoosting(ctx, m, ds, c, bc)
	if err != nil {
		return nil, err
	}
	if err = b.run(ctx); b.f.s == nil {
		return nil, err
	}
	b.res.Result = *b.f.result()
	return b.res, err
}

type boosting struct {
	f    *fit
	m    *engine.Model
	g    *GBNN
	c    BoostConfig
	o    gbnn.Options
	loss gbnn.Loss
	d    int         // values that boosting works on: one for two classes, else K
	out  [][]float64 // [K] of d weights: from them to the outputs
	real func(float64) float64

	start  []float64 // [D]
	scale  []float64 // [D]: of the residuals
	bias   []float64 // [D], so far
	biases *tensor.Tensor
	fitted *boosted
	val    *boosted
	logits *logitSet // of val
	res    *BoostResult
}

func newBoosting(ctx context.Context, m *engine.Model, ds data.Dataset, c Config, bc BoostConfig) (*boosting, error) {
	g := bc.GBNN
	switch {
	case ds.Len() == 0:
		return nil, errors.New("train: the data set is empty")
	case g.Step < 1 || g.Units < g.Step || g.Units%g.Step != 0:
		return nil, fmt.Errorf("train: gbnn: %d units, %d a step: want a multiple of the step", g.Units, g.Step)
	}
	c.BatchSize, c.Epochs, c.Params, c.Schedule = ds.Len(), g.Units/g.Step, g.Params(), optim.Constant(bc.Eta)
	if c.Optimizer == nil {
		var err error
		if c.Optimizer, err = optim.New("sgd", optim.Config{}); err != nil { // remembers nothing
			return nil, err
		}
	}
	f := &fit{m: m, ds: ds, c: c, res: &Result{}, batches: 1}
	b := &boosting{f: f, m: m, g: g, c: bc, res: &BoostResult{}, o: gbnn.Options{
		Step: g.Step, Eta: bc.Eta, Subsample: bc.Share, Iters: bc.Iters, Alpha: bc.Alpha, Seed: c.Seed,
	}}
	f.state = b.methodState
	if err := b.o.Check(); err != nil {
		return nil, fmt.Errorf("train: gbnn: %w", err)
	}
	var err error
	if f.c.Task, f.c.Feed, err = understand(ctx, m, ds, c.Task, c.Feed, task.Options{Preprocess: c.Preprocess}); err != nil {
		return nil, err
	}
	if err := b.decide(); err != nil {
		return nil, err
	}
	m.Thaw()
	for _, name := range g.Params() {
		p, err := m.Param(name)
		if err != nil {
			return nil, err
		}
		f.changed = append(f.changed, p)
	}
	b.real = func(v float64) float64 { return float64(float32(v)) }
	if f.changed[0].Value.DType() == tensor.Float64 {
		b.real = func(v float64) float64 { return v }
	}
	if c.Patience > 0 && c.Val == nil {
		return nil, errors.New("train: stopping for want of progress needs validation data")
	}
	if c.Val != nil {
		f.judge = newJudge(f.c.Task, c.Patience, c.MinDelta)
	}
	if c.Save != nil || c.Resume != nil {
		f.traits = f.identify()
	}
	return b, nil
}

// decide chooses the loss by the task.
func (b *boosting) decide() error {
	t := b.f.c.Task
	if want := map[task.Kind]string{task.Binary: "bce", task.Multiclass: "cross-entropy", task.Regression: "mse"}[t.Kind]; t.Name != want {
		if want == "" {
			return fmt.Errorf("train: gbnn: boosting has losses for classes of an example and for values, and this is a %s task", t.Kind)
		}
		return fmt.Errorf("train: gbnn: boosting has a loss of its own, which is %s in a %s task, and the task's is %s", want, t.Kind, t.Name)
	}
	b.d = t.K
	switch {
	case t.Kind == task.Regression:
		b.loss = gbnn.Regression{}
	case t.Kind == task.Binary:
		b.loss, b.out = gbnn.Binary{}, [][]float64{{2}}
	case t.K == 2 && t.Loss.Classes(): // else its truth is distributions
		b.loss, b.d, b.out = gbnn.Binary{}, 1, [][]float64{{-1}, {1}}
	default:
		b.loss = gbnn.Multiclass{}
	}
	if b.out == nil {
		for k := range t.K {
			b.out = append(b.out, make([]float64, t.K))
			b.out[k][k] = 1
		}
	}
	return nil
}

// run goes from the features to the last unit, or on from a checkpoint.
func (b *boosting) run(ctx context.Context) (err error) {
	f := b.f
	f.start = time.Now()
	if b.fitted, err = b.featurePass(ctx, f.ds); err != nil {
		return err
	}
	if err := b.begin(); err != nil {
		return err
	}
	if f.c.Val != nil {
		if b.val, err = b.featurePass(ctx, f.c.Val); err != nil {
			return err
		}
		if err := b.prepareEval(ctx); err != nil {
			return err
		}
	}
	f.c.Params = b.g.Params()
	n, hit := b.trainTally()
	b.res.Start = EpochReport{TrainLoss: n, TrainAcc: hit, LR: b.o.Eta}
	if f.eval != nil {
		if f.res.Before, err = f.validate(ctx); err != nil {
			return err
		}
		f.res.After, b.res.Start.Val = f.res.Before, f.res.Before
	}
	if f.c.Resume != nil {
		if err := b.restore(ctx); err != nil {
			return err
		}
	}
	b.res.Finish = b.finish
	for !f.finished() {
		err := b.step(ctx)
		every := max(1, f.c.SaveEvery)
		switch {
		case err == nil && (f.step%every == 0 || f.finished()):
			err = f.save()
		case err != nil && ctx.Err() != nil:
			err = errors.Join(err, f.save())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// begin standardises the features and puts the constant into the model.
func (b *boosting) begin() (err error) {
	x := b.fitted
	if err := x.features.Standardise(); err != nil {
		return err
	}
	if b.start, err = b.loss.Start(x.y, b.d); err != nil {
		return fmt.Errorf("train: gbnn: the training data: %w", err)
	}
	b.scale = make([]float64, b.d)
	for k := range b.scale {
		b.start[k], b.scale[k] = b.real(b.start[k]), 1
	}
	if _, values := b.loss.(gbnn.Regression); values { // residuals of deviation about 1, whatever the unit
		sum := make([]float64, b.d)
		for i, v := range x.y {
			e := v - b.start[i%b.d]
			sum[i%b.d] += e * e
		}
		for k, v := range sum {
			if s := math.Sqrt(v / float64(x.features.N)); s > 0 {
				b.scale[k] = s
			}
		}
	}
	b.bias = append([]float64(nil), b.start...)
	if b.biases, err = tensor.Make("the biases of the steps", tensor.Float64, b.f.steps()+1, b.f.c.Task.K); err != nil {
		return err
	}
	for k, v := range b.outputs(b.bias) {
		setAt(b.f.changed[3].Value, k, v)
	}
	b.keepBias(0)
	b.m.Changed(b.g.Params()...)
	return nil
}

// outputs are what the values v [D] of boosting are as outputs [K].
func (b *boosting) outputs(v []float64) []float64 {
	z := make([]float64, len(b.out))
	for k, row := range b.out {
		for i, w := range row {
			z[k] += w * v[i]
		}
	}
	return z
}

// keepBias notes the biases after a step.
func (b *boosting) keepBias(step int) {
	k := b.f.c.Task.K
	copy(tensor.Data[float64](b.biases)[step*k:(step+1)*k], b.outputs(b.bias))
}

func setAt(t *tensor.Tensor, i int, v float64) {
	if t.DType() == tensor.Float64 {
		tensor.Data[float64](t)[i] = v
		return
	}
	t.F32()[i] = float32(v)
}

// values are F of all rows of x: the units so far and the bias.
func (b *boosting) values(x *boosted) []float64 {
	f := make([]float64, len(x.sum))
	for i, v := range x.sum {
		f[i] = v + b.bias[i%b.d]
	}
	return f
}

// step fits the next units, and closes an epoch with them.
func (b *boosting) step(ctx context.Context) error {
	f, x, begin := b.f, b.fitted, time.Now()
	values, r := b.values(x), make([]float64, len(x.y))
	b.loss.Residuals(r, values, x.y, b.d)
	scaled := make([]float64, len(r))
	for i, v := range r {
		scaled[i] = v / b.scale[i%b.d]
	}
	l, err := gbnn.Fit(ctx, b.m.Pool(), &x.features, scaled, b.d, f.step, b.o)
	if err != nil {
		return err
	}
	round(l.V, b.real)
	l.Shift(&x.features)
	round(l.C, b.real)
	for k, s := range b.scale {
		l.D[k] *= s
		for j := range b.o.Step {
			l.W[k*b.o.Step+j] *= s
		}
	}
	h, p := make([]float64, x.features.N*b.o.Step), make([]float64, len(r))
	l.Hidden(b.m.Pool(), &x.features, h)
	l.Outputs(h, p)
	rho := b.loss.Rate(p, values, r, x.y, b.d, b.o.Eta)
	if rho-rho != 0 {
		return f.diverged(f.step+1, fmt.Sprintf("the step length is not finite (%v)", rho), nil)
	}
	for i := range l.W {
		l.W[i] = b.real(rho * l.W[i])
	}
	for k := range l.D {
		b.bias[k] = b.real(b.bias[k] + rho*l.D[k])
	}
	b.put(f.step, l)
	b.keepBias(f.step + 1)
	b.advance(f.step, l, h)
	f.step, f.examples = f.step+1, f.examples+x.features.N
	loss, hit := b.trainTally()
	if loss-loss != 0 {
		return f.diverged(f.step, fmt.Sprintf("the loss is not finite (%v)", loss), nil)
	}
	f.part = part{tally: tally{loss: loss, terms: 1}, measures: map[string]float64{
		"gbnn.units": float64(f.step * b.o.Step), "gbnn.rho": rho,
	}}
	if f.c.Task.HasClasses() {
		f.part.n, f.part.hit = x.features.N, int(math.Round(hit*float64(x.features.N)))
	}
	if f.c.Step != nil {
		pr := Progress{Epoch: f.epochs + 1, Epochs: f.c.Epochs, Step: f.step, Steps: f.steps(), Batch: 1, Batches: 1, Examples: f.examples,
			Loss: loss, Accuracy: hit, BatchLoss: loss, LR: b.o.Eta}
		each := time.Since(begin)
		pr.SamplesPerSecond = float64(x.features.N) / each.Seconds()
		pr.ETA = time.Duration(f.steps()-f.step) * each
		if err := f.c.Step(pr); err != nil {
			return err
		}
	}
	return f.closeEpoch(ctx, func() float64 { return time.Since(begin).Seconds() })
}

func round(x []float64, real func(float64) float64) {
	for i, v := range x {
		x[i] = real(v)
	}
}

// put writes the units of a step into the parameters of the model; l.W is in the values of boosting.
func (b *boosting) put(step int, l *gbnn.Learner) {
	j, width, p := b.o.Step, b.g.Width, b.f.changed
	for i, v := range l.V {
		setAt(p[0].Value, step*j*width+i, v)
	}
	for i, v := range l.C {
		setAt(p[1].Value, step*j+i, v)
	}
	for u := range j {
		w := make([]float64, b.d)
		for k := range w {
			w[k] = l.W[k*j+u]
		}
		for k, v := range b.outputs(w) {
			setAt(p[2].Value, k*b.g.Units+step*j+u, v)
		}
	}
	for k, v := range b.outputs(b.bias) {
		setAt(p[3].Value, k, v)
	}
	b.m.Changed(b.g.Params()...)
}

// advance adds the units of a step to the sums of both data sets; h is what they are on the training data, nil where it is not known.
func (b *boosting) advance(step int, l *gbnn.Learner, h []float64) {
	zero := *l
	zero.D = make([]float64, b.d)
	for i, x := range []*boosted{b.fitted, b.val} {
		if x == nil {
			continue
		}
		if i > 0 || h == nil {
			h = make([]float64, x.features.N*b.o.Step)
			l.Hidden(b.m.Pool(), &x.features, h)
		}
		p := make([]float64, len(x.sum))
		zero.Outputs(h, p)
		for i, v := range p {
			x.sum[i] += v
		}
	}
	b.refresh()
}

// refresh gives the evaluation what the model says now.
func (b *boosting) refresh() {
	if b.val == nil {
		return
	}
	f := b.values(b.val)
	for i := range b.val.features.N {
		copy(b.logits.z[i*b.logits.k:(i+1)*b.logits.k], b.outputs(f[i*b.d:(i+1)*b.d]))
	}
}

// trainTally is the mean loss on the training data, and the share of right classes, NaN without classes.
func (b *boosting) trainTally() (loss, accuracy float64) {
	x := b.fitted
	f := b.values(x)
	loss, accuracy = b.loss.Mean(f, x.y, b.d), math.NaN()
	if !b.f.c.Task.HasClasses() {
		return loss, accuracy
	}
	hit := 0
	for i := range x.features.N {
		row, y := f[i*b.d:(i+1)*b.d], x.y[i*b.d:(i+1)*b.d]
		if b.d == 1 {
			hit += b2i((row[0] > 0) == (y[0] > 0))
			continue
		}
		hit += b2i(largestAt(row) == largestAt(y))
	}
	return loss, float64(hit) / float64(x.features.N)
}

func largestAt(x []float64) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}
