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

// Partial computes what parts of the data add to the gradient of all, for trainings that add it up elsewhere: a vector of the gradients of
// the summed loss by each parameter, then with engine.BNTrain the running statistics that the part leaves, each times its number of
// examples, and at the end the loss, its terms, how many decisions were right, and of how many, and the examples. It is a function of
// parameters, part and seed alone, whoever computes it.
type Partial struct {
	m       *engine.Model
	c       PartialConfig
	s       *engine.Session
	params  []*engine.Param
	states  []*engine.Param
	size    int // of the gradients and statistics
	initial []byte
	idle    map[string]bool // parameters on which the loss was seen not to depend
}

// PartialConfig says what a Partial computes.
type PartialConfig struct {
	Params  []string // what is trained
	Task    *task.Task
	Feed    *feed.Plan
	BN      engine.BNMode
	Dropout bool
	Memory  int // as Config has it
}

// Adder is what a part is added to.
type Adder interface {
	Add32(at int, x []float32) // to the numbers from at on
	Add(i int, x float64)      // to number i
}

// The numbers behind gradients and statistics.
const (
	partLoss = iota
	partTerms
	partRight
	partDecisions
	partExamples
	partTail
)

// NewPartial prepares m, whose parameters are set by Load.
func NewPartial(m *engine.Model, c PartialConfig) (*Partial, error) {
	p := &Partial{m: m, c: c, idle: map[string]bool{}}
	if c.BN == engine.BNTrain && m.Batch() == 1 {
		return nil, errors.New("train: the model takes one example at a time, and statistics of one example say nothing: train with --bn frozen")
	}
	if c.BN == engine.BNTrain && m.Batch() > 1 {
		return nil, fmt.Errorf("train: the model takes %d examples at a time, which parts of the data are not: train with --bn frozen", m.Batch())
	}
	m.Thaw()
	var err error
	p.s, err = m.Session(engine.Query{Loss: c.Task.Total(), Grad: c.Params, BN: c.BN, Dropout: c.Dropout, Fetch: []string{c.Task.Fetch()},
		Memory: c.Memory})
	if err != nil {
		return nil, err
	}
	for _, name := range c.Params {
		x, err := m.Param(name)
		if err != nil {
			return nil, err
		}
		p.params, p.size = append(p.params, x), p.size+x.Value.Len()
	}
	if c.BN == engine.BNTrain {
		for x := range m.Params() {
			if x.State {
				p.states, p.size = append(p.states, x), p.size+x.Value.Len()
			}
		}
	}
	return p, nil
}

// Len is how many numbers a part gives.
func (p *Partial) Len() int { return p.size + partTail }

// Weights are the parameters and statistics as Load takes them, little-endian.
func (p *Partial) Weights() []byte {
	var b []byte
	for _, list := range [][]*engine.Param{p.params, p.states} {
		for _, x := range list {
			b = append(b, x.Value.Bytes()...)
		}
	}
	return b
}

// Load sets parameters and statistics.
func (p *Partial) Load(weights []byte) error {
	n := 0
	for _, list := range [][]*engine.Param{p.params, p.states} {
		for _, x := range list {
			n += len(x.Value.Bytes())
		}
	}
	if n != len(weights) {
		return fmt.Errorf("train: weights of %d bytes for a model that has %d", len(weights), n)
	}
	p.initial = weights
	p.load()
	return nil
}

func (p *Partial) load() {
	at := 0
	for _, list := range [][]*engine.Param{p.params, p.states} {
		for _, x := range list {
			at += copy(x.Value.Bytes(), p.initial[at:])
		}
	}
	for _, x := range p.states {
		p.m.Changed(x.Name)
	}
	p.m.Changed(p.c.Params...)
}

