package ops

import (
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Cast is the input in another element type; see tensor.Tensor.Convert for the rules. The gradient of a cast between floating-point types
// is the cast back.
//
// Source: https://onnx.ai/onnx/operators/onnx__Cast.html. Version 1 names the type by a string.
var Cast = new(graph.Spec)

type castAttrs struct {
	To       tensor.DType `onnx:"to,required"`
	Saturate bool         `onnx:"saturate,default=1"`
	Round    string       `onnx:"round_mode,default=up"`
}

type castOldAttrs struct {
	To string `onnx:"to,required"`
}

// CastTo are the attributes of a Cast to element type d.
func CastTo(d tensor.DType) any {
	a := Cast.NewAttrs().(*castAttrs)
	a.To = d
	return a
}

func init() {
	in, out := []graph.Formal{{Name: "input"}}, []graph.Formal{{Name: "output"}}
	define(Cast, graph.Def[castAttrs]{
		Name: "Cast", Role: graph.View, Since: []int{6, 9, 13, 19, 21, 23, 24, 25}, Doc: "https://onnx.ai/onnx/operators/onnx__Cast.html",
		In: in, Out: out, Infer: sameShape[castAttrs],
		Types: func(a *castAttrs, _, out []tensor.DType) error {
			if !a.To.Valid() {
				return fmt.Errorf("attribute to: no element type %d", a.To)
			}
			out[0] = a.To
			return nil
		},
		Run: func(a *castAttrs, c *graph.RunCtx) error {
			mode, err := tensor.ParseRoundMode(a.Round)
			if err != nil {
				return err
			}
			return runCast(c, tensor.CastOptions{NoSaturate: !a.Saturate, Round: mode})
		},
		Grad: gradCast[castAttrs],
	})
	define(new(graph.Spec), graph.Def[castOldAttrs]{
		Name: "Cast", Role: graph.View, Since: []int{1}, Doc: "https://onnx.ai/onnx/operators/onnx__Cast.html",
		In: in, Out: out, Infer: sameShape[castOldAttrs],
		Types: func(a *castOldAttrs, _, out []tensor.DType) error {
			name := strings.ToLower(a.To)
			switch name {
			case "float":
				name = "float32"
			case "double":
				name = "float64"
			}
			d, err := tensor.ParseDType(name)
			if err != nil {
				return fmt.Errorf("attribute to: %w", err)
			}
			out[0] = d
			return nil
		},
		Run:  func(_ *castOldAttrs, c *graph.RunCtx) error { return runCast(c, tensor.CastOptions{}) },
		Grad: gradCast[castOldAttrs],
	})
}

// gradCast is the cast back to the type of the input.
func gradCast[A any](_ *A, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
	return only(n, 0, b.Add(Cast, CastTo(b.DType(n.In[0])), dy[0])), nil
}

// runCast converts In[0] to the type of Out[0].
func runCast(c *graph.RunCtx, o tensor.CastOptions) error {
	x, y := c.In[0], c.Out[0]
	if castFast(c, x, y) {
		return nil
	}
	t, err := x.ConvertWith(y.DType(), o)
	if err != nil {
		return err
	}
	copy(y.Bytes(), t.Bytes())
	copy(y.Strings(), t.Strings())
	return nil
}

// castFast does the conversions that every machine does alike, and reports whether this is one.
func castFast(c *graph.RunCtx, x, y *tensor.Tensor) bool {
	if x.DType() == y.DType() {
		copy(y.Bytes(), x.Bytes())
		copy(y.Strings(), x.Strings())
		return true
	}
	switch y.DType() {
	case tensor.Float32:
		out := y.F32()
		switch x.DType() {
		case tensor.Float64:
			kernel.Convert(c.Pool, out, tensor.Data[float64](x))
		case tensor.Int64:
			kernel.Convert(c.Pool, out, x.I64())
		case tensor.Int32:
			kernel.Convert(c.Pool, out, tensor.Data[int32](x))
		case tensor.Uint8:
			kernel.Convert(c.Pool, out, tensor.Data[uint8](x))
		case tensor.Bool:
			kernel.ConvertFromBool(c.Pool, out, tensor.Data[bool](x))
		case tensor.Float16:
			kernel.HalfToF32(c.Pool, out, tensor.Data[uint16](x))
		case tensor.BFloat16:
			kernel.BFloatToF32(c.Pool, out, tensor.Data[uint16](x))
		default:
			return false
		}
	case tensor.Float64:
		out := tensor.Data[float64](y)
		switch x.DType() {
		case tensor.Float32:
			kernel.Convert(c.Pool, out, x.F32())
		case tensor.Int64:
			kernel.Convert(c.Pool, out, x.I64())
		case tensor.Bool:
			kernel.ConvertFromBool(c.Pool, out, tensor.Data[bool](x))
		default:
			return false
		}
	case tensor.Int64:
		switch x.DType() {
		case tensor.Int32:
			kernel.Convert(c.Pool, y.I64(), tensor.Data[int32](x))
		case tensor.Bool:
			kernel.ConvertFromBool(c.Pool, y.I64(), tensor.Data[bool](x))
		default:
			return false
		}
	case tensor.Int32:
		switch x.DType() {
		case tensor.Int64:
			kernel.Convert(c.Pool, tensor.Data[int32](y), x.I64())
		case tensor.Bool:
			kernel.ConvertFromBool(c.Pool, tensor.Data[int32](y), tensor.Data[bool](x))
		default:
			return false
		}
	case tensor.Bool:
		out := tensor.Data[bool](y)
		switch x.DType() {
		case tensor.Float32:
			kernel.ConvertToBool(c.Pool, out, x.F32())
		case tensor.Int64:
			kernel.ConvertToBool(c.Pool, out, x.I64())
		case tensor.Int32:
			kernel.ConvertToBool(c.Pool, out, tensor.Data[int32](x))
		default:
			return false
		}
	case tensor.Float16:
		if x.DType() != tensor.Float32 {
			return false
		}
		kernel.F32ToHalf(c.Pool, tensor.Data[uint16](y), x.F32())
	case tensor.BFloat16:
		if x.DType() != tensor.Float32 {
			return false
		}
		kernel.F32ToBFloat(c.Pool, tensor.Data[uint16](y), x.F32())
	default:
		return false
	}
	return true
}
