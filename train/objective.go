package train

import (
	"context"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/probe"
	"github.com/gtk-onnx/gtk/tensor"
)

// objective is the loss of a batch of all examples around the weights, as an optim.Descender asks for it: from a linear head in closed
// form, in float64, where the trained parameters are one, else from the model, in its own precision.
type objective struct {
	f    *fit
	want optim.Curvature
	head *linear // that is trained, nil for other parameters; until it is found not to be one

	l     *probe.Landscape
	exact optim.Objective // head on the batch, nil without one

	at, g []float64 // last point and its gradient
	loss  float64
}

func (f *fit) newObjective(c optim.Curvature) (*objective, error) {
	for _, p := range f.params {
		if p.W.DType() != tensor.Float32 && p.W.DType() != tensor.Float64 {
			return nil, fmt.Errorf("parameter %q is %v; only float32 and float64 can be trained", p.Name, p.W.DType())
		}
	}
	return &objective{f: f, want: c, head: f.linearHead()}, nil
}

// on has the loss be that of b, with what a session takes beside its inputs. The batch is the same from step to step but for its storage.
func (o *objective) on(ctx context.Context, b *data.Batch, rows feed.Rows) error {
	if o.l != nil || o.exact != nil {
		return nil
	}
	f := o.f
	c := probe.Config{
		Params: f.c.Params, Task: f.c.Task, Feed: f.plan(), Batches: []*data.Batch{b.Clone()}, Loss: f.q.Loss,
	}
	if f.c.Teacher != nil {
		c.Rows = []feed.Rows{rows}
	}
	switch o.want {
	case "", optim.NoCurvature:
		c.Hessian = probe.Differences // none are asked for
	case optim.ExactCurvature:
		c.Hessian = probe.Exact
	default:
		c.Matrix = probe.Matrix(o.want)
	}
	l, err := probe.New(f.m, c)
	if err != nil {
		return err
	}
	if o.head != nil {
		if o.exact, err = o.head.on(ctx, b, rows, l, o.want); err != nil || o.exact != nil {
			return err
		}
	}
	o.l = l
	return nil
}

// Gradient is that at x; asked for the last point again, it remembers.
func (o *objective) Gradient(ctx context.Context, x, g []float64) (float64, error) {
	if slices.Equal(o.at, x) {
		copy(g, o.g)
		return o.loss, nil
	}
	var err error
	o.at = nil
	if o.exact != nil {
		o.loss, err = o.exact.Gradient(ctx, x, g)
	} else {
		o.l.Set(x)
		o.loss, err = o.l.LossGradient(ctx, g)
	}
	if err == nil {
		o.at, o.g = slices.Clone(x), slices.Clone(g)
	}
	return o.loss, err
}

// Product is that of the curvature at x with v.
func (o *objective) Product(ctx context.Context, x, v, hv []float64) error {
	if o.exact != nil {
		return o.exact.Product(ctx, x, v, hv)
	}
	o.l.Set(x)
	return o.l.Product(ctx, v, hv)
}
