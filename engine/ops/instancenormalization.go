package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// InstanceNormalization is Y = (X - mean)/sqrt(var + epsilon)·scale + B with mean and population variance of each image and channel of
// X [N,C,i…].
//
// Source: https://onnx.ai/onnx/operators/onnx__InstanceNormalization.html
var InstanceNormalization = new(graph.Spec)

type epsilonAttrs struct {
	Epsilon float32 `onnx:"epsilon,default=1e-5"`
}

func init() {
	define(InstanceNormalization, graph.Def[epsilonAttrs]{
		Name: "InstanceNormalization", Role: graph.Normalisation, Since: []int{1, 6, 22},
		Doc: "https://onnx.ai/onnx/operators/onnx__InstanceNormalization.html",
		In: []graph.Formal{
			{Name: "input", Types: floats}, {Name: "scale", Types: floats, Weight: true}, {Name: "B", Types: floats, Weight: true},
		},
		Out: []graph.Formal{{Name: "output"}},
		Infer: func(_ *epsilonAttrs, c *graph.InferCtx) error {
			s := c.Shape(0)
			if len(s) < 3 || !c.Shape(1).Equal(tensor.Shape{s[1]}) || !c.Shape(2).Equal(tensor.Shape{s[1]}) {
				return fmt.Errorf("shapes %v, %v, %v: want [N,C,…], [C], [C]", s, c.Shape(1), c.Shape(2))
			}
			c.Out(0, s...)
			return nil
		},
		Run: func(a *epsilonAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				instanceNorm[float64](a, c)
			} else {
				instanceNorm[float32](a, c)
			}
			return nil
		},
		PerExample: func(a *epsilonAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			d := dy[0]
			switch in {
			case 1:
				d = mul(b, d, a.normal(b, n.In[0]))
			case 2:
			default:
				return graph.PerExample{}, graph.ErrNoGradient
			}
			g := b.Add(PerExampleChannelSum, nil, d)
			return graph.PerExample{Grad: g, Norm2: RowSumSquares(b, g)}, nil
		},
		Lower: func(a *epsilonAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			x := n.In[0]
			y := mul(b, a.normal(b, x), b.Add(ChannelVector, nil, n.In[1], x))
			return []graph.Value{add(b, y, b.Add(ChannelVector, nil, n.In[2], x))}, nil
		},
	})
}

// normal is x with mean 0 and variance 1 in each image and channel.
func (a *epsilonAttrs) normal(b *graph.Builder, x graph.Value) graph.Value {
	// GlobalAveragePool keeps [N,C,1…], which broadcasts over space.
	d := sub(b, x, b.Add(GlobalAveragePool, nil, x))
	v := b.Add(GlobalAveragePool, nil, mul(b, d, d))
	return mul(b, d, b.Add(Reciprocal, nil, b.Add(Sqrt, nil, add(b, v, b.Scalar(b.DType(x), float64(a.Epsilon))))))
}

func instanceNorm[T float32 | float64](a *epsilonAttrs, c *graph.RunCtx) {
	s := c.In[0].Shape()
	n, ch, hw := s[0], s[1], product(s[2:])
	x, y, gain, bias := tensor.Data[T](c.In[0]), tensor.Data[T](c.Out[0]), tensor.Data[T](c.In[1]), tensor.Data[T](c.In[2])
	rows := n * ch
	mean, variance := make([]T, rows), make([]T, rows)
	kernel.BatchNormStats(c.Pool, mean, variance, x, 1, rows, hw)
	mulBy, addTo := make([]T, rows), make([]T, rows)
	for r := range rows {
		v := float64(gain[r%ch]) * invSqrt(float64(variance[r])+float64(a.Epsilon))
		mulBy[r], addTo[r] = T(v), T(float64(bias[r%ch])-v*float64(mean[r]))
	}
	kernel.ChannelAffine(c.Pool, y, x, mulBy, addTo, 1, rows, hw, nil)
}
