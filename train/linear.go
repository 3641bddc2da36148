package train

import (
	"context"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/probe"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// linear is a last layer that is all that is trained: z = α·H·W' + β·b with features H [N,d] that stay the same, under a softmax and the
// cross-entropy. Its loss, gradient and curvatures are known in closed form, and computed in float64 from features that the model gives
// once.
type linear struct {
	f           *fit
	h           string  // value that is H
	trans       bool    // W is [K,d], else [d,K]
	alpha, beta float64 //
	d, k        int
	atW, atB    int       // of W and b among all trained numbers; atB < 0: b is not trained
	b           []float64 // that is not trained, nil for none
}

// linearHead is the head, nil where something else is trained or the loss is another one.
func (f *fit) linearHead() *linear {
	t := f.c.Task
	ce, ok := t.Loss.(*task.CrossEntropy)
	if !ok || !ce.Classes() || ce.Weights != "" || t.Kind != task.Multiclass || t.Reads() != t.Head.Logits || f.c.Teacher != nil {
		return nil
	}
	g := f.m.Graph()
	if g == nil {
		return nil
	}
	maker := map[graph.Value]*graph.Node{}
	var n *graph.Node
	for _, x := range g.Nodes {
		for _, v := range x.Out {
			if maker[v] = x; g.Info(v).Name == t.Reads() {
				n = x
			}
		}
	}
	l := &linear{f: f, alpha: 1, beta: 1, atW: -1, atB: -1}
	var bias graph.Value
	if n != nil && n.Op == ops.Add {
		a, b := n.In[0], n.In[1]
		if maker[a] == nil {
			a, b = b, a
		}
		n, bias = maker[a], b
	}
	if n == nil || n.Op != ops.Gemm && n.Op != ops.MatMul {
		return nil
	}
	if n.Op == ops.Gemm {
		attrs := graph.EncodeAttrs(n.Attrs)
		number := func(name string, into *float64) {
			if v, ok := attrs[name].(float32); ok {
				*into = float64(v)
			}
		}
		if v, ok := attrs["transA"]; ok && v != int64(0) {
			return nil
		}
		l.trans = attrs["transB"] == int64(1)
		number("alpha", &l.alpha)
		if len(n.In) > 2 && n.In[2] != 0 {
			if bias != 0 {
				return nil
			}
			bias = n.In[2]
			number("beta", &l.beta)
		}
	}
	return l.find(g, n, bias)
}

// find sorts out what of the layer n is trained.
func (l *linear) find(g *graph.Graph, n *graph.Node, bias graph.Value) *linear {
	at, trained := 0, 0
	for _, p := range l.f.params {
		switch {
		case p.Name == g.Info(n.In[1]).Name && p.W.Rank() == 2:
			l.atW, l.d, l.k = at, p.W.Dim(0), p.W.Dim(1)
			trained++
		case bias != 0 && p.Name == g.Info(bias).Name:
			l.atB = at
			trained++
		}
		at += p.W.Len()
	}
	if l.trans {
		l.d, l.k = l.k, l.d
	}
	if l.atW < 0 || trained != len(l.f.params) || g.Info(n.In[0]).Name == "" {
		return nil
	}
	if bias != 0 {
		b := g.Info(bias).Data
		if b == nil || b.Len() != l.k {
			return nil
		}
		if l.atB < 0 {
			l.b = b.Float64s()
		}
	}
	l.h = g.Info(n.In[0]).Name
	return l
}

// on is the objective over a batch, nil where the layer turns out not to be linear in closed form: its features are no matrix, or the loss
// of the model itself, which l has, is another one.
func (h *linear) on(ctx context.Context, b *data.Batch, rows feed.Rows, l *probe.Landscape, c optim.Curvature) (optim.Objective, error) {
	x, err := h.features(ctx, b)
	if err != nil || x == nil {
		return nil, err
	}
	y, w := rows.Same[task.LabelInput], rows.Weight[task.WeightInput]
	if y == nil || w == nil || y.Len() != b.Len() || w.Len() != b.Len() {
		return nil, nil
	}
	o := &linearLoss{linear: h, x: x, y: y.I64(), weight: w.Float64s(), c: c, smooth: h.f.c.Task.Loss.(*task.CrossEntropy).Smoothing}
	o.y = slices.Clone(o.y)
	here := make([]float64, 0, h.d*h.k)
	for _, p := range h.f.params {
		here = append(here, p.W.Float64s()...)
	}
	want, got := make([]float64, len(here)), make([]float64, len(here))
	loss, err := l.LossGradient(ctx, want)
	if err != nil {
		return nil, err
	}
	own, err := o.Gradient(ctx, here, got)
	if err != nil {
		return nil, err
	}
	for i, v := range want {
		got[i] -= v
	}
	if !(math.Abs(own-loss) <= 1e-3*max(1, math.Abs(loss))) || !(norm(got) <= 1e-3*norm(want)+1e-5) {
		return nil, nil
	}
	return o, nil
}

// features is H, nil where the value has no row for each example.
func (h *linear) features(ctx context.Context, b *data.Batch) ([]float64, error) {
	s, err := h.f.m.Session(engine.Query{Fetch: []string{h.h}})
	if err != nil {
		return nil, nil //nolint:nilerr // it cannot be fetched: the loss is asked of the model
	}
	var all *tensor.Tensor
	err = h.f.plan().Run(ctx, s, b, feed.Rows{}, func(p feed.Part) error {
		v := p.Value(h.h)
		if all == nil {
			if v.Rank() != 2 || v.Dim(0) != p.Size || v.Dim(1) != h.d {
				return nil
			}
			if all, err = tensor.Make("the features of all examples", tensor.Float64, b.Len(), h.d); err != nil {
				return err
			}
		}
		copy(tensor.Data[float64](all)[p.Lo*h.d:p.Hi*h.d], v.Float64s())
		return nil
	})
	if err != nil || all == nil {
		return nil, err
	}
	return tensor.Data[float64](all), nil
}

// norm is the Euclidean norm of x.
func norm(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return math.Sqrt(sum)
}
