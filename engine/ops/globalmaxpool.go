package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// GlobalMaxPool is the largest element of X [N,C,i…] over space: Y [N,C,1…]. The gradient goes to the first of equal ones.
//
// Source: https://onnx.ai/onnx/operators/onnx__GlobalMaxPool.html
var GlobalMaxPool = new(graph.Spec)

func init() {
	define(GlobalMaxPool, graph.Def[noAttrs]{
		Name: "GlobalMaxPool", Role: graph.Pool, Since: []int{1, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__GlobalMaxPool.html",
		In:  []graph.Formal{{Name: "X", Types: floats}},
		Out: []graph.Formal{{Name: "Y"}, {Name: "Argmax", Optional: true, NoGrad: true, Private: true}},
		Types: func(_ *noAttrs, in, out []tensor.DType) error {
			out[0] = in[0]
			if len(out) > 1 {
				out[1] = tensor.Int32
			}
			return nil
		},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error { return inferGlobalPool(c) },
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			var idx []int32
			if len(c.Out) > 1 && c.Out[1] != nil {
				idx = tensor.Data[int32](c.Out[1])
			}
			if c.In[0].DType() == tensor.Float64 {
				rowMax(tensor.Data[float64](c.In[0]), tensor.Data[float64](c.Out[0]), idx)
			} else {
				rowMax(c.In[0].F32(), c.Out[0].F32(), idx)
			}
			return nil
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(MaxPoolGrad, nil, dy[0], b.ExtraOutput(n, 1), n.In[0])}, nil
		},
	})
}

// rowMax is the largest element of each equal run of x, and its offset in the run when idx is not nil. NaN wins.
func rowMax[T float32 | float64](x, y []T, idx []int32) {
	k := len(x) / max(len(y), 1)
	for i := range y {
		row := x[i*k : (i+1)*k]
		best := 0
		for j, v := range row {
			if v > row[best] || v != v {
				best = j
				if v != v {
					break
				}
			}
		}
		y[i] = row[best]
		if idx != nil {
			idx[i] = int32(best)
		}
	}
}
