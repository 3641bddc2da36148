package ml

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// ArrayFeatureExtractor takes elements along the last axis: Z[…,k] = X[…,Y[k]] for X […,C] and Y of any shape with K elements. Of X [C]
// it is [1,K].
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxml_ArrayFeatureExtractor.html
var ArrayFeatureExtractor = new(graph.Spec)

type noAttrs struct{}

func init() {
	define(ArrayFeatureExtractor, graph.Def[noAttrs]{
		Name: "ArrayFeatureExtractor", Since: []int{1},
		In:  []graph.Formal{{Name: "X", Types: entries}, {Name: "Y", NoGrad: true, Types: []tensor.DType{tensor.Int64}}},
		Out: []graph.Formal{{Name: "Z"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			s, k := c.Shape(0), c.Shape(1).Len()
			if len(s) == 0 || k == 0 {
				return fmt.Errorf("input X of shape %v and Y of shape %v: want an axis to take from, and places to take", s, c.Shape(1))
			}
			out := slices.Concat(s[:len(s)-1], []int{k})
			if len(s) == 1 {
				out = []int{1, k}
			}
			c.Out(0, out...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			x := c.In[0]
			n := x.Shape()[x.Rank()-1]
			for _, i := range c.In[1].I64() {
				if i < 0 || i >= int64(n) {
					return fmt.Errorf("input Y has index %d, X has %d columns", i, n)
				}
			}
			switch x.DType() {
			case tensor.Float32:
				extract(c, x.F32(), c.Out[0].F32(), n)
			case tensor.Float64:
				extract(c, tensor.Data[float64](x), tensor.Data[float64](c.Out[0]), n)
			case tensor.Int64:
				extract(c, x.I64(), c.Out[0].I64(), n)
			case tensor.Int32:
				extract(c, tensor.Data[int32](x), tensor.Data[int32](c.Out[0]), n)
			default:
				extract(c, x.Strings(), c.Out[0].Strings(), n)
			}
			return nil
		},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			y := b.Add(ops.Reshape, nil, n.In[1], b.Ints(-1))
			z := with(b, ops.Gather, graph.Attrs{"axis": int64(-1)}, n.In[0], y)
			// [K] becomes [1,K], and what has two axes stays.
			one := b.Add(ops.Sub, nil, b.Add(ops.Size, nil, b.Add(ops.Shape, nil, z)), b.Ints(1))
			return []graph.Value{b.Add(ops.Reshape, nil, z, rank2(b, z, one))}, nil
		},
	})
}

// rank2 is the shape of z, with a one before it where it has a single axis: over is the number of its axes less one.
func rank2(b *graph.Builder, z, over graph.Value) graph.Value {
	s := b.Add(ops.Shape, nil, z)
	padded := with(b, ops.Concat, graph.Attrs{"axis": int64(0)}, b.Ints(1), s)
	begin := b.Add(ops.Cast, ops.CastTo(tensor.Int64), b.Add(ops.Greater, nil, over, b.Ints(0)))
	return b.Add(ops.Slice, nil, padded, begin, b.Add(ops.Add, nil, over, b.Ints(2)), b.Ints(0))
}

func extract[T any](c *graph.RunCtx, x, z []T, n int) {
	at := c.In[1].I64()
	for r := range len(x) / max(n, 1) {
		for k, i := range at {
			z[r*len(at)+k] = x[r*n+int(i)]
		}
	}
}
