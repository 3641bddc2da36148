package ops

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Range is start, start+delta, start+2·delta, … up to limit, which is not included.
//
// Source: https://onnx.ai/onnx/operators/onnx__Range.html. Deviation: half precision is computed in single, whatever stash_type says.
var Range = new(graph.Spec)

type rangeAttrs struct {
	StashType int `onnx:"stash_type,default=1"`
}

func init() {
	types := []tensor.DType{tensor.Float32, tensor.Float64, tensor.Int16, tensor.Int32, tensor.Int64}
	define(Range, graph.Def[rangeAttrs]{
		Name: "Range", Since: []int{11, 27}, Doc: "https://onnx.ai/onnx/operators/onnx__Range.html",
		In: []graph.Formal{
			{Name: "start", NoGrad: true, Types: types}, {Name: "limit", NoGrad: true, Types: types},
			{Name: "delta", NoGrad: true, Types: types},
		},
		Out: []graph.Formal{{Name: "output"}},
		Infer: func(_ *rangeAttrs, c *graph.InferCtx) error {
			var in [3]*tensor.Tensor
			for i := range in {
				var err error
				if in[i], err = c.Value(i); err != nil {
					return err
				}
				if in[i].Len() != 1 || in[i].DType() != in[0].DType() {
					return fmt.Errorf("start, limit and delta are %v, %v and %v, want scalars of one type", in[0], in[1], in[2])
				}
			}
			n, err := rangeLen(in[0], in[1], in[2])
			if err != nil {
				return err
			}
			c.Out(0, n)
			return nil
		},
		Run: func(_ *rangeAttrs, c *graph.RunCtx) error {
			switch c.Out[0].DType() {
			case tensor.Float32:
				runRange[float32](c)
			case tensor.Float64:
				runRange[float64](c)
			case tensor.Int16:
				runRange[int16](c)
			case tensor.Int32:
				runRange[int32](c)
			default:
				runRange[int64](c)
			}
			return nil
		},
	})
}

// rangeLen is max(0, ceil((limit - start) / delta)).
func rangeLen(start, limit, delta *tensor.Tensor) (int, error) {
	if start.DType() == tensor.Int64 {
		s, l, d := start.I64()[0], limit.I64()[0], delta.I64()[0]
		var span, step uint64
		switch {
		case d > 0 && l > s:
			span, step = uint64(l)-uint64(s), uint64(d)
		case d < 0 && l < s:
			span, step = uint64(s)-uint64(l), -uint64(d)
		case d == 0:
			return 0, fmt.Errorf("delta is 0")
		default:
			return 0, nil
		}
		n := (span-1)/step + 1
		if n > math.MaxInt32*64 {
			return 0, fmt.Errorf("%d elements from %d to %d by %d are too many", n, s, l, d)
		}
		return int(n), nil
	}
	s, l, d := start.Float64s()[0], limit.Float64s()[0], delta.Float64s()[0]
	n := math.Ceil((l - s) / d)
	switch {
	case d == 0 || math.IsNaN(n) || n > math.MaxInt32*64:
		return 0, fmt.Errorf("from %v to %v by %v is no range", s, l, d)
	case n <= 0:
		return 0, nil
	}
	return int(n), nil
}

func runRange[T float32 | float64 | int16 | int32 | int64](c *graph.RunCtx) {
	start, delta := tensor.Data[T](c.In[0])[0], tensor.Data[T](c.In[2])[0]
	out := tensor.Data[T](c.Out[0])
	for i := range out {
		out[i] = start + T(i)*delta
	}
}
