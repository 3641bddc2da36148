package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

// Config says how Fit trains.
type Config struct {
	Params     []string         // what is trained (see Select); nil: every weight
	Loss       string           // of Losses; "" by the data
	Epochs     int              //
	MaxSteps   int              // stop after that many steps; 0: no limit
	BatchSize  int              // 0: 32; negative: all examples in one batch
	Optimizer  *optim.Optimizer //
	Schedule   optim.Schedule   //
	BN         engine.BNMode    //
	Dropout    bool             //
	TrAct      *TrAct           // nil: plain gradients in the first layer
	Preprocess *data.Preprocess // nil: pictures as they are
	Augment    data.Augment     //
	Shuffle    bool             //
	Seed       uint64           //
	Resume     *Checkpoint      // continue from here
	NoDecay1D  bool             // no weight decay on parameters of one axis: biases and normalisation
	Val        data.Dataset     // evaluated before, after each epoch, and at the end; may be nil
	ValBatch   int              // batch size of the evaluation; 0: 64

	// Step is called after each step; Epoch after each epoch. An error ends the training.
	Step  func(Progress) error
	Epoch func(EpochReport) error
	// Save is called with a checkpoint after each epoch, and when the context is cancelled.
	Save func(*Checkpoint) error
}

// Batch is the number of examples in a full batch of a data set of n.
func (c Config) Batch(n int) int {
	size := c.BatchSize
	if size == 0 {
		size = 32
	}
	if size < 0 || size > n {
		size = n
	}
	return size
}

// Steps is the number of steps of a whole training on n examples.
func (c Config) Steps(n int) int {
	size := c.Batch(n)
	steps := (n + size - 1) / max(1, size) * max(1, c.Epochs)
	if c.MaxSteps > 0 {
		steps = min(steps, c.MaxSteps)
	}
	return steps
}

// Progress is the state after a step.
type Progress struct {
	Epoch, Epochs    int     // from 1
	Step, Steps      int     // in the whole training, from 1
	Batch, Batches   int     // in the epoch, from 1
	Loss, Accuracy   float64 // running means over the epoch; Accuracy is NaN without classes
	LR               float64
	SamplesPerSecond float64
	ETA              time.Duration
}

// EpochReport is the state after an epoch.
type EpochReport struct {
	Epoch               int
	TrainLoss, TrainAcc float64
	Val                 *Evaluation // nil without validation data
	Seconds             float64
	Measures            map[string]float64 // what the optimiser reports, for example "diffgrad.xi"
}

// Result is what Fit did.
type Result struct {
	Steps     int
	Epochs    int
	TrainLoss float64 // mean of the last epoch
	Before    *Evaluation
	After     *Evaluation
	History   []EpochReport
	Seconds   float64
	TrAct     *TrActLayer
	ArenaMiB  float64 // memory of activations and gradients
}

// ErrDiverged is the error of a loss that is not finite.
var ErrDiverged = errors.New("the loss is not finite")

// Fit trains m on ds in place. When ctx is cancelled it calls c.Save and returns the context's error with what was done so far.
func Fit(ctx context.Context, m *engine.Model, ds data.Dataset, c Config) (*Result, error) {
	f, err := newFit(m, ds, c)
	if err != nil {
		return nil, err
	}
	return f.run(ctx)
}

type fit struct {
	m       *engine.Model
	ds      data.Dataset
	c       Config
	in      engine.IO
	kind    LossKind
	head    engine.Head
	s       *engine.Session
	params  []*optim.Param
	eval    *Evaluator
	sampler data.Sampler
	batches int // in an epoch
	res     *Result
	step    int
	start   time.Time
}

