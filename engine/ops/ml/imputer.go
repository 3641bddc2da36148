package ml

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Imputer puts imputed_value, one element or one for each feature along the last axis, in the place of elements of X that equal
// replaced_value, which may be NaN. Floating-point inputs take the attributes of floats, others those of integers.
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxml_Imputer.html
var Imputer = new(graph.Spec)

type imputerAttrs struct {
	Floats   []float32 `onnx:"imputed_value_floats"`
	Ints     []int     `onnx:"imputed_value_int64s"`
	OldFloat float32   `onnx:"replaced_value_float,default=0"`
	OldInt   int       `onnx:"replaced_value_int64,default=0"`
}

func init() {
	define(Imputer, graph.Def[imputerAttrs]{
		Name: "Imputer", Role: graph.Activation, Since: []int{1},
		In: []graph.Formal{{Name: "X", Types: numbers}}, Out: []graph.Formal{{Name: "Y"}},
		Types: func(a *imputerAttrs, in, out []tensor.DType) error {
			out[0] = in[0]
			name, n := "imputed_value_int64s", len(a.Ints)
			if in[0].IsFloat() {
				name, n = "imputed_value_floats", len(a.Floats)
			}
			if n == 0 {
				return fmt.Errorf("attribute %s is missing, the input is %v", name, in[0])
			}
			return nil
		},
		Infer: func(a *imputerAttrs, c *graph.InferCtx) error {
			s, n := c.Shape(0), len(a.Ints)
			if c.DType(0).IsFloat() {
				n = len(a.Floats)
			}
			if n != 1 && (len(s) == 0 || n != s[len(s)-1]) {
				return fmt.Errorf("%d imputed values for an input of shape %v: want one, or one for each column", n, s)
			}
			c.Out(0, s...)
			return nil
		},
		Run: func(a *imputerAttrs, c *graph.RunCtx) error {
			switch x, y := c.In[0], c.Out[0]; x.DType() {
			case tensor.Float32:
				impute(c, x.F32(), y.F32(), a.Floats, a.OldFloat)
			case tensor.Float64:
				impute(c, tensor.Data[float64](x), tensor.Data[float64](y), widened(a.Floats), float64(a.OldFloat))
			case tensor.Int64:
				impute(c, x.I64(), y.I64(), int64s(a.Ints), int64(a.OldInt))
			default:
				v := make([]int32, len(a.Ints))
				for i, n := range a.Ints {
					if v[i] = int32(n); int(v[i]) != n {
						return fmt.Errorf("attribute imputed_value_int64s has %d, which an int32 does not hold", n)
					}
				}
				if int(int32(a.OldInt)) != a.OldInt { // no element is that
					copy(tensor.Data[int32](y), tensor.Data[int32](x))
					return nil
				}
				impute(c, tensor.Data[int32](x), tensor.Data[int32](y), v, int32(a.OldInt))
			}
			return nil
		},
		Lower: func(a *imputerAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			x := n.In[0]
			d := b.DType(x)
			if !d.IsFloat() {
				return nil, fmt.Errorf("of integers: %w", graph.ErrNoGradient)
			}
			old := b.Add(ops.Equal, nil, x, b.Scalar(d, float64(a.OldFloat)))
			if a.OldFloat != a.OldFloat {
				old = b.Add(ops.IsNaN, nil, x)
			}
			return []graph.Value{b.Add(ops.Where, nil, old, constant(b, d, a.Floats, len(a.Floats)), x)}, nil
		},
	})
}

func impute[T float32 | float64 | int64 | int32](c *graph.RunCtx, x, y, values []T, old T) {
	nan := old != old
	c.Pool.For(len(x), 1<<14, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			v := x[i]
			if v == old || nan && v != v {
				v = values[i%len(values)]
			}
			y[i] = v
		}
	})
}
