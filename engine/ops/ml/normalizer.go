package ml

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Normalizer divides each row of X [N,C] or [C] by its norm: its largest element for MAX, the sum of its absolute values for L1, its
// length for L2. A row whose norm is 0 stays.
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxml_Normalizer.html, whose text for L1 sums without absolute values, which no runtime
// does.
var Normalizer = new(graph.Spec)

type normalizerAttrs struct {
	Norm string `onnx:"norm,default=MAX"`
}

func init() {
	define(Normalizer, graph.Def[normalizerAttrs]{
		Name: "Normalizer", Since: []int{1},
		In: []graph.Formal{{Name: "X", Types: numbers}}, Out: []graph.Formal{{Name: "Y"}},
		Types: outType[normalizerAttrs](tensor.Float32),
		Check: func(a *normalizerAttrs, _ *graph.Node) error {
			if a.Norm != "MAX" && a.Norm != "L1" && a.Norm != "L2" {
				return fmt.Errorf("attribute norm is %q, want MAX, L1 or L2", a.Norm)
			}
			return nil
		},
		Infer: func(_ *normalizerAttrs, c *graph.InferCtx) error {
			_, _, err := table(c.Shape(0))
			c.Out(0, c.Shape(0)...)
			return err
		},
		Run: func(a *normalizerAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return normalize[float64](a, c)
			}
			return normalize[float32](a, c)
		},
		Lower: func(a *normalizerAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			x, d := floating(b, n.In[0])
			keep := graph.Attrs{"keepdims": int64(1)}
			var norm graph.Value
			switch a.Norm {
			case "MAX":
				norm = with(b, ops.ReduceMax, keep, x, b.Ints(-1))
			case "L1":
				norm = with(b, ops.ReduceSum, keep, b.Add(ops.Abs, nil, x), b.Ints(-1))
			default:
				norm = with(b, ops.ReduceSum, keep, b.Add(ops.Mul, nil, x, x), b.Ints(-1))
			}
			norm = b.Add(ops.Where, nil, b.Add(ops.Equal, nil, norm, b.Scalar(d, 0)), b.Scalar(d, 1), norm)
			if a.Norm == "L2" {
				norm = b.Add(ops.Sqrt, nil, norm)
			}
			y := b.Add(ops.Div, nil, x, norm)
			return []graph.Value{cast(b, y, tensor.Float32)}, nil
		},
	})
}

func normalize[T real](a *normalizerAttrs, c *graph.RunCtx) error {
	x, err := numbersOf[T](c.In[0])
	if err != nil {
		return err
	}
	rows, n, err := table(c.In[0].Shape())
	if err != nil {
		return err
	}
	y := c.Out[0].F32()
	c.Pool.For(rows, max(1, 1<<14/max(n, 1)), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			row := x[r*n : (r+1)*n]
			norm := 0.0
			if a.Norm == "MAX" {
				norm = math.Inf(-1)
			}
			for _, v := range row {
				switch v := float64(v); a.Norm {
				case "MAX":
					norm = max(norm, v)
				case "L1":
					norm += math.Abs(v)
				default:
					norm += v * v
				}
			}
			if a.Norm == "L2" {
				norm = math.Sqrt(norm)
			}
			if norm == 0 {
				norm = 1
			}
			for i, v := range row {
				y[r*n+i] = float32(float64(v) / norm)
			}
		}
	})
	return nil
}
