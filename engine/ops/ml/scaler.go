package ml

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Scaler is Y = (X - offset)·scale, each of one element or of one for each feature, along the last axis of X.
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxml_Scaler.html
var Scaler = new(graph.Spec)

type scalerAttrs struct {
	Offset []float32 `onnx:"offset"`
	Scale  []float32 `onnx:"scale"`
}

func init() {
	define(Scaler, graph.Def[scalerAttrs]{
		Name: "Scaler", Role: graph.Activation, Since: []int{1},
		In: []graph.Formal{{Name: "X", Types: numbers}}, Out: []graph.Formal{{Name: "Y"}},
		Types: outType[scalerAttrs](tensor.Float32),
		Infer: func(a *scalerAttrs, c *graph.InferCtx) error {
			s := c.Shape(0)
			for _, l := range []struct {
				name string
				n    int
			}{{"offset", len(a.Offset)}, {"scale", len(a.Scale)}} {
				if l.n > 1 && (len(s) == 0 || l.n != s[len(s)-1]) {
					return fmt.Errorf("attribute %s has %d elements, the input has shape %v: want one, or one for each column", l.name, l.n, s)
				}
			}
			c.Out(0, s...)
			return nil
		},
		Run: func(a *scalerAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return scaled[float64](a, c)
			}
			return scaled[float32](a, c)
		},
		Lower: func(a *scalerAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			y, d := floating(b, n.In[0])
			if len(a.Offset) > 0 {
				y = b.Add(ops.Sub, nil, y, constant(b, d, a.Offset, len(a.Offset)))
			}
			if len(a.Scale) > 0 {
				y = b.Add(ops.Mul, nil, y, constant(b, d, a.Scale, len(a.Scale)))
			}
			if y == n.In[0] {
				y = b.Add(ops.Identity, nil, y)
			}
			return []graph.Value{cast(b, y, tensor.Float32)}, nil
		},
	})
}

func scaled[T real](a *scalerAttrs, c *graph.RunCtx) error {
	x, err := numbersOf[T](c.In[0])
	if err != nil {
		return err
	}
	offset, scale, y := repeated[T](a.Offset, 0), repeated[T](a.Scale, 1), c.Out[0].F32()
	c.Pool.For(len(x), 1<<14, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			y[i] = float32((x[i] - offset[i%len(offset)]) * scale[i%len(scale)])
		}
	})
	return nil
}

// repeated is the list in type T, or one element that stands for it when it is empty.
func repeated[T real](x []float32, otherwise T) []T {
	if len(x) == 0 {
		return []T{otherwise}
	}
	y := make([]T, len(x))
	for i, v := range x {
		y[i] = T(v)
	}
	return y
}