// Add adds what the examples of b give with the loaded weights; seed is that of the model's dropout.
func (p *Partial) Add(ctx context.Context, b *data.Batch, seed int64, to Adder) error {
	t := p.c.Task
	truth, err := t.Truth(b)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	ones := make([]float64, truth.N)
	for i := range ones {
		ones[i] = 1
	}
	p.s.SetSeed(seed)
	err = p.c.Feed.Run(ctx, p.s, b, truth.Rows(ones), func(part feed.Part) error {
		at := 0
		for _, x := range p.params {
			if g := part.Grad(x.Name); g == nil {
				p.idle[x.Name] = true
			} else {
				addAll(to, at, g, 1)
			}
			at += x.Value.Len()
		}
		loss := part.Loss().Float64s()[0]
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			return fmt.Errorf("%w: the loss is %v", ErrDiverged, loss)
		}
		to.Add(p.size+partLoss, loss)
		if !t.HasClasses() {
			return nil
		}
		return t.Decisions(part.Value(t.Fetch()), part.Hi-part.Lo, truth.Slice(part.Lo, part.Hi), func(_ int, d *task.Decision) {
			to.Add(p.size+partRight, float64(b2i(d.Right())))
			to.Add(p.size+partDecisions, 1)
		})
	})
	if err != nil {
		return err
	}
	at := p.size
	for i := len(p.states) - 1; i >= 0; i-- {
		at -= p.states[i].Value.Len()
		addAll(to, at, p.states[i].Value, float64(b.Len()))
	}
	if len(p.states) > 0 {
		p.load() // the next part begins with the statistics that this one did
	}
	to.Add(p.size+partTerms, truth.Total())
	to.Add(p.size+partExamples, float64(b.Len()))
	return nil
}

// addAll adds times·x to the numbers from at on.
func addAll(to Adder, at int, x *tensor.Tensor, times float64) {
	if times == 1 && x.DType() == tensor.Float32 {
		to.Add32(at, x.F32())
		return
	}
	for i, v := range x.Float64s() {
		to.Add(at+i, times*v)
	}
}

// Gathered is what the sum over all data says.
type Gathered struct {
	Loss     float64 // mean over all terms
	Accuracy float64 // share of the decisions that are right, NaN without classes
	Examples int
}

// Gather makes a step's gradients of the sum over all data, of which at(i) is number i: into G of ps, which are the parameters of this
// model, those left out on which the loss does not depend, and into the model's statistics.
func (p *Partial) Gather(at func(i int) float64, ps []*optim.Param) (got Gathered, use []*optim.Param, err error) {
	terms, examples := at(p.size+partTerms), at(p.size+partExamples)
	got = Gathered{at(p.size+partLoss) / terms, math.NaN(), int(examples)}
	if p.c.Task.HasClasses() {
		got.Accuracy = at(p.size+partRight) / at(p.size+partDecisions)
	}
	if !(terms > 0) {
		return got, nil, errors.New("train: no example says what is right")
	}
	k := 0
	for i, x := range p.params {
		set(ps[i].G, k, at, terms)
		k += x.Value.Len()
		if !p.idle[x.Name] {
			use = append(use, ps[i])
		}
	}
	for _, x := range p.states {
		set(x.Value, k, at, examples)
		k += x.Value.Len()
		p.m.Changed(x.Name)
	}
	return got, use, nil
}

// set makes x the numbers from k on, divided by n.
func set(x *tensor.Tensor, k int, at func(int) float64, n float64) {
	if x.DType() == tensor.Float64 {
		for i := range tensor.Data[float64](x) {
			tensor.Data[float64](x)[i] = at(k+i) / n
		}
		return
	}
	for i := range x.F32() {
		x.F32()[i] = float32(at(k+i) / n)
	}
}

// Optimised are the parameters as an optimiser takes them, with room for their gradients.
func (p *Partial) Optimised(noDecay1D bool) []*optim.Param {
	var ps []*optim.Param
	for _, x := range p.params {
		ps = append(ps, &optim.Param{Name: x.Name, W: x.Value, G: tensor.New(x.Value.DType(), x.Value.Shape()...),
			Decay: !noDecay1D || x.Value.Rank() > 1})
	}
	return ps
}

// SameIdle has p leave out the parameters that o was seen to leave out: the same model, of which p has computed nothing.
func (p *Partial) SameIdle(o *Partial) { p.idle = o.idle }
