package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// integers are the element types whose bits are numbers.
var integers = []tensor.DType{tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64, tensor.Uint8, tensor.Uint16, tensor.Uint32,
	tensor.Uint64}

// defineBitwise defines in s the operator Y = f(A, B) on the bits of integers, with broadcasting.
func defineBitwise(s *graph.Spec, name string, f func(a, b uint64) uint64) {
	define(s, graph.Def[noAttrs]{
		Name: name, Since: []int{18}, Doc: "https://onnx.ai/onnx/operators/onnx__" + name + ".html",
		In:      []graph.Formal{{Name: "A", NoGrad: true, Types: integers}, {Name: "B", NoGrad: true, Types: integers}},
		Out:     []graph.Formal{{Name: "C"}},
		InPlace: [][2]int{{0, 0}, {1, 0}}, Types: sameOperands[noAttrs], Infer: inferBinary[noAttrs],
		Run: func(_ *noAttrs, c *graph.RunCtx) error { return runBits(c, f) },
	})
}

// runBits is Out[0] = f(In[0], In[1]) on the bits of elements of 8 to 64, zeros above them.
func runBits(c *graph.RunCtx, f func(a, b uint64) uint64) error {
	switch c.In[0].DType().Bits() {
	case 8:
		bitsAs[uint8](c, f)
	case 16:
		bitsAs[uint16](c, f)
	case 32:
		bitsAs[uint32](c, f)
	case 64:
		bitsAs[uint64](c, f)
	default:
		return errType(c.In[0])
	}
	return nil
}

func bitsAs[T uint8 | uint16 | uint32 | uint64](c *graph.RunCtx, f func(a, b uint64) uint64) {
	kernel.Binary(c.Pool, kernel.BinaryFunc(func(a, b T) T { return T(f(uint64(a), uint64(b))) }), cells[T](c.Out[0]), c.Out[0].Shape(),
		cells[T](c.In[0]), c.In[0].Shape(), cells[T](c.In[1]), c.In[1].Shape())
}
