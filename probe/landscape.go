package probe

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
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// Hessian says how products with the Hessian are made.
type Hessian string

// Exactly, by differentiating the gradient; from differences of gradients; or exactly where every operator has a second derivative, else
// from differences.
const (
	Exact       Hessian = "exact"
	Differences Hessian = "differences"
	Auto        Hessian = "auto"
)

// Config says of what the landscape is.
type Config struct {
	Params  []string      // coordinates, the names of parameters
	Task    *task.Task    // with the loss
	Feed    *feed.Plan    // what the inputs get
	Batches []*data.Batch // the examples; they are kept
	Hessian Hessian       // "" means Auto
	Matrix  Matrix        // that Product multiplies by; "" means the Hessian
	Loss    engine.Loss   // of a batch, with weights of 1/n over its terms in Rows; nil means Task.Total
	Rows    []feed.Rows   // what a session takes beside the inputs, of each batch; nil means the truth
	Step    float64       // of the differences, along a vector of length 1; 0: 1e-4 in float64, 1e-3·max(1, ‖w‖) up to 1e-2 in float32
}

// Landscape is the mean loss of a model over fixed examples as a function of its trained parameters. Batch normalisation goes by the
// model's statistics, and dropout is off. Nothing but Go and the training of others moves the weights for longer than a call.
type Landscape struct {
	*Space
	c       Config
	n       int // examples
	truths  []*task.Truth
	total   float64         // terms of the loss of all examples
	loss    *engine.Session // weights are constants of it
	grad    *engine.Session
	product *engine.Session // nil where the gradient cannot be differentiated, or is not to be
	why     string          // it is nil
}

// directionInput begins the names of the inputs that a product with the Hessian takes.
const directionInput = "gtk.direction:"

// New is the landscape of m.
func New(m *engine.Model, c Config) (*Landscape, error) {
	s, err := NewSpace(m, c.Params)
	if err != nil {
		return nil, err
	}
	if len(c.Batches) == 0 {
		return nil, errors.New("probe: there are no examples")
	}
	if c.Loss == nil {
		c.Loss = c.Task.Total()
	}
	l := &Landscape{Space: s, c: c}
	for _, b := range c.Batches {
		tr, err := c.Task.Truth(b)
		if err != nil {
			return nil, fmt.Errorf("probe: %w", err)
		}
		l.truths = append(l.truths, tr)
		l.total += tr.Total()
		l.n += b.Len()
	}
	if l.total <= 0 {
		return nil, errors.New("probe: no example has a label, so there is no loss")
	}
	q := engine.Query{Loss: c.Loss}
	if l.loss, err = m.Session(q); err != nil {
		return nil, err
	}
	q.Grad = c.Params
	if l.grad, err = m.Session(q); err != nil {
		return nil, err
	}
	if c.Matrix != "" {
		l.product, err = m.Session(engine.Query{Derive: l.multiply})
		return l, err
	}
	switch c.Hessian {
	case Differences:
		l.why = "asked for"
		return l, nil
	case "", Auto, Exact:
	default:
		return nil, fmt.Errorf("probe: there is no way %q to make products with the Hessian: want exact, differences or auto", c.Hessian)
	}
	q.Derive = l.differentiate
	return l, l.second(q)
}

// second compiles the products of q; where they do not exist they are made from differences, unless they must not.
func (l *Landscape) second(q engine.Query) (err error) {
	l.product, err = l.m.Session(q)
	var none *grad.Error
	if errors.As(err, &none) && l.c.Hessian != Exact {
		l.product, l.why = nil, none.Error()
		return nil
	}
	return err
}

// differentiate adds the product of the Hessian with the vector that is fed.
func (l *Landscape) differentiate(b *engine.Build) (engine.Outputs, error) {
	var seeds []grad.Seed
	var wrt []graph.Value
	for _, p := range l.params {
		w, err := b.Value(p.Name)
		if err != nil {
			return nil, err
		}
		wrt = append(wrt, w)
		d := b.Gradient(p.Name)
		if d == 0 {
			continue
		}
		var dims []graph.Dim
		for _, n := range p.Value.Shape() {
			dims = append(dims, graph.Dim{Size: n})
		}
		if dims == nil {
			dims = []graph.Dim{}
		}
		v := b.Input(directionInput+p.Name, p.Value.DType(), dims)
		seeds = append(seeds, grad.Seed{Y: d, DY: b.Add(ops.Identity, nil, v)}) // the gradient of <d, v> by d is v
	}
	if err := b.Err(); err != nil {
		return nil, err
	}
	hv, err := grad.Reverse(b.G, seeds, wrt, grad.Options{})
	if err != nil {
		return nil, err
	}
	out := engine.Outputs{}
	for i, p := range l.params {
		if hv[i] != 0 {
			out[directionInput+p.Name] = hv[i]
		}
	}
	return out, nil
}