func newFit(m *engine.Model, ds data.Dataset, c Config) (*fit, error) {
	if ds.Len() == 0 {
		return nil, errors.New("train: the data set is empty")
	}
	if c.Optimizer == nil || c.Schedule == nil {
		return nil, errors.New("train: no optimiser or schedule is given")
	}
	c.BatchSize, c.Epochs = c.Batch(ds.Len()), max(1, c.Epochs)
	f := &fit{m: m, ds: ds, c: c, res: &Result{}}
	var err error
	if f.in, err = dataInput(m); err != nil {
		return nil, err
	}
	if f.head, err = m.Head(""); err != nil {
		return nil, err
	}
	if f.kind, err = lossFor(c.Loss, ds); err != nil {
		return nil, err
	}
	if f.kind.Labels {
		if err := data.Check(ds); err != nil {
			return nil, err
		}
	}
	if f.c.Params == nil {
		if f.c.Params, err = Select(m, nil, false); err != nil {
			return nil, err
		}
	}
	m.Thaw()
	q := engine.Query{Loss: f.kind.Make(f.head, Mean), Grad: f.c.Params, BN: c.BN, Dropout: c.Dropout}
	if f.kind.Labels {
		q.Fetch = []string{f.head.Logits}
	}
	if c.TrAct != nil {
		trained := map[string]bool{}
		for _, p := range f.c.Params {
			trained[p] = true
		}
		l, err := c.TrAct.Find(m, func(n string) bool { return trained[n] })
		if err != nil {
			return nil, err
		}
		q.Override = c.TrAct.Override(l)
		f.res.TrAct = l
	}
	if f.s, err = m.Session(q); err != nil {
		return nil, err
	}
	for _, name := range f.c.Params {
		p, err := m.Param(name)
		if err != nil {
			return nil, err
		}
		f.params = append(f.params, &optim.Param{Name: name, W: p.Value, Decay: !c.NoDecay1D || p.Value.Rank() > 1})
	}
	f.sampler = data.Sequential(ds.Len())
	if c.Shuffle {
		f.sampler = data.Shuffled(ds.Len(), c.Seed)
	}
	f.batches = (ds.Len() + c.BatchSize - 1) / c.BatchSize
	if c.Val != nil {
		f.eval, err = NewEvaluator(m, c.Val, EvalConfig{Loss: c.Loss, BatchSize: c.ValBatch, Preprocess: c.Preprocess})
		if err != nil {
			return nil, err
		}
	}
	return f, nil
}

// steps is the number of steps of the whole training.
func (f *fit) steps() int { return f.c.Steps(f.ds.Len()) }

func (f *fit) run(ctx context.Context) (*Result, error) {
	f.start = time.Now()
	if f.c.Resume != nil {
		if err := f.restore(f.c.Resume); err != nil {
			return nil, err
		}
	}
	var err error
	if f.eval != nil {
		if f.res.Before, err = f.eval.Run(ctx); err != nil {
			return nil, err
		}
		f.res.After = f.res.Before
	}
	for f.step < f.steps() {
		err := f.epoch(ctx)
		f.m.Changed(f.c.Params...)
		if err != nil {
			if ctx.Err() != nil && f.c.Save != nil {
				if saveErr := f.c.Save(f.checkpoint()); saveErr != nil {
					err = errors.Join(err, saveErr)
				}
			}
			return f.result(), err
		}
		if f.c.Save != nil {
			if err := f.c.Save(f.checkpoint()); err != nil {
				return f.result(), err
			}
		}
	}
	return f.result(), nil
}

func (f *fit) result() *Result {
	f.res.Steps, f.res.Epochs = f.step, len(f.res.History)
	f.res.Seconds = time.Since(f.start).Seconds()
	f.res.ArenaMiB = float64(f.s.ArenaBytes()) / (1 << 20)
	return f.res
}

