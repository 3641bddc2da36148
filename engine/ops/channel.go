package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// ChannelSum is X [N,C,…] summed over all axes but the channels: [C], the gradient of a bias.
var ChannelSum = new(graph.Spec)

// PerExampleChannelSum is X [N,C,…] summed over the spatial axes: [N,C].
var PerExampleChannelSum = new(graph.Spec)

// ChannelVector is v [C] shaped so that it broadcasts over the channels of like [N,C,…]: [C,1,…].
var ChannelVector = new(graph.Spec)

func init() {
	x := []graph.Formal{{Name: "X", Types: floats}}
	define(ChannelSum, graph.Def[noAttrs]{
		Domain: Private, Name: "ChannelSum", Since: []int{1}, Doc: "sum over batch and space", In: x, Out: []graph.Formal{{Name: "s"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			if len(c.Shape(0)) < 2 {
				return fmt.Errorf("shape %v has no channels", c.Shape(0))
			}
			c.Out(0, c.Shape(0)[1])
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			s := c.In[0].Shape()
			if c.In[0].DType() == tensor.Float64 {
				channelSum(c.Pool, tensor.Data[float64](c.In[0]), s[0], s[1], product(s[2:]), tensor.Data[float64](c.Out[0]))
			} else {
				channelSum(c.Pool, c.In[0].F32(), s[0], s[1], product(s[2:]), c.Out[0].F32())
			}
			return nil
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(ExpandLike, nil, b.Add(ChannelVector, nil, dy[0], n.In[0]), n.In[0])}, nil
		},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			// [N,C,…] -> [N,C,space] -> [C]
			r := b.Add(Reshape, nil, n.In[0], b.Ints(0, 0, -1))
			return []graph.Value{b.Add(ReduceSum, &reduceAttrs{KeepDims: false}, r, b.Ints(0, 2))}, nil
		},
	})
	define(PerExampleChannelSum, graph.Def[noAttrs]{
		Domain: Private, Name: "PerExampleChannelSum", Since: []int{1}, Doc: "sum over space", In: x, Out: []graph.Formal{{Name: "s"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			if len(c.Shape(0)) < 2 {
				return fmt.Errorf("shape %v has no channels", c.Shape(0))
			}
			c.Out(0, c.Shape(0)[:2]...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			s := c.In[0].Shape()
			if c.In[0].DType() == tensor.Float64 {
				rowSum(c.Pool, tensor.Data[float64](c.In[0]), product(s[2:]), tensor.Data[float64](c.Out[0]))
			} else {
				rowSum(c.Pool, c.In[0].F32(), product(s[2:]), c.Out[0].F32())
			}
			return nil
		},
	})
	define(ChannelVector, graph.Def[noAttrs]{
		Domain: Private, Name: "ChannelVector", Since: []int{1}, Doc: "[C] as [C,1,…]", View: true,
		In: []graph.Formal{{Name: "v"}, {Name: "like", NoGrad: true, Shape: true}}, Out: []graph.Formal{{Name: "w"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			if len(c.Shape(0)) != 1 || len(c.Shape(1)) < 2 {
				return fmt.Errorf("shapes %v and %v: want [C] and [N,C,…]", c.Shape(0), c.Shape(1))
			}
			s := tensor.Shape{c.Shape(0)[0]}
			for range len(c.Shape(1)) - 2 {
				s = append(s, 1)
			}
			c.Out(0, s...)
			return nil
		},
		Run: runView[noAttrs],
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(ReshapeLike, nil, dy[0], n.In[0]), 0}, nil
		},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			space := sub(b, b.Add(Shape, nil, b.Add(Shape, nil, n.In[1])), b.Ints(2))
			return []graph.Value{shaped(b, n.In[0], b.Add(Shape, nil, n.In[0]), intOnes(b, space))}, nil
		},
	})
}

// runView is the kernel of operators that exec resolves to shared storage; it is called only where sharing is not possible.
func runView[A any](_ *A, c *graph.RunCtx) error {
	copy(c.Out[0].Bytes(), c.In[0].Bytes())
	copy(c.Out[0].Strings(), c.In[0].Strings())
	return nil
}

// rowSum sums each run of k elements of x.
func rowSum[T float32 | float64](p *parallel.Pool, x []T, k int, out []T) {
	p.For(len(out), max(1, 1<<14/max(k, 1)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			out[i] = T(wideSum(x[i*k : (i+1)*k]))
		}
	})
}

// wideSum is the sum of x in double precision.
func wideSum[T float32 | float64](x []T) float64 {
	if x, ok := any(x).([]float32); ok {
		return kernel.SumF32(nil, x)
	}
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+4 <= len(x); i += 4 {
		s0 += float64(x[i])
		s1 += float64(x[i+1])
		s2 += float64(x[i+2])
		s3 += float64(x[i+3])
	}
	for ; i < len(x); i++ {
		s0 += float64(x[i])
	}
	return s0 + s1 + s2 + s3
}

// channelSum is out[j] = Σ_i Σ_s x[i,j,s] for x [n,c,space].
func channelSum[T float32 | float64](p *parallel.Pool, x []T, n, c, space int, out []T) {
	p.For(c, max(1, 1<<15/max(n*space, 1)), func(lo, hi int) {
		for j := lo; j < hi; j++ {
			t := 0.0
			for i := range n {
				t += wideSum(x[(i*c+j)*space:][:space])
			}
			out[j] = T(t)
		}
	})
}
