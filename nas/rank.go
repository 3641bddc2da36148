package nas

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/train"
)

// Measure says how networks are measured.
type Measure struct {
	Data, Val  data.Dataset     // statistics are estimated from Data, and accuracy measured on Val
	Task       *task.Task       // nil: what task.Of finds
	Feed       *feed.Plan       // nil: by name
	Preprocess *data.Preprocess // nil: pictures as they are
	BatchSize  int              // 0 means 64
	Examples   int              // of Data that statistics are estimated from; 0 means all
	Seed       uint64           // of the order in which statistics are estimated, and of which examples they are
	Pool       *parallel.Pool   // nil means one thread
}

// Ranked is a network with what it is worth.
type Ranked struct {
	Arch     []int
	Accuracy float64
	Loss     float64
	Params   int   // numbers that a training of it would change
	MACs     int64 // of one example
}

func (c *Measure) complete(ctx context.Context, n *Supernet) (err error) {
	if c.BatchSize == 0 {
		c.BatchSize = 64
	}
	c.Task, c.Feed, err = n.understand(ctx, c.Data, c.Task, c.Feed, c.Preprocess, c.Pool)
	return err
}

// Network is the network of a path as it is measured and written: an ordinary model with the weights of the supernet, whose batch
// normalisation has the statistics of the data, taken anew with these weights (train.EstimateBatchNorm). Those of the batch, by which a
// supernet is trained, would make what it says of an example depend on the examples beside it.
func (n *Supernet) Network(ctx context.Context, arch []int, c Measure) (*engine.Model, *feed.Plan, error) {
	if err := c.complete(ctx, n); err != nil {
		return nil, nil, err
	}
	file, err := n.Path(arch, Running)
	if err != nil {
		return nil, nil, err
	}
	return c.estimated(ctx, file)
}

// estimated loads a network, and gives it the statistics of the data.
func (c Measure) estimated(ctx context.Context, file *onnx.Model) (*engine.Model, *feed.Plan, error) {
	m, err := engine.Load(file, engine.WithPool(c.Pool))
	if err != nil {
		return nil, nil, err
	}
	plan, err := c.Feed.With(m)
	if err != nil {
		return nil, nil, err
	}
	return m, plan, c.estimate(ctx, m, plan)
}

// estimate gives a network the statistics of the data.
func (c Measure) estimate(ctx context.Context, m *engine.Model, plan *feed.Plan) error {
	ds := c.Data
	if c.Examples > 0 && c.Examples < ds.Len() {
		some := data.Shuffled(ds.Len(), c.Seed).Order(0)[:c.Examples]
		slices.Sort(some)
		var err error
		if ds, err = data.Subset(ds, some); err != nil {
			return err
		}
	}
	return train.EstimateBatchNorm(ctx, m, ds, plan, c.BatchSize, c.Preprocess, c.Seed)
}

// evaluate measures a network.
func (c Measure) evaluate(ctx context.Context, m *engine.Model, plan *feed.Plan, arch []int) (Ranked, error) {
	e, err := train.Evaluate(ctx, m, c.Val, train.EvalConfig{Task: c.Task, Feed: plan, BatchSize: c.BatchSize, Preprocess: c.Preprocess})
	if err != nil {
		return Ranked{}, err
	}
	r := Ranked{Arch: arch, Accuracy: e.Accuracy, Loss: e.Loss, Params: m.Weights().Parameters}
	if i, err := m.Inspect(nil); err == nil {
		r.MACs = i.MACs
	}
	return r, nil
}

// Rank measures networks with the weights that they inherit from the supernet, in the order of archs. done is told how many are; it may be
// nil.
func (n *Supernet) Rank(ctx context.Context, archs [][]int, c Measure, done func(int)) ([]Ranked, error) {
	if err := c.complete(ctx, n); err != nil {
		return nil, err
	}
	var list []Ranked
	for k, a := range archs {
		m, plan, err := n.Network(ctx, a, c)
		if err != nil {
			return nil, fmt.Errorf("nas: architecture %s: %w", Format(a), err)
		}
		r, err := c.evaluate(ctx, m, plan, a)
		if err != nil {
			return nil, fmt.Errorf("nas: architecture %s: %w", Format(a), err)
		}
		if list = append(list, r); done != nil {
			done(k + 1)
		}
	}
	return list, nil
}

// Alone says how a network is trained by itself.
type Alone struct {
	Epochs    int
	BatchSize int
	LR        float64 // SGD with momentum .9, weight decay 2.5e-4, half a cosine
	Clip      float64 // most norm of a gradient; 0 means any
	Seed      uint64  // of weights and order
}

// TrainAlone trains the network of a path from weights of its own, and measures it as Rank does.
func (n *Supernet) TrainAlone(ctx context.Context, arch []int, a Alone, c Measure) (Ranked, error) {
	if err := c.complete(ctx, n); err != nil {
		return Ranked{}, err
	}
	s := n.Space
	s.Seed = a.Seed
	fresh, err := New(s)
	if err != nil {
		return Ranked{}, err
	}
	file, err := fresh.Path(arch, Running)
	if err != nil {
		return Ranked{}, err
	}
	m, err := engine.Load(file, engine.WithPool(c.Pool))
	if err != nil {
		return Ranked{}, err
	}
	plan, err := c.Feed.With(m)
	if err != nil {
		return Ranked{}, err
	}
	o := optim.Config{WeightDecay: new(2.5e-4), Options: optim.Values{"momentum": 0.9}}
	if a.Clip > 0 {
		o.ClipNorm = &a.Clip
	}
	rule, err := optim.New("sgd", o)
	if err != nil {
		return Ranked{}, err
	}
	var params []string // those that the supernet trains
	for _, name := range n.names {
		if file.Initializer(name) != nil {
			params = append(params, name)
		}
	}
	if _, err := train.Fit(ctx, m, c.Data, train.Config{Params: params, Task: c.Task, Feed: plan, Epochs: a.Epochs, BatchSize: a.BatchSize,
		Optimizer: rule, Schedule: optim.Cosine{Max: a.LR}, BN: engine.BNTrain, Shuffle: true, Seed: a.Seed,
		Preprocess: c.Preprocess}); err != nil {
		return Ranked{}, err
	}
	if err := c.estimate(ctx, m, plan); err != nil {
		return Ranked{}, err
	}
	return c.evaluate(ctx, m, plan, arch)
}

// Sample is k different architectures drawn alike from all in which something of the input reaches the output, or all of these where there
// are no more.
func (l Layout) Sample(k int, seed uint64) [][]int {
	var list [][]int
	if size := l.Size(); size <= 1<<16 {
		var all [][]int
		for i := range int(size) {
			if a := l.Nth(i); l.Reaches(a) {
				all = append(all, a)
			}
		}
		if len(all) <= k {
			return all
		}
	}
	r := rand.New(rand.NewPCG(seed, keyPaths))
	uniform := NewPathLaw(len(l.Ops)).Law(0)
	taken := map[string]bool{}
	for len(list) < k {
		a := one(l, uniform, r)[0]
		if f := Format(a); !taken[f] && l.Reaches(a) {
			taken[f] = true
			list = append(list, a)
		}
	}
	return list
}

// Best sorts networks by accuracy, the best first; of equal ones the one with the lower loss.
func Best(list []Ranked) {
	slices.SortStableFunc(list, func(a, b Ranked) int {
		if o := order(b.Accuracy, a.Accuracy); o != 0 {
			return o
		}
		return order(a.Loss, b.Loss)
	})
}
