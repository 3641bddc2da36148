package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// Config says how Fit trains.
type Config struct {
	Params     []string         // what is trained (see Select); nil: every weight
	Task       *task.Task       // what outputs and labels mean, with the loss; nil: what task.Of finds, with Loss
	Feed       *feed.Plan       // what the inputs get; nil: arrays by name
	Loss       string           // of task.Losses; used without a Task
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
	steps := data.NumBatches(n, c.Batch(n), c.batching(0)) * max(1, c.Epochs)
	if c.MaxSteps > 0 {
		steps = min(steps, c.MaxSteps)
	}
	return steps
}

// batching says how an epoch is cut into batches.
func (c Config) batching(epoch int) data.BatchOptions {
	return data.BatchOptions{
		Preprocess: c.Preprocess, Augment: c.Augment, Seed: c.Seed, Epoch: epoch, MergeLone: c.BN == engine.BNTrain && c.BatchSize != 1,
	}
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
	Notes     []string
}

// ErrDiverged is the error of a loss that is not finite.
var ErrDiverged = errors.New("the loss is not finite")

// Fit trains m on ds in place. When ctx is cancelled it calls c.Save and returns the context's error with what was done so far.
func Fit(ctx context.Context, m *engine.Model, ds data.Dataset, c Config) (*Result, error) {
	f, err := newFit(ctx, m, ds, c)
	if err != nil {
		return nil, err
	}
	return f.run(ctx)
}

type fit struct {
	m       *engine.Model
	ds      data.Dataset
	c       Config
	s       *engine.Session
	params  []*optim.Param
	sums    map[string]*tensor.Tensor // gradients of a batch that is fed in parts
	eval    *Evaluator
	sampler data.Sampler
	batches int // in an epoch
	res     *Result
	step    int
	start   time.Time
}

