package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// GlobalAveragePool is the mean of X [N,C,i…] over space: Y [N,C,1…].
//
// Source: https://onnx.ai/onnx/operators/onnx__GlobalAveragePool.html
var GlobalAveragePool = new(graph.Spec)

// GlobalAveragePoolGrad is dY spread evenly over space: inputs dY [N,C,1…], and X for its shape.
var GlobalAveragePoolGrad = new(graph.Spec)

func init() {
	define(GlobalAveragePool, graph.Def[noAttrs]{
		Name: "GlobalAveragePool", Role: graph.Pool, Since: []int{1, 22},
		Doc: "https://onnx.ai/onnx/operators/onnx__GlobalAveragePool.html",
		In:  []graph.Formal{{Name: "X", Types: floats}}, Out: []graph.Formal{{Name: "Y"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error { return inferGlobalPool(c) },
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				globalMean[float64](c)
			} else {
				globalMean[float32](c)
			}
			return nil
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(GlobalAveragePoolGrad, nil, dy[0], n.In[0])}, nil
		},
	})
	define(GlobalAveragePoolGrad, graph.Def[noAttrs]{
		Domain: Private, Name: "GlobalAveragePoolGrad", Since: []int{1}, Doc: "gradient of GlobalAveragePool",
		In:  []graph.Formal{{Name: "dY", Types: floats}, {Name: "X", NoGrad: true, Shape: true}},
		Out: []graph.Formal{{Name: "dX"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			c.Out(0, c.Shape(1)...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				spreadMean(c.Pool, tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]))
			} else {
				spreadMean(c.Pool, c.Out[0].F32(), c.In[0].F32())
			}
			return nil
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(GlobalAveragePool, nil, dy[0]), 0}, nil
		},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			d := b.DType(n.In[0])
			elements := func(v graph.Value) graph.Value { return b.Add(Cast, CastTo(d), b.Add(Size, nil, v)) }
			each := div(b, mul(b, n.In[0], elements(n.In[0])), elements(n.In[1]))
			return []graph.Value{b.Add(Expand, nil, each, b.Add(Shape, nil, n.In[1]))}, nil
		},
	})
}

func inferGlobalPool(c *graph.InferCtx) error {
	s := c.Shape(0)
	if len(s) < 2 {
		return fmt.Errorf("input X has shape %v, want [N,C,…]", s)
	}
	if s[2:].Len() == 0 {
		return fmt.Errorf("input X has shape %v: there is nothing to pool", s)
	}
	out := tensor.Shape{s[0], s[1]}
	for range s[2:] {
		out = append(out, 1)
	}
	for i := range c.NumOut() {
		c.Out(i, out...)
	}
	return nil
}

func globalMean[T float32 | float64](c *graph.RunCtx) {
	x, y := tensor.Data[T](c.In[0]), tensor.Data[T](c.Out[0])
	k := len(x) / max(len(y), 1)
	rowSum(c.Pool, x, k, y)
	for i := range y {
		y[i] /= T(k)
	}
}

func spreadMean[T float32 | float64](p *parallel.Pool, out, dy []T) {
	k := len(out) / max(len(dy), 1)
	p.For(len(dy), max(1, 1<<14/max(k, 1)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			v := dy[i] / T(k)
			row := out[i*k : (i+1)*k]
			for j := range row {
				row[j] = v
			}
		}
	})
}
