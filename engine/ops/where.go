package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Where is X where the condition holds, else Y, elementwise with broadcasting of all three.
//
// Source: https://onnx.ai/onnx/operators/onnx__Where.html
var Where = new(graph.Spec)

func init() {
	define(Where, graph.Def[noAttrs]{
		Name: "Where", Since: []int{9, 16}, Doc: "https://onnx.ai/onnx/operators/onnx__Where.html",
		In:      []graph.Formal{{Name: "condition", Types: bools, NoGrad: true}, {Name: "X"}, {Name: "Y"}},
		Out:     []graph.Formal{{Name: "output"}},
		InPlace: [][2]int{{1, 0}, {2, 0}},
		Types: func(_ *noAttrs, in, out []tensor.DType) error {
			if err := oneType(in[1:]); err != nil {
				return err
			}
			out[0] = in[1]
			return nil
		},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			s, err := broadcast(c.Shape(0), c.Shape(1))
			if err != nil {
				return err
			}
			if s, err = broadcast(s, c.Shape(2)); err != nil {
				return err
			}
			c.Out(0, s...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			if c.In[1].DType() == tensor.String {
				whereAs(c, c.In[1].Strings(), c.In[2].Strings(), c.Out[0].Strings())
				return nil
			}
			// Only the width of an element matters.
			switch c.In[1].DType().Bits() {
			case 8:
				whereBits[uint8](c, tensor.Uint8)
			case 16:
				whereBits[uint16](c, tensor.Uint16)
			case 32:
				whereBits[uint32](c, tensor.Uint32)
			case 64:
				whereBits[uint64](c, tensor.Uint64)
			case 128:
				whereBits[complex128](c, tensor.Complex128)
			default:
				return errType(c.In[1])
			}
			return nil
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx := make([]graph.Value, 3)
			zero := b.Scalar(b.DType(dy[0]), 0)
			if need[1] {
				dx[1] = sumLike(b, b.Add(Where, nil, n.In[0], dy[0], zero), n.In[1])
			}
			if need[2] {
				dx[2] = sumLike(b, b.Add(Where, nil, n.In[0], zero, dy[0]), n.In[2])
			}
			return dx, nil
		},
	})
}

func whereBits[T tensor.Elem](c *graph.RunCtx, d tensor.DType) {
	whereAs(c, bitsOf[T](c.In[1], d), bitsOf[T](c.In[2], d), bitsOf[T](c.Out[0], d))
}

func whereAs[T any](c *graph.RunCtx, x, y, out []T) {
	kernel.Where(c.Pool, out, c.Out[0].Shape(), tensor.Data[bool](c.In[0]), c.In[0].Shape(), x, c.In[1].Shape(), y, c.In[2].Shape())
}

// bitsOf is the storage of t as elements of type d, which has the width of t's.
func bitsOf[T tensor.Elem](t *tensor.Tensor, d tensor.DType) []T {
	u, err := tensor.FromBytes(d, t.Shape(), t.Bytes())
	if err != nil {
		panic(err)
	}
	return tensor.Data[T](u)
}
