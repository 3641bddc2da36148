package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/denoise"
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
	MicroBatch int              // a batch goes through the model in parts of so many examples at most, whose gradients are added up; 0: whole
	Memory     int              // bytes that a step may plan for values at most, by computing again what does not fit; 0: any
	Growth     *BatchGrowth     // batches grow from BatchSize; nil: they stay as they are
	Optimizer  *optim.Optimizer //
	Schedule   optim.Schedule   //
	BN         engine.BNMode    //
	Dropout    bool             //
	TrAct      *TrAct           // nil: plain gradients in the first layer
	Unfreeze   *Unfreeze        // train the last layers first; nil: all from the start
	Teacher    *Teacher         // learned from beside the truth; nil for none
	NoProp     *NoPropNet       // of a model that is its Chain: blocks trained each by itself; nil: all of it by one gradient
	Contrast   *Contrast        // the views of a contrastive Task; nil for other tasks
	Restore    *Restore         // the patches of a restoring Task; nil for other tasks
	Preprocess *data.Preprocess // nil: pictures as they are
	Augment    data.Augment     //
	Shuffle    bool             //
	Balanced   bool             // an epoch has as many examples of one class as of another; with Shuffle
	Importance *Importance      // examples are drawn by their gradients; with Shuffle; nil: each comes once in an epoch
	Seed       uint64           //
	NoDecay1D  bool             // no weight decay on parameters of one axis: biases and normalisation
	Val        data.Dataset     // evaluated before, after each epoch, and at the end; may be nil
	ValBatch   int              // batch size of the evaluation; 0: 64
	Patience   int              // stop after so many epochs without progress in the first metric of the task on Val; 0: never
	MinDelta   float64          // what counts as progress

	Resume *Checkpoint // continue from here
	Traits []Trait     // what a checkpoint has to agree in, besides what Fit knows itself
	Anyway bool        // continue from the checkpoint of a run that differs

	// Note is told what is worth knowing, which Result.Notes has too. It may be nil, as may those that follow.
	Note func(string)
	// Reduce sees the gradients of a batch before the step, and may change them. Params without a gradient are not among them.
	Reduce func(ctx context.Context, params []*optim.Param) error
	// Step is called after each step; Epoch after each epoch. An error ends the training.
	Step  func(Progress) error
	Epoch func(EpochReport) error
	// Save is called with a checkpoint after each epoch, after each SaveEvery steps, and when the context is cancelled.
	Save      func(*Checkpoint) error
	SaveEvery int // 0: only after each epoch
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
		Preprocess: c.Preprocess, Augment: c.Augment, Seed: c.Seed, Epoch: epoch, DropLast: c.Contrast != nil,
		MergeLone: c.BN == engine.BNTrain && c.BatchSize != 1,
	}
}

// Progress is the state after a step.
type Progress struct {
	Epoch, Epochs    int     // from 1
	Step, Steps      int     // in the whole training, from 1
	Batch, Batches   int     // in the epoch, from 1
	Examples         int     // seen in the whole training
	BatchSize        int     // examples of this batch
	Loss, Accuracy   float64 // running means over the epoch; Accuracy is NaN without classes
	BatchLoss        float64 // of this batch, before the step
	LR               float64
	SamplesPerSecond float64
	ETA              time.Duration
}

// EpochReport is the state after an epoch.
type EpochReport struct {
	Epoch               int // from 1
	Step, Examples      int // so far
	LR                  float64
	TrainLoss, TrainAcc float64
	Val                 *Evaluation // nil without validation data
	Best                bool        // it is the best epoch so far
	Seconds             float64
	Measures            map[string]float64 // what the optimiser reports, for example "diffgrad.xi"
}

