package ops

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// SoftmaxCrossEntropyLoss is -w[k]·log_softmax(scores)[n,k,…] for k = labels[n,…], 0 where k is ignore_index; by reduction each [N,…],
// their sum, or their mean weighted by w. The second output is log_softmax(scores). The weights get no gradient.
//
// Source: https://onnx.ai/onnx/operators/onnx__SoftmaxCrossEntropyLoss.html
var SoftmaxCrossEntropyLoss = new(graph.Spec)

func init() {
	define(SoftmaxCrossEntropyLoss, graph.Def[lossAttrs]{
		Name: "SoftmaxCrossEntropyLoss", Since: []int{12, 13}, Doc: "https://onnx.ai/onnx/operators/onnx__SoftmaxCrossEntropyLoss.html",
		In: []graph.Formal{
			{Name: "scores", Types: floats}, {Name: "labels", Types: indexes, NoGrad: true},
			{Name: "weights", Types: floats, Optional: true, NoGrad: true},
		},
		Out: []graph.Formal{{Name: "output"}, {Name: "log_prob", Optional: true}},
		Infer: func(a *lossAttrs, c *graph.InferCtx) error {
			d, err := lossDims(c, a.Reduction)
			if err != nil {
				return err
			}
			if a.Reduction == "none" {
				c.Out(0, c.Shape(1)...)
			} else {
				c.Out(0)
			}
			c.Out(1, c.Shape(0)...)
			c.Scratch(c.DType(0).Size(d.outer*d.inner + d.outer*d.inner*d.n))
			return nil
		},
		Run: func(a *lossAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return softmaxCrossEntropy[float64](a, c)
			}
			return softmaxCrossEntropy[float32](a, c)
		},
		Grad: func(a *lossAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			logp := b.ExtraOutput(n, 1)
			var dx graph.Value
			if dy[0] != 0 {
				k := ClassLossGrad.NewAttrs().(*classLossGradAttrs)
				k.Reduction, k.Ignore = a.Reduction, a.Ignore
				dx = b.Add(ClassLossGrad, k, logp, n.In[1], input(n, 2), dy[0])
			}
			if len(dy) > 1 && dy[1] != 0 {
				dx = add(b, dx, b.Add(SoftmaxGrad, &softmaxGradAttrs{Axis: 1, Log: true}, logp, dy[1]))
			}
			return only(n, 0, dx), nil
		},
		Lower: func(a *lossAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			logp := b.Add(LogSoftmax, &softmaxAttrs{Axis: 1}, n.In[0])
			in := slices.Concat([]graph.Value{logp}, n.In[1:n.NumIn])
			return []graph.Value{b.Add(NegativeLogLikelihoodLoss, a, in...), logp}, nil
		},
	})
}

func softmaxCrossEntropy[T floatElem](a *lossAttrs, c *graph.RunCtx) error {
	d, ignore, dt := sizeOf(c.In[0].Shape()), ignored(a.Ignore), c.In[0].DType()
	count := d.outer * d.inner
	each := scratchOf[T](c, dt, 0, count)
	if a.Reduction == "none" {
		each = tensor.Data[T](c.Out[0])
	}
	var logp []T
	if c.Want(1) {
		logp = tensor.Data[T](c.Out[1])
	} else {
		logp = scratchOf[T](c, dt, count, count*d.n)
	}
	bad := -1
	if t := c.In[1]; t.DType() == tensor.Int32 {
		bad = kernel.SoftmaxCrossEntropy(c.Pool, each, logp, tensor.Data[T](c.In[0]), tensor.Data[int32](t), weightsOf[T](c), ignore,
			d.outer, d.n, d.inner)
	} else {
		bad = kernel.SoftmaxCrossEntropy(c.Pool, each, logp, tensor.Data[T](c.In[0]), t.I64(), weightsOf[T](c), ignore, d.outer, d.n,
			d.inner)
	}
	if bad >= 0 {
		return errLabel(c.In[1], bad, d.n)
	}
	return reduceLoss(c, each, a.Reduction, ignore, d.n)
}
