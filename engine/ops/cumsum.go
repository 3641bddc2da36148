package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// CumSum is the sum of the elements up to each along an axis: without the element itself with exclusive, from the end with reverse.
//
// Source: https://onnx.ai/onnx/operators/onnx__CumSum.html
var CumSum = new(graph.Spec)

type cumSumAttrs struct {
	Exclusive bool `onnx:"exclusive,default=0"`
	Reverse   bool `onnx:"reverse,default=0"`
}

func init() {
	define(CumSum, graph.Def[cumSumAttrs]{
		Name: "CumSum", Since: []int{11, 14}, Doc: "https://onnx.ai/onnx/operators/onnx__CumSum.html",
		In:  []graph.Formal{{Name: "x", Types: numeric}, {Name: "axis", NoGrad: true, Types: indexes}},
		Out: []graph.Formal{{Name: "y"}}, InPlace: [][2]int{{0, 0}}, Infer: sameShape[cumSumAttrs],
		Run: func(a *cumSumAttrs, c *graph.RunCtx) error {
			at, err := graph.IntsOf(c.In[1])
			if err != nil {
				return err
			}
			if len(at) != 1 {
				return fmt.Errorf("axis has %d elements, want one", len(at))
			}
			s := c.In[0].Shape()
			k, err := axis(at[0], len(s))
			if err != nil {
				return err
			}
			outer, n, inner := around(s, k)
			switch x := c.In[0]; x.DType() {
			case tensor.Float32:
				cumSum[float32](a, c, outer, n, inner)
			case tensor.Float64:
				cumSum[float64](a, c, outer, n, inner)
			case tensor.Int8:
				cumSum[int8](a, c, outer, n, inner)
			case tensor.Int16:
				cumSum[int16](a, c, outer, n, inner)
			case tensor.Int32:
				cumSum[int32](a, c, outer, n, inner)
			case tensor.Int64:
				cumSum[int64](a, c, outer, n, inner)
			case tensor.Uint8:
				cumSum[uint8](a, c, outer, n, inner)
			case tensor.Uint16:
				cumSum[uint16](a, c, outer, n, inner)
			case tensor.Uint32:
				cumSum[uint32](a, c, outer, n, inner)
			case tensor.Uint64:
				cumSum[uint64](a, c, outer, n, inner)
			default:
				return errType(x)
			}
			return nil
		},
		Grad: func(a *cumSumAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(CumSum, &cumSumAttrs{Exclusive: a.Exclusive, Reverse: !a.Reverse}, dy[0], n.In[1])), nil
		},
	})
}

func cumSum[T interface {
	kernel.Number
	tensor.Elem
}](a *cumSumAttrs, c *graph.RunCtx, outer, n, inner int) {
	kernel.CumSum(c.Pool, tensor.Data[T](c.Out[0]), tensor.Data[T](c.In[0]), outer, n, inner, a.Exclusive, a.Reverse)
}
