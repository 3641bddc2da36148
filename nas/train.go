package nas

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// Config says how Train trains a supernet.
type Config struct {
	Sampler    string           // of Samplers; "" means panda
	Task       *task.Task       // what the scores and the labels mean; nil: what task.Of finds for a path. It must have classes
	Feed       *feed.Plan       // what the input gets, of any path; nil: by name
	Preprocess *data.Preprocess // nil: pictures as they are
	Augment    data.Augment
	Epochs     int              // 0 means 60
	BatchSize  int              // 0 means 64
	Optimizer  *optim.Optimizer // nil means SGD with momentum .9 and weight decay 2.5e-4
	Schedule   optim.Schedule   // nil means half a cosine from 0.05
	Clip       float64          // most norm of the gradient of a step; 0 means 5, negative any
	Seed       uint64           // of order and paths
	Pool       *parallel.Pool   // of threads; nil means one

	Floor     float64 // of PathLaw
	Keep      bool    // of PathLaw and DataLaw
	Unbiased  bool    // losses of examples that are drawn by a law have the weights of Weights
	MaxWeight float64 // most of them; 0 means 10

	Resume *train.Checkpoint
	Traits []train.Trait // what a checkpoint has to agree in besides what Train knows itself

	// Each of these may be nil. An error ends the training.
	Step  func(train.Progress) error
	Epoch func(train.EpochReport) error
	// Save is called with a checkpoint after each epoch, and when the context is cancelled.
	Save func(*train.Checkpoint) error
	// Look is called after each epoch and may measure (see Trainer.Variance): what it gives joins the measures of the epoch, finite numbers
	// by name.
	Look func(ctx context.Context, t *Trainer, epoch int) (map[string]float64, error)
}

// Result is what Train did.
type Result struct {
	Steps   int // of the whole training
	Epochs  int
	Resumed int       // steps that were done before
	Paths   int       // that were trained, with repetitions
	Law     []float64 // of the operators, in the last epoch
	History []train.EpochReport
	Seconds float64
}

// Trainer is a training of a supernet in progress.
type Trainer struct {
	n       *Supernet
	ds      data.Dataset
	c       Config
	sampler Sampler
	nets    *networks
	params  map[string]*optim.Param
	grads   map[string]*tensor.Tensor
	data    *DataLaw
	path    *PathLaw
	traits  []train.Trait

	// The position, which a checkpoint holds.
	step, epochs, place int
	order               []int     // of the examples in this epoch
	weights             []float64 // of the losses of examples in this epoch, nil for 1
	law                 []float64 // of the operators in this epoch
	loss                float64   // sum over the examples of this epoch
	hit, seen           int
	history             []train.EpochReport
	spent               float64
	start               time.Time
}

// Train trains the supernet n on ds in place. When ctx is cancelled it calls c.Save and returns the context's error.
func Train(ctx context.Context, n *Supernet, ds data.Dataset, c Config) (*Result, error) {
	t, err := newTrainer(ctx, n, ds, c)
	if err != nil {
		return nil, err
	}
	if c.Resume != nil {
		if err := t.restore(c.Resume); err != nil {
			return nil, err
		}
	}
	resumed := t.step
	for t.epochs < t.c.Epochs {
		err := t.epoch(ctx)
		if err != nil && ctx.Err() == nil {
			return nil, err
		}
		if c.Save != nil {
			err = errors.Join(err, c.Save(t.checkpoint()))
		}
		if err != nil {
			return nil, err
		}
	}
	return &Result{Steps: t.step, Epochs: t.epochs, Resumed: resumed, Law: t.law, History: t.history,
		Seconds: t.seconds(), Paths: t.step * len(t.paths(0))}, nil
}