func newFit(ctx context.Context, m *engine.Model, ds data.Dataset, c Config) (*fit, error) {
	if ds.Len() == 0 {
		return nil, errors.New("train: the data set is empty")
	}
	if c.Optimizer == nil || c.Schedule == nil {
		return nil, errors.New("train: no optimiser or schedule is given")
	}
	c.BatchSize, c.Epochs = c.Batch(ds.Len()), max(1, c.Epochs)
	f := &fit{m: m, ds: ds, c: c, res: &Result{}, sums: map[string]*tensor.Tensor{}}
	var err error
	if f.c.Task, f.c.Feed, err = understand(ctx, m, ds, c.Task, c.Feed, task.Options{Loss: c.Loss, Preprocess: c.Preprocess}); err != nil {
		return nil, err
	}
	if f.c.Task.Kind == task.Multiclass || f.c.Task.Kind == task.Binary {
		if err := data.Check(ds); err != nil {
			return nil, err
		}
	}
	if err := f.fixBatch(); err != nil {
		return nil, err
	}
	if f.c.Params == nil {
		if f.c.Params, err = Select(m, nil, false); err != nil {
			return nil, err
		}
	}
	m.Thaw()
	q := engine.Query{Loss: f.c.Task.Total(), Grad: f.c.Params, BN: c.BN, Dropout: c.Dropout, Fetch: []string{f.c.Task.Fetch()}}
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
	f.batches = data.NumBatches(ds.Len(), f.c.BatchSize, f.c.batching(0))
	if c.Val != nil {
		ec := EvalConfig{Task: f.c.Task, Feed: f.c.Feed, BatchSize: c.ValBatch, Preprocess: c.Preprocess}
		if f.eval, err = NewEvaluator(ctx, m, c.Val, ec); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// fixBatch settles how a model that takes its own number of examples only is trained: its gradients are added up over parts of a batch. Where
// statistics of the batch are trained, parts must be full.
func (f *fit) fixBatch() error {
	fixed := f.m.Batch()
	if fixed == 0 {
		return nil
	}
	f.note("the model takes so many examples at a time: %d. Others could not be proven to go through it: the gradients of a batch are added up over such parts", fixed)
	if f.c.BN != engine.BNTrain {
		return nil
	}
	if fixed == 1 {
		return errors.New("train: the model takes one example at a time, and statistics of one example say nothing: train with --bn frozen")
	}
	if f.c.BatchSize%fixed != 0 || f.ds.Len()%fixed != 0 {
		return fmt.Errorf("train: the model takes %[1]d examples at a time, and with --bn train none may be made up: give a --batch-size that is a multiple of %[1]d, and data "+
			"of which the number of examples is one (%[2]d is not), or --bn frozen", fixed, f.ds.Len())
	}
	return nil
}

func (f *fit) note(format string, args ...any) {
	f.res.Notes = append(f.res.Notes, fmt.Sprintf(format, args...))
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
	o := f.c.batching(epoch)
	o.Skip, o.Masks = f.step%f.batches, f.c.Task.Masks()
	begin := time.Now()
	var sum, terms float64 // of the loss
	var seen int           // examples
	var all tally          // of decisions
	for b, err := range data.Batches(ctx, f.ds, f.sampler, f.c.BatchSize, o) {
		if err != nil {
			return err
		}
		if f.step == f.steps() {
			break
		}
		one, err := f.one(ctx, b)
		if err != nil {
			return err
		}
		seen += b.Len()
		sum, terms, all.n, all.hit = sum+one.loss, terms+one.terms, all.n+one.n, all.hit+one.hit
		if f.c.Step == nil {
			continue
		}
		p := Progress{
			Epoch: epoch + 1, Epochs: f.c.Epochs, Step: f.step, Steps: f.steps(), Batch: (f.step-1)%f.batches + 1, Batches: f.batches,
			Loss: sum / max(terms, 1), Accuracy: all.accuracy(), LR: f.c.Schedule.LR(f.step, f.steps()),
		}
		spent := time.Since(begin)
		p.SamplesPerSecond = float64(seen) / spent.Seconds()
		left := float64(f.steps()-f.step) * float64(f.c.BatchSize)
		p.ETA = time.Duration(left / p.SamplesPerSecond * float64(time.Second))
		if err := f.c.Step(p); err != nil {
			return err
		}
	}
	r := EpochReport{Epoch: epoch + 1, TrainLoss: sum / max(terms, 1), TrainAcc: all.accuracy(), Seconds: time.Since(begin).Seconds(), Measures: map[string]float64{}}
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

// one trains on one batch and tells the sum of its loss with its terms, and how many decisions of it were right before the step.
func (f *fit) one(ctx context.Context, b *data.Batch) (r tally, err error) {
	t := f.c.Task
	truth, err := t.Truth(b)
	if err != nil {
		return r, fmt.Errorf("train: %w", err)
	}
	r.terms = truth.Total()
	mean, parts := 0.0, 0
	for _, p := range f.params {
		p.G = nil
	}
	f.s.SetSeed(int64(f.c.Seed<<32) + int64(f.step))
	err = f.c.Feed.Run(ctx, f.s, b, truth.Rows(truth.Mean()), func(p feed.Part) error {
		mean += p.Loss().Float64s()[0]
		f.gather(p.Result, parts, p.Size >= b.Len())
		parts++
		if !t.HasClasses() {
			return nil
		}
		return t.Decisions(p.Value(t.Fetch()), p.Hi-p.Lo, truth.Slice(p.Lo, p.Hi), func(_ int, d *task.Decision) {
			r.n++
			r.hit += b2i(d.Right())
		})
	})
	if err != nil {
		return r, err
	}
	if math.IsNaN(mean) || math.IsInf(mean, 0) {
		return r, fmt.Errorf("train: step %d: %w (%v): lower the learning rate or check the data", f.step+1, ErrDiverged, mean)
	}
	r.loss = mean * r.terms
	ps := f.params[:0:0]
	for _, p := range f.params {
		if p.G != nil {
			ps = append(ps, p)
		}
	}
	f.step++
	s := optim.Step{N: f.step, LR: f.c.Schedule.LR(f.step, f.steps())}
	if err := f.c.Optimizer.Step(f.m.Pool(), s, ps); err != nil {
		return r, fmt.Errorf("train: step %d: %w", f.step, err)
	}
	return r, nil
}

// gather takes the gradients of a part of a batch, the whole of it when all is true; else they are added up.
func (f *fit) gather(r *engine.Result, part int, all bool) {
	for _, p := range f.params {
		g := r.Grad(p.Name)
		switch sum := f.sums[p.Name]; {
		case g == nil:
		case all:
			p.G = g
		case sum == nil:
			p.G = g.Clone()
			f.sums[p.Name] = p.G
		case part == 0:
			copy(sum.Bytes(), g.Bytes())
			p.G = sum
		default:
			addTo(sum, g)
			p.G = sum
		}
	}
}

// addTo adds g to sum, of the same type and shape.
func addTo(sum, g *tensor.Tensor) {
	if sum.DType() == tensor.Float64 {
		s := tensor.Data[float64](sum)
		for i, v := range tensor.Data[float64](g) {
			s[i] += v
		}
		return
	}
	s := sum.F32()
	for i, v := range g.F32() {
		s[i] += v
	}
}
