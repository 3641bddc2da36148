package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// argAttrs are the attributes of ArgMax and ArgMin.
type argAttrs struct {
	Axis     int  `onnx:"axis,default=0"`
	KeepDims bool `onnx:"keepdims,default=1"`
	Last     bool `onnx:"select_last_index,default=0"`
}

type argKernel[T any] func(p *parallel.Pool, out []int64, in []T, outer, n, inner int, last bool)

type argKernels struct {
	f32 argKernel[float32]
	f64 argKernel[float64]
	i8  argKernel[int8]
	i16 argKernel[int16]
	i32 argKernel[int32]
	i64 argKernel[int64]
	u8  argKernel[uint8]
	u16 argKernel[uint16]
	u32 argKernel[uint32]
	u64 argKernel[uint64]
}

// defineArg defines ArgMax or ArgMin in s.
func defineArg(s *graph.Spec, name string, k argKernels) {
	define(s, graph.Def[argAttrs]{
		Name: name, Since: []int{1, 11, 12, 13}, Doc: "https://onnx.ai/onnx/operators/onnx__" + name + ".html",
		In: []graph.Formal{{Name: "data", Types: numeric, NoGrad: true}}, Out: []graph.Formal{{Name: "reduced"}},
		Types: outType[argAttrs](tensor.Int64),
		Infer: func(a *argAttrs, c *graph.InferCtx) error {
			s := c.Shape(0)
			at, err := axis(a.Axis, len(s))
			if err != nil {
				return err
			}
			if s[at] == 0 && s.Len() == 0 {
				return fmt.Errorf("axis %d of shape %v has no elements to choose from", at, s)
			}
			out := slices.Clone(s)
			out[at] = 1
			if !a.KeepDims {
				out = slices.Delete(out, at, at+1)
			}
			c.Out(0, out...)
			return nil
		},
		Run: func(a *argAttrs, c *graph.RunCtx) error {
			switch x := c.In[0]; x.DType() {
			case tensor.Float32:
				runArg(a, c, k.f32)
			case tensor.Float64:
				runArg(a, c, k.f64)
			case tensor.Int8:
				runArg(a, c, k.i8)
			case tensor.Int16:
				runArg(a, c, k.i16)
			case tensor.Int32:
				runArg(a, c, k.i32)
			case tensor.Int64:
				runArg(a, c, k.i64)
			case tensor.Uint8:
				runArg(a, c, k.u8)
			case tensor.Uint16:
				runArg(a, c, k.u16)
			case tensor.Uint32:
				runArg(a, c, k.u32)
			case tensor.Uint64:
				runArg(a, c, k.u64)
			default:
				return errType(x)
			}
			return nil
		},
	})
}

func runArg[T tensor.Elem](a *argAttrs, c *graph.RunCtx, k argKernel[T]) {
	outer, n, inner := around(c.In[0].Shape(), a.Axis)
	k(c.Pool, c.Out[0].I64(), tensor.Data[T](c.In[0]), outer, n, inner, a.Last)
}

// around splits s at axis a, which it must have: the elements before it, along it and after it.
func around(s tensor.Shape, a int) (outer, n, inner int) {
	if a < 0 {
		a += len(s)
	}
	return product(s[:a]), s[a], product(s[a+1:])
}