// epoch runs the rest of the epoch that f.step is in.
func (f *fit) epoch(ctx context.Context) error {
	epoch := f.step / f.batches
	o := data.BatchOptions{Preprocess: f.c.Preprocess, Augment: f.c.Augment, Seed: f.c.Seed, Epoch: epoch, Skip: f.step % f.batches}
	begin := time.Now()
	sum, seen, hits := 0.0, 0, 0
	for b, err := range data.Batches(ctx, f.ds, f.sampler, f.c.BatchSize, o) {
		if err != nil {
			return err
		}
		if f.step == f.steps() {
			break
		}
		loss, hit, err := f.one(ctx, b)
		if err != nil {
			return err
		}
		n := len(b.IDs)
		sum, seen, hits = sum+loss*float64(n), seen+n, hits+hit
		if f.c.Step == nil {
			continue
		}
		p := Progress{
			Epoch: epoch + 1, Epochs: f.c.Epochs, Step: f.step, Steps: f.steps(), Batch: (f.step-1)%f.batches + 1, Batches: f.batches,
			Loss: sum / float64(seen), Accuracy: math.NaN(), LR: f.c.Schedule.LR(f.step, f.steps()),
		}
		if f.kind.Labels {
			p.Accuracy = float64(hits) / float64(seen)
		}
		spent := time.Since(begin)
		p.SamplesPerSecond = float64(seen) / spent.Seconds()
		left := float64(f.steps()-f.step) * float64(f.c.BatchSize)
		p.ETA = time.Duration(left / p.SamplesPerSecond * float64(time.Second))
		if err := f.c.Step(p); err != nil {
			return err
		}
	}
	r := EpochReport{Epoch: epoch + 1, TrainLoss: sum / float64(max(seen, 1)), TrainAcc: math.NaN(), Seconds: time.Since(begin).Seconds(), Measures: map[string]float64{}}
	if f.kind.Labels {
		r.TrainAcc = float64(hits) / float64(max(seen, 1))
	}
	for name, v := range f.c.Optimizer.Report() {
		r.Measures[name] = v
	}
	f.res.TrainLoss = r.TrainLoss
	if f.eval != nil {
		f.m.Changed(f.c.Params...)
		var err error
		if r.Val, err = f.eval.Run(ctx); err != nil {
			return err
		}
		f.res.After = r.Val
	}
	f.res.History = append(f.res.History, r)
	if f.c.Epoch != nil {
		return f.c.Epoch(r)
	}
	return nil
}

// one trains on one batch and returns its mean loss and how many of it were classified rightly before the step.
func (f *fit) one(ctx context.Context, b *data.Batch) (loss float64, hits int, err error) {
	x, err := f.in.Adapt(b.X)
	if err != nil {
		return 0, 0, err
	}
	feeds := map[string]*tensor.Tensor{f.in.Name: x}
	if f.kind.Labels {
		feeds[LabelInput] = tensor.From(b.Labels, len(b.Labels))
	} else {
		if b.Y == nil {
			return 0, 0, errors.New("train: the data set has no targets for a regression")
		}
		feeds[TargetInput] = b.Y
	}
	f.s.SetSeed(int64(f.c.Seed<<32) + int64(f.step))
	r, err := f.s.Run(ctx, feeds)
	if err != nil {
		return 0, 0, err
	}
	loss = r.Loss().Float64s()[0]
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return 0, 0, fmt.Errorf("train: step %d: %w (%v): lower the learning rate or check the data", f.step+1, ErrDiverged, loss)
	}
	if f.kind.Labels {
		hits = correct(r.Value(f.head.Logits), b.Labels)
	}
	ps := f.params[:0:0]
	for _, p := range f.params {
		if g := r.Grad(p.Name); g != nil {
			p.G = g
			ps = append(ps, p)
		}
	}
	f.step++
	s := optim.Step{N: f.step, LR: f.c.Schedule.LR(f.step, f.steps())}
	if err := f.c.Optimizer.Step(f.m.Pool(), s, ps); err != nil {
		return 0, 0, fmt.Errorf("train: step %d: %w", f.step, err)
	}
	return loss, hits, nil
}

// correct counts the rows of z whose largest element is at the label.
func correct(z *tensor.Tensor, labels []int64) int {
	if len(labels) == 0 {
		return 0
	}
	all := z.Float64s()
	k, hits := len(all)/len(labels), 0
	for i, y := range labels {
		row := all[i*k : (i+1)*k]
		best := 0
		for j, v := range row {
			if v > row[best] {
				best = j
			}
		}
		if best == int(y) {
			hits++
		}
	}
	return hits
}