// Result is what Fit did.
type Result struct {
	Steps     int         // of the whole training, those before a resume too
	Epochs    int         // likewise
	Examples  int         // seen, likewise
	Resumed   int         // steps that were done before
	Stopped   bool        // for want of progress
	Converged string      // why the optimiser could go no further, "" for one that could
	TrainLoss float64     // mean of the last epoch
	Before    *Evaluation // of the model as it was
	After     *Evaluation // of the model as it is
	Best      *Best       // nil without validation data
	Raw       *Raw        // the weights of the last step, where an exponential average of them is kept; else nil
	History   []EpochReport
	Seconds   float64
	TrAct     *TrActLayer
	Sizes     []BatchChange // of batches, with Config.Growth
	ArenaMiB  float64       // memory of activations and gradients
	Notes     []string
}

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
	q       engine.Query // of s
	layers  [][]string   // of parameters, with Unfreeze
	params  []*optim.Param
	changed []*engine.Param           // what training changes: weights, and statistics with BNTrain
	sums    map[string]*tensor.Tensor // gradients of what is fed in parts, because the model takes so many examples at a time
	parts   *feed.Plan                // feeds a batch of all examples; nil where batches are fed as they are
	total   map[string]*tensor.Tensor // gradients of a batch that comes in parts
	now     *pass                     // the step that is under way, nil between two
	growth  *growth                   // nil: batches do not grow
	tract   *tracting                 // nil: plain gradients in the first layer
	loss    *objective                // that an optim.Descender asks
	noise   *denoiser                 // with NoProp
	anneal  denoise.Anneal            // with Restore
	eval    evaluator
	sampler data.Sampler
	batches int // in an epoch
	traits  []Trait
	judge   *judge
	state   func() []tensor.Named // what a method keeps in checkpoints beside parameters, nil for nothing
	given   optim.Schedule        // as the configuration has it, before it was that of this training
	res     *Result
	start   time.Time

	importance *importance // nil: examples are not drawn by their gradients

	// The position, which a checkpoint holds.
	step     int     // steps done
	epochs   int     // epochs that are finished
	begun    int     // step at which the present epoch began
	examples int     // seen
	place    int     // of them in the present epoch
	size     int     // of a batch
	last     int     // examples of the last batch
	rate     float64 // learning rate of the last step
	part     part
	spent    float64 // seconds before this run
}

// part is what is known of an epoch that is not finished.
type part struct {
	tally
	seconds  float64
	measures map[string]float64 // after its last step, where that was taken before a resume
}