func newTrainer(ctx context.Context, n *Supernet, ds data.Dataset, c Config) (*Trainer, error) {
	if ds.Len() < 2 {
		return nil, fmt.Errorf("nas: %d examples: statistics of a batch need two at least", ds.Len())
	}
	if c.Sampler == "" {
		c.Sampler = "panda"
	}
	t := &Trainer{n: n, ds: ds, params: map[string]*optim.Param{}, grads: map[string]*tensor.Tensor{}}
	var err error
	if t.sampler, err = samplers.Lookup(c.Sampler); err != nil {
		return nil, fmt.Errorf("nas: %w", err)
	}
	if c.Epochs == 0 {
		c.Epochs = 60
	}
	if c.BatchSize == 0 {
		c.BatchSize = 64
	}
	if c.BatchSize = min(c.BatchSize, ds.Len()); c.BatchSize < 2 {
		return nil, fmt.Errorf("nas: a batch of %d: statistics of a batch need two examples at least", c.BatchSize)
	}
	if c.Clip == 0 {
		c.Clip = 5
	}
	if c.MaxWeight == 0 {
		c.MaxWeight = 10
	}
	if c.Optimizer == nil {
		if c.Optimizer, err = optim.New("sgd", optim.Config{WeightDecay: new(2.5e-4), Options: optim.Values{"momentum": 0.9}}); err != nil {
			return nil, err
		}
	}
	if c.Schedule == nil {
		c.Schedule = optim.Cosine{Max: 0.05}
	}
	if k := float64(len(n.Ops)); c.Floor < 0 || c.Floor*k >= 1 {
		return nil, fmt.Errorf("nas: a floor of %v under the probabilities of %d operators: want at least 0 and less than 1/%d", c.Floor,
			len(n.Ops), len(n.Ops))
	}
	if c.Task, c.Feed, err = n.understand(ctx, ds, c.Task, c.Feed, c.Preprocess, c.Pool); err != nil {
		return nil, err
	}
	per := data.NumBatches(ds.Len(), c.BatchSize, data.BatchOptions{MergeLone: true})
	if c.Schedule, err = optim.Begin(c.Schedule, optim.Timing{Total: per * c.Epochs, Step: 1, Epoch: float64(per),
		Sample: 1 / float64(c.BatchSize)}); err != nil {
		return nil, err
	}
	t.c = c
	t.nets = &networks{n: n, t: c.Task, plan: c.Feed, pool: c.Pool, most: keepBytes, list: map[string]*network{}}
	for _, name := range n.names {
		w := n.weight[name]
		t.params[name] = &optim.Param{Name: name, W: w, Decay: true}
		t.grads[name] = tensor.New(tensor.Float32, w.Shape()...)
	}
	t.data, t.path = NewDataLaw(ds.Len()), NewPathLaw(len(n.Ops))
	t.data.Keep, t.path.Keep, t.path.Floor = c.Keep, c.Keep, c.Floor
	t.traits = t.identify()
	t.start = time.Now()
	t.law = t.path.Law(0)
	return t, nil
}

// understand fills in what is fed and what the scores mean, by the first path.
func (n *Supernet) understand(ctx context.Context, ds data.Dataset, t *task.Task, p *feed.Plan, pre *data.Preprocess,
	pool *parallel.Pool) (*task.Task, *feed.Plan, error) {
	if t == nil || p == nil {
		file, err := n.Path(n.Full(), Running)
		if err != nil {
			return nil, nil, err
		}
		m, err := engine.Load(file, engine.WithPool(pool))
		if err != nil {
			return nil, nil, err
		}
		if p == nil {
			if p, err = feed.For(m, ds, feed.Options{}); err != nil {
				return nil, nil, err
			}
		}
		if t == nil {
			if t, err = task.Of(ctx, p, ds, task.Options{Preprocess: pre}); err != nil {
				return nil, nil, err
			}
		}
	}
	if t.Kind != task.Multiclass && t.Kind != task.Binary {
		return nil, nil, fmt.Errorf("nas: supernets are trained where each example has one class, and this is a %s task", t.Kind)
	}
	return t, p, data.Check(ds)
}

func (t *Trainer) seconds() float64 { return t.spent + time.Since(t.start).Seconds() }

// steps is the number of steps of the whole training.
func (t *Trainer) steps() int { return t.perEpoch() * t.c.Epochs }

func (t *Trainer) perEpoch() int { return data.NumBatches(t.ds.Len(), t.c.BatchSize, t.batching(0)) }

// batching says how an epoch is cut into batches, from a place of it on.
func (t *Trainer) batching(place int) data.BatchOptions {
	return data.BatchOptions{Preprocess: t.c.Preprocess, Augment: t.c.Augment, Seed: t.c.Seed, Epoch: t.epochs, Start: place,
		MergeLone: true}
}

// Keys that keep the uses of the seed apart.
const (
	keyPaths = 0x7061746873 + iota
	keyOrder
	keyLook
)

// paths are those of a step.
func (t *Trainer) paths(step int) [][]int {
	return t.sampler.paths(t.n.Layout, t.law, rand.New(rand.NewPCG(t.c.Seed^keyPaths<<16, uint64(step))))
}

// begin begins an epoch: what it shows, and how paths are drawn.
func (t *Trainer) begin() {
	tau := float64(t.epochs) / float64(t.c.Epochs)
	t.law = t.path.Law(0)
	if t.sampler.Path {
		t.law = t.path.Law(tau)
	}
	t.order, t.weights = data.Shuffled(t.ds.Len(), t.c.Seed).Order(t.epochs), nil
	if t.sampler.Data && t.epochs > 0 {
		p := t.data.Law(tau)
		t.order = t.drawn(p, t.ds.Len(), uint64(t.epochs))
		if t.c.Unbiased {
			t.weights = Weights(p, t.c.MaxWeight)
		}
	}
	t.data.Begin()
	t.path.Begin()
	t.place, t.loss, t.hit, t.seen = 0, 0, 0, 0
}

// drawn are k examples drawn by the law p, with replacement.
func (t *Trainer) drawn(p []float64, k int, stream uint64) []int {
	tree, r := data.NewSumTree(p), rand.New(rand.NewPCG(t.c.Seed^keyOrder<<16, stream))
	order := make([]int, k)
	for i := range order {
		order[i] = tree.Draw(r.Float64())
	}
	return order
}