// Examples is how many the loss is the mean over.
func (l *Landscape) Examples() int { return l.n }

// Products says how products with the Hessian are made, and why not exactly.
func (l *Landscape) Products() (how Hessian, why string) {
	if l.product != nil {
		return Exact, ""
	}
	return Differences, l.why
}

// run runs s on all examples, with more inputs that are the same for all.
func (l *Landscape) run(ctx context.Context, s *engine.Session, more map[string]*tensor.Tensor, got func(feed.Part)) error {
	for i, b := range l.c.Batches {
		feeds, err := l.c.Feed.Feeds(b)
		if err != nil {
			return err
		}
		for _, name := range s.Feeds() { // those of parameters on which the loss depends
			if t := more[name]; t != nil {
				feeds[name] = t
			}
		}
		rows := feed.Rows{}
		if l.c.Rows != nil {
			rows = l.c.Rows[i]
		} else {
			w := make([]float64, b.Len())
			for k := range w {
				w[k] = 1 / l.total
			}
			rows = l.truths[i].Rows(w)
		}
		err = l.c.Feed.RunFeeds(ctx, s, feeds, b.Len(), rows, func(p feed.Part) error {
			got(p)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Loss is that at the weights as they are. It may be infinite or NaN.
func (l *Landscape) Loss(ctx context.Context) (float64, error) {
	sum := 0.0
	err := l.run(ctx, l.loss, nil, func(p feed.Part) { sum += p.Loss().Float64s()[0] })
	return sum, err
}

// Gradient writes the gradient at the weights as they are to g.
func (l *Landscape) Gradient(ctx context.Context, g []float64) error {
	clear(g)
	return l.run(ctx, l.grad, nil, func(p feed.Part) { l.Add(g, p.Grad) })
}

// LossGradient is both: it writes the gradient to g.
func (l *Landscape) LossGradient(ctx context.Context, g []float64) (float64, error) {
	clear(g)
	sum := 0.0
	err := l.run(ctx, l.grad, nil, func(p feed.Part) {
		sum += p.Loss().Float64s()[0]
		l.Add(g, p.Grad)
	})
	return sum, err
}

// Product writes H·v to hv, with the Hessian H at the weights as they are, or Config.Matrix; v is of length 1, or nearly so. From
// differences it is (∇f(w+h·v) − ∇f(w−h·v))/2h, after which the weights have the bits they had.
func (l *Landscape) Product(ctx context.Context, v, hv []float64) error {
	if l.product == nil {
		return l.difference(ctx, v, hv)
	}
	ts, err := l.tensors()
	if err != nil {
		return err
	}
	more := map[string]*tensor.Tensor{}
	for name, t := range ts {
		more[directionInput+name] = t
	}
	l.write(func(i int) *tensor.Tensor { return ts[l.names[i]] }, nil, 1, v)
	clear(hv)
	return l.run(ctx, l.product, more, func(p feed.Part) {
		l.Add(hv, func(name string) *tensor.Tensor { return p.Value(directionInput + name) })
	})
}

func (l *Landscape) difference(ctx context.Context, v, hv []float64) error {
	here, err := l.Here()
	if err != nil {
		return err
	}
	defer here.Back()
	low, err := l.Vector()
	if err != nil {
		return err
	}
	h := l.step(here)
	here.Go(h, v)
	if err := l.Gradient(ctx, hv); err != nil {
		return err
	}
	here.Go(-h, v)
	if err := l.Gradient(ctx, low); err != nil {
		return err
	}
	for i := range hv {
		hv[i] = (hv[i] - low[i]) / (2 * h)
	}
	return nil
}

// step is how far differences go.
func (l *Landscape) step(p *Place) float64 {
	switch {
	case l.c.Step > 0:
		return l.c.Step
	case l.Single():
		return min(1e-2, 1e-3*max(1, p.Norm()))
	}
	return 1e-4
}

// finite is nil where all of x is finite.
func finite(what string, x ...float64) error {
	for _, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("probe: %s is not finite (%v): there is nothing to measure here", what, v)
		}
	}
	return nil
}
