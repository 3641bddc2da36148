package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Pow is Z = X^Y, elementwise with broadcasting, of X's type; the exponent may have another one since version 12. The gradient by X
// is 0 where Y is 0, that by Y is 0 where X is 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__Pow.html
var Pow = new(graph.Spec)

func init() {
	in := []graph.Formal{{Name: "X", Types: numeric}, {Name: "Y", Types: numeric}}
	out := []graph.Formal{{Name: "Z"}}
	doc := "https://onnx.ai/onnx/operators/onnx__Pow.html"
	define(Pow, graph.Def[noAttrs]{
		Name: "Pow", Since: []int{7, 12, 13, 15}, Doc: doc, In: in, Out: out,
		InPlace: [][2]int{{0, 0}}, Types: typeOf[noAttrs](0), Infer: inferBinary[noAttrs],
		Run: func(_ *noAttrs, c *graph.RunCtx) error { return runPow(c, c.In[1].Shape()) },
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			return gradPow(b, n, dy[0], need), nil
		},
	})
	define(new(graph.Spec), graph.Def[alignAttrs]{
		Name: "Pow", Since: []int{1}, Doc: doc, In: in, Out: out,
		InPlace: [][2]int{{0, 0}}, Types: typeOf[alignAttrs](0), Infer: inferAligned,
		Run: func(a *alignAttrs, c *graph.RunCtx) error {
			s, err := a.align(c.In[0].Shape(), c.In[1].Shape())
			if err != nil {
				return err
			}
			return runPow(c, s)
		},
		Lower: func(a *alignAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{b.Add(Pow, nil, n.In[0], a.aligned(b, n))}, nil
		},
	})
}

func runPow(c *graph.RunCtx, sy tensor.Shape) error {
	x, y, out := c.In[0], c.In[1], c.Out[0]
	common := x.DType()
	if y.DType() != common {
		switch {
		case common.IsFloat():
		case y.DType().IsFloat():
			common = tensor.Float64
		default:
			common = tensor.Int64
		}
		var err error
		if x, err = x.Convert(common); err != nil {
			return err
		}
		if y, err = y.Convert(common); err != nil {
			return err
		}
		if common != out.DType() {
			out = tensor.New(common, out.Shape()...)
		}
	}
	sx := c.In[0].Shape()
	switch common {
	case tensor.Float32:
		powAs[float32](c, out, x, sx, y, sy)
	case tensor.Float64:
		powAs[float64](c, out, x, sx, y, sy)
	case tensor.Int8:
		powAs[int8](c, out, x, sx, y, sy)
	case tensor.Int16:
		powAs[int16](c, out, x, sx, y, sy)
	case tensor.Int32:
		powAs[int32](c, out, x, sx, y, sy)
	case tensor.Int64:
		powAs[int64](c, out, x, sx, y, sy)
	case tensor.Uint8:
		powAs[uint8](c, out, x, sx, y, sy)
	case tensor.Uint16:
		powAs[uint16](c, out, x, sx, y, sy)
	case tensor.Uint32:
		powAs[uint32](c, out, x, sx, y, sy)
	case tensor.Uint64:
		powAs[uint64](c, out, x, sx, y, sy)
	default:
		return fmt.Errorf("element types %v and %v are not supported", x.DType(), y.DType())
	}
	if out == c.Out[0] {
		return nil
	}
	t, err := out.Convert(c.Out[0].DType())
	if err != nil {
		return err
	}
	copy(c.Out[0].Bytes(), t.Bytes())
	return nil
}

func powAs[T interface {
	kernel.Number
	tensor.Elem
}](c *graph.RunCtx, out, x *tensor.Tensor, sx tensor.Shape, y *tensor.Tensor, sy tensor.Shape) {
	kernel.Binary(c.Pool, kernel.PowOp[T](), tensor.Data[T](out), out.Shape(), tensor.Data[T](x), sx, tensor.Data[T](y), sy)
}

func gradPow(b *graph.Builder, n *graph.Node, dy graph.Value, need []bool) []graph.Value {
	dx := make([]graph.Value, 2)
	x, y := n.In[0], n.In[1]
	d := b.DType(x)
	zero := b.Scalar(d, 0)
	if need[0] {
		dx[0] = gradPowBase(b, x, y, dy)
	}
	if need[1] {
		safe := b.Add(Where, nil, b.Add(Equal, nil, x, zero), b.Scalar(d, 1), x)
		dx[1] = sumLike(b, mul(b, dy, mul(b, n.Out[0], b.Add(Log, nil, safe))), y)
	}
	return dx
}

// gradPowBase is dY·y·x^(y-1), summed like x.
func gradPowBase(b *graph.Builder, x, y, dy graph.Value) graph.Value {
	d := b.DType(x)
	if in := b.G.Info(y); in.Kind == graph.Constant && in.Data.Len() == 1 && in.Data.Rank() == 0 {
		p := in.Data.Float64s()
		if len(p) == 1 {
			switch p[0] {
			case 0:
				return 0
			case 1:
				return dy
			case 2:
				return mul(b, dy, scale(b, x, 2))
			}
			return mul(b, dy, scale(b, b.Add(Pow, nil, x, b.Scalar(d, p[0]-1)), p[0]))
		}
	}
	if b.DType(y) != d {
		y = b.Add(Cast, CastTo(d), y)
	}
	zero, unit := b.Scalar(d, 0), b.Scalar(d, 1)
	none := b.Add(Equal, nil, y, zero)
	rest := b.Add(Where, nil, none, zero, sub(b, y, unit))
	g := mul(b, mul(b, dy, y), b.Add(Pow, nil, b.Add(Where, nil, none, unit, x), rest))
	return sumLike(b, g, x)
}