// epoch trains for the rest of an epoch.
func (t *Trainer) epoch(ctx context.Context) error {
	if t.place == 0 {
		t.begin()
	}
	began := time.Now()
	from := t.seen
	sampler := data.SamplerFunc(func(int) []int { return t.order })
	for b, err := range data.Batches(ctx, t.ds, sampler, t.c.BatchSize, t.batching(t.place)) {
		if err != nil {
			return err
		}
		loss, hit, err := t.advance(ctx, b)
		if err != nil {
			return err
		}
		t.place += b.Len()
		t.loss, t.hit, t.seen = t.loss+loss*float64(b.Len()), t.hit+hit, t.seen+b.Len()
		if t.c.Step != nil {
			speed := float64(t.seen-from) / time.Since(began).Seconds()
			per := t.perEpoch()
			p := train.Progress{Epoch: t.epochs + 1, Epochs: t.c.Epochs, Step: t.step, Steps: t.steps(), Batch: t.step - t.epochs*per,
				Batches:   per,
				BatchSize: b.Len(), Loss: t.loss / float64(t.seen), Accuracy: float64(t.hit) / float64(t.seen), BatchLoss: loss,
				LR: t.c.Schedule.LR(t.step, t.steps()), SamplesPerSecond: speed}
			p.ETA = time.Duration(float64((t.steps()-t.step)*t.c.BatchSize) / speed * float64(time.Second))
			if err := t.c.Step(p); err != nil {
				return err
			}
		}
	}
	r := train.EpochReport{Epoch: t.epochs + 1, Step: t.step, LR: t.c.Schedule.LR(t.step, t.steps()), TrainLoss: t.loss / float64(t.seen),
		TrainAcc: float64(t.hit) / float64(t.seen), Seconds: time.Since(began).Seconds(), Measures: map[string]float64{}}
	for o, name := range t.n.Ops {
		r.Measures["path."+name] = t.law[o]
	}
	if t.c.Look != nil {
		more, err := t.c.Look(ctx, t, t.epochs+1)
		if err != nil {
			return err
		}
		maps.Copy(r.Measures, more)
	}
	t.history = append(t.history, r)
	t.epochs, t.place = t.epochs+1, 0
	if t.c.Epoch != nil {
		return t.c.Epoch(r)
	}
	return nil
}

// advance takes a step, and gives the mean loss of the batch before it and how many of its examples were decided rightly.
func (t *Trainer) advance(ctx context.Context, b *data.Batch) (loss float64, hit int, err error) {
	archs := t.paths(t.step)
	var weights []float64
	if t.weights != nil {
		for _, i := range b.Index {
			weights = append(weights, t.weights[i])
		}
	}
	touched := map[string]bool{}
	for _, arch := range archs {
		net, err := t.nets.get(arch)
		if err != nil {
			return 0, 0, err
		}
		got, err := net.run(ctx, t.c.Task, b, weights, func(i int, d *task.Decision) {
			t.data.See(b.Index[i], math.Sqrt(d.Error2()))
			if d.Right() {
				hit++
			}
		}, func(s shared, g *tensor.Tensor) {
			sum := t.grads[s.name].F32()
			if !touched[s.name] {
				touched[s.name] = true
				copy(sum, g.F32())
				return
			}
			for i, v := range g.F32() {
				sum[i] += v
			}
		})
		if err != nil {
			return 0, 0, err
		}
		loss += got / float64(len(archs))
	}
	lr := t.c.Schedule.LR(t.step+1, t.steps())
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return 0, 0, &train.DivergedError{Step: t.step + 1, LR: lr, What: fmt.Sprintf("the loss is not finite (%v)", loss)}
	}
	var ps []*optim.Param
	for _, name := range t.n.names {
		if touched[name] {
			p := t.params[name]
			p.G = t.grads[name]
			ps = append(ps, p)
		}
	}
	t.clip(ps)
	if len(archs) == 1 { // the norms are those of one path
		t.path.See(archs[0], t.norms(ps))
	}
	switch err := t.c.Optimizer.Step(t.c.Pool, optim.Step{N: t.step + 1, LR: lr}, ps); {
	case errors.Is(err, optim.ErrNotFinite):
		return 0, 0, &train.DivergedError{Step: t.step + 1, LR: lr, What: "a gradient is not finite", Err: err}
	case err != nil:
		return 0, 0, fmt.Errorf("nas: step %d: %w", t.step+1, err)
	}
	t.step++
	return loss, hit / len(archs), nil
}

// clip scales the gradients so that their norm is Clip at most.
func (t *Trainer) clip(ps []*optim.Param) {
	square := 0.0
	for _, p := range ps {
		n := norm(p.G.F32())
		square += n * n
	}
	if n := math.Sqrt(square); t.c.Clip > 0 && n > t.c.Clip {
		for _, p := range ps {
			for i := range p.G.F32() {
				p.G.F32()[i] *= float32(t.c.Clip / n)
			}
		}
	}
}

// norms is for each operator the sum of the norms of the gradients of its weights.
func (t *Trainer) norms(ps []*optim.Param) []float64 {
	sum := make([]float64, len(t.n.Ops))
	for _, p := range ps {
		if o, ok := t.n.owner[p.Name]; ok {
			sum[o.op] += norm(p.G.F32())
		}
	}
	return sum
}