func newFit(ctx context.Context, m *engine.Model, ds data.Dataset, c Config) (*fit, error) {
	if ds.Len() == 0 {
		return nil, errors.New("train: the data set is empty")
	}
	if c.Optimizer == nil || c.Schedule == nil {
		return nil, errors.New("train: no optimiser or schedule is given")
	}
	c.BatchSize, c.Epochs = c.Batch(ds.Len()), max(1, c.Epochs)
	f := &fit{m: m, ds: ds, c: c, res: &Result{}, sums: map[string]*tensor.Tensor{}, total: map[string]*tensor.Tensor{}, size: c.BatchSize}
	var err error
	if f.c.Task, f.c.Feed, err = understand(ctx, m, ds, c.Task, c.Feed, task.Options{Loss: c.Loss, Preprocess: c.Preprocess}); err != nil {
		return nil, err
	}
	if f.c.Task.Kind == task.Multiclass || f.c.Task.Kind == task.Binary {
		if err := data.Check(ds); err != nil {
			return nil, err
		}
	}
	if err := f.mayAugment(); err != nil {
		return nil, err
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
	q := engine.Query{Loss: f.c.Task.Total(), Grad: f.c.Params, BN: c.BN, Dropout: c.Dropout, Fetch: []string{f.c.Task.Fetch()},
		Memory: c.Memory}
	if c.Teacher != nil {
		if err := c.Teacher.check(f.c.Task); err != nil {
			return nil, err
		}
		q.Loss = f.c.Task.Distilled(c.Teacher.Distil)
	}
	if err := f.mayEvaluate(&q); err != nil {
		return nil, err
	}
	if err := f.prepareTrAct(); err != nil {
		return nil, err
	}
	if c.Unfreeze != nil {
		if err := f.prepareUnfreezing(); err != nil {
			return nil, err
		}
		q.Grad = f.trainedIn(0)
	}
	if c.NoProp != nil { // the blocks have sessions of their own
		q.Grad, q.BN = nil, engine.BNFrozen
	}
	f.q = q
	if err := f.prepareImportance(); err != nil {
		return nil, err
	}
	if f.s, err = m.Session(f.importance.ask(f.tract.ask(q))); err != nil {
		return nil, err
	}
	for _, name := range f.c.Params {
		p, err := m.Param(name)
		if err != nil {
			return nil, err
		}
		f.params = append(f.params, &optim.Param{Name: name, W: p.Value, Decay: !c.NoDecay1D || p.Value.Rank() > 1})
		f.changed = append(f.changed, p)
	}
	if err := f.prepareEvaluation(); err != nil {
		return nil, err
	}
	if c.NoProp != nil {
		if err := f.prepareNoProp(); err != nil {
			return nil, err
		}
	}
	if c.BN == engine.BNTrain {
		for p := range m.Params() {
			if p.State {
				f.changed = append(f.changed, p)
			}
		}
		if c.Optimizer.Averages() && len(f.changed) > len(f.params) {
			f.note("the weights that are measured and kept are an average, the statistics of batch normalisation those of the weights that are " +
				"trained; with --bn frozen both go together")
		}
	}
	if f.sampler == nil {
		f.sampler = data.Sequential(ds.Len())
		if f.c.Shuffle {
			f.sampler = data.Shuffled(ds.Len(), c.Seed)
		}
	}
	if c.Balanced {
		if err := f.balance(); err != nil {
			return nil, err
		}
	}
	f.batches = data.NumBatches(ds.Len(), f.c.BatchSize, f.c.batching(0))
	if err := f.prepareGrowth(); err != nil {
		return nil, err
	}
	if err := f.beginSchedule(); err != nil {
		return nil, err
	}
	f.loneNote()
	if c.Patience > 0 && c.Val == nil {
		return nil, errors.New("train: stopping for want of progress needs validation data")
	}
	if c.Save != nil || c.Resume != nil {
		f.traits = f.identify()
	}
	if c.Val != nil {
		if f.eval, err = f.evaluator(ctx); err != nil {
			return nil, err
		}
		f.judge = newJudge(f.c.Task, c.Patience, c.MinDelta)
	}
	return f, nil
}

// fixBatch settles how a model that takes its own number of examples only is trained: its gradients are added up over parts of a batch.
// Where statistics of the batch are trained, parts must be full.
func (f *fit) fixBatch() error {
	fixed := f.m.Batch()
	if fixed == 0 || f.c.Contrast != nil {
		return nil
	}
	f.note("the model takes so many examples at a time: %d. Others could not be proven to go through it: the gradients of a batch are "+
		"added up over such parts", fixed)
	if f.c.BN != engine.BNTrain {
		return nil
	}
	if fixed == 1 {
		return errors.New("train: the model takes one example at a time, and statistics of one example say nothing: train with --bn frozen")
	}
	if f.c.BatchSize%fixed != 0 || f.ds.Len()%fixed != 0 {
		return fmt.Errorf("train: the model takes %[1]d examples at a time, and with --bn train none may be made up: give a "+
			"--batch-size that is a multiple of %[1]d, and data "+
			"of which the number of examples is one (%[2]d is not), or --bn frozen", fixed, f.ds.Len())
	}
	return nil
}

func (f *fit) note(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	f.res.Notes = append(f.res.Notes, n)
	if f.c.Note != nil {
		f.c.Note(n)
	}
}

func (f *fit) run(ctx context.Context) (*Result, error) {
	f.start = time.Now()
	if f.c.Resume != nil {
		if err := f.restore(f.c.Resume); err != nil {
			return nil, err
		}
		f.res.Resumed = f.step
	}
	if f.eval != nil {
		var err error
		if f.res.Before == nil {
			if f.res.Before, err = f.evaluate(ctx); err != nil {
				return nil, err
			}
		}
		f.res.After = f.res.Before
		if f.finished() && f.step > 0 {
			if f.res.After, err = f.evaluate(ctx); err != nil {
				return nil, err
			}
		}
	}
	for !f.finished() {
		err := f.epoch(ctx)
		f.m.Changed(f.c.Params...)
		if err == nil {
			err = f.save()
		} else if ctx.Err() != nil {
			err = errors.Join(err, f.save())
		}
		if err != nil {
			return f.result(), err
		}
	}
	err := f.settle()
	return f.result(), err
}

// evaluate measures the model as it would be kept.
func (f *fit) evaluate(ctx context.Context) (v *Evaluation, err error) {
	err = f.averaged(func() error {
		v, err = f.eval.Run(ctx)
		return err
	})
	return v, err
}

// finished reports whether nothing is left to do.
func (f *fit) finished() bool {
	return f.step == f.begun && (f.step >= f.steps() || f.judge.enough() || f.converged() != "")
}

// save hands over a checkpoint, if one is wanted.
func (f *fit) save() error {
	if f.c.Save == nil {
		return nil
	}
	if err := f.finite(); err != nil {
		return err
	}
	return f.c.Save(f.checkpoint())
}

func (f *fit) result() *Result {
	f.res.Steps, f.res.Epochs, f.res.Examples, f.res.Stopped = f.step, f.epochs, f.examples, f.judge.enough()
	f.res.Converged = f.converged()
	f.res.Seconds = f.spent + time.Since(f.start).Seconds()
	f.res.ArenaMiB = float64(f.s.ArenaBytes()) / (1 << 20)
	if f.noise != nil {
		f.res.ArenaMiB = f.noise.arena() / (1 << 20)
	}
	if f.judge != nil {
		f.res.Best = f.judge.best
	}
	if f.growth != nil {
		f.res.Sizes = f.growth.changes
	}
	return f.res
}

// epoch runs the rest of the epoch that f.step is in, and closes it.
func (f *fit) epoch(ctx context.Context) error {
	if err := f.unfreeze(); err != nil {
		return err
	}
	begin, old := time.Now(), f.part.seconds
	seen := 0 // examples
	for f.left() > 0 && f.step < f.steps() && f.converged() == "" {
		size := f.size
		for b, err := range f.read(ctx, size, f.batching(f.place)) {
			if err != nil {
				return f.abandon(err)
			}
			if f.step >= f.steps() || f.converged() != "" {
				break
			}
			one, done, err := f.advance(ctx, b)
			if err != nil {
				return f.abandon(err)
			}
			seen += f.examplesIn(b)
			if !done {
				continue
			}
			f.part.add(one)
			f.part.seconds = old + time.Since(begin).Seconds()
			if f.c.Step != nil {
				if err := f.c.Step(f.progress(one, float64(seen)/time.Since(begin).Seconds())); err != nil {
					return err
				}
			}
			if n := f.c.SaveEvery; n > 0 && f.step%n == 0 && f.left() > 0 && f.step < f.steps() {
				if err := f.save(); err != nil {
					return err
				}
			}
			if f.size != size {
				break // the rest of the epoch is cut anew
			}
		}
	}
	return f.closeEpoch(ctx, func() float64 { return old + time.Since(begin).Seconds() })
}

// progress is the state after a step, of which one tells the batch, at so many examples in a second.
func (f *fit) progress(one tally, speed float64) Progress {
	p := Progress{
		Epoch: f.epochs + 1, Epochs: f.c.Epochs, Step: f.step, Steps: f.steps(), Batch: f.step - f.begun, Batches: f.step - f.begun + f.left(),
		Examples: f.examples, BatchSize: f.last,
		Loss: f.part.mean(), Accuracy: f.part.accuracy(), BatchLoss: one.mean(), LR: f.lr(), SamplesPerSecond: speed,
	}
	p.ETA = time.Duration(float64(p.Steps-p.Step) * float64(f.size) / speed * float64(time.Second))
	return p
}

// closeEpoch measures the model after an epoch and makes the report.
func (f *fit) closeEpoch(ctx context.Context, seconds func() float64) error {
	if err := f.finite(); err != nil {
		return err
	}
	r := EpochReport{
		Epoch: f.epochs + 1, Step: f.step, Examples: f.examples, LR: f.lr(), TrainLoss: f.part.mean(), TrainAcc: f.part.accuracy(),
		Seconds:  seconds(),
		Measures: f.measures(),
	}
	if f.eval != nil {
		f.m.Changed(f.c.Params...)
		err := f.averaged(func() (err error) {
			if r.Val, err = f.validate(ctx); err != nil {
				return err
			}
			if r.Best = f.judge.see(r); r.Best {
				f.judge.best.keep(f.changed)
			}
			return nil
		})
		if err != nil {
			return err
		}
		f.res.After.forget()
		f.res.After = r.Val
	}
	f.res.TrainLoss = r.TrainLoss
	f.res.History = append(f.res.History, r)
	f.watch(r)
	f.epochs, f.begun, f.place, f.part = f.epochs+1, f.step, 0, part{}
	if f.c.Epoch != nil {
		return f.c.Epoch(r)
	}
	return nil
}

// measures is what the optimiser says of the last step.
func (f *fit) measures() map[string]float64 {
	if f.part.measures != nil {
		return f.part.measures
	}
	m := map[string]float64{}
	for name, v := range f.c.Optimizer.Report() {
		m[name] = v
	}
	f.growth.report(f, m)
	return m
}
