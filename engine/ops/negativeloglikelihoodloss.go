package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// NegativeLogLikelihoodLoss is -w[k]·input[n,k,…] for k = target[n,…], 0 where k is ignore_index; by reduction each [N,…], their sum, or
// their mean weighted by w. The weights get no gradient.
//
// Source: https://onnx.ai/onnx/operators/onnx__NegativeLogLikelihoodLoss.html
var NegativeLogLikelihoodLoss = new(graph.Spec)

func init() {
	define(NegativeLogLikelihoodLoss, graph.Def[lossAttrs]{
		Name: "NegativeLogLikelihoodLoss", Since: []int{12, 13, 22},
		Doc: "https://onnx.ai/onnx/operators/onnx__NegativeLogLikelihoodLoss.html",
		In: []graph.Formal{
			{Name: "input", Types: floats}, {Name: "target", Types: indexes, NoGrad: true},
			{Name: "weight", Types: floats, Optional: true, NoGrad: true},
		},
		Out: []graph.Formal{{Name: "loss"}},
		Infer: func(a *lossAttrs, c *graph.InferCtx) error {
			d, err := lossDims(c, a.Reduction)
			if err != nil {
				return err
			}
			if a.Reduction == "none" {
				c.Out(0, c.Shape(1)...)
			} else {
				c.Out(0)
				c.Scratch(c.DType(0).Size(d.outer * d.inner))
			}
			return nil
		},
		Run: func(a *lossAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return negativeLogLikelihood[float64](a, c)
			}
			return negativeLogLikelihood[float32](a, c)
		},
		Grad: func(a *lossAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			k := &classLossGradAttrs{Reduction: a.Reduction, Ignore: a.Ignore, Hot: true}
			return only(n, 0, b.Add(ClassLossGrad, k, n.In[0], n.In[1], input(n, 2), dy[0])), nil
		},
	})
}

func negativeLogLikelihood[T floatElem](a *lossAttrs, c *graph.RunCtx) error {
	d, ignore := sizeOf(c.In[0].Shape()), ignored(a.Ignore)
	var each []T
	if a.Reduction == "none" {
		each = tensor.Data[T](c.Out[0])
	} else {
		each = scratchOf[T](c, c.In[0].DType(), 0, d.outer*d.inner)
	}
	clear(each)
	x := tensor.Data[T](c.In[0])
	err := lossWeights(c, ignore, d.n, func(i, k int, w T) {
		each[i] = -w * x[(i/d.inner*d.n+k)*d.inner+i%d.inner]
	})
	if err != nil {
		return err
	}
	return reduceLoss(c, each, a.Reduction, ignore, d.n)
}
