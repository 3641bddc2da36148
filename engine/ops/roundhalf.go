package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// RoundHalf is X rounded to half precision and back: Y has X's shape and type. Its gradient is that of the identity, as of Cast.
var RoundHalf = new(graph.Spec)

func init() {
	define(RoundHalf, graph.Def[noAttrs]{
		Domain: Private, Name: "RoundHalf", Since: []int{1}, Doc: "Cast to float16 and back",
		In: []graph.Formal{{Name: "X", Types: floats}}, Out: []graph.Formal{{Name: "Y"}},
		Infer: sameShape[noAttrs],
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() != tensor.Float32 {
				x, err := rounded(c.In[0], tensor.Float16)
				if err != nil {
					return err
				}
				copy(c.Out[0].Bytes(), x.Bytes())
				return nil
			}
			x, y := c.In[0].F32(), c.Out[0].F32()
			const piece = 1 << 14
			c.Pool.For(len(x), piece, func(lo, hi int) {
				var h [1024]uint16
				for ; lo < hi; lo += len(h) {
					n := min(len(h), hi-lo)
					kernel.F32ToHalf(nil, h[:n], x[lo:lo+n])
					kernel.HalfToF32(nil, y[lo:lo+n], h[:n])
				}
			})
			return nil
		},
		Grad: func(_ *noAttrs, _ *graph.Builder, _ *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return dy[:1], nil
		},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{b.Add(Cast, CastTo(b.DType(n.In[0])), b.Add(Cast, CastTo(tensor.Float16), n.In[0]))}, nil
		},
	})
}

// KeepsHalf reports whether op hands on numbers in half precision as they are stored, or has a kernel for them in ONNX Runtime on a CPU,
// where all others take them in single precision.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/OperatorKernels.md
func KeepsHalf(op *graph.Spec) bool {
	switch op.Name {
	case Cast.Name, Dropout.Name, DepthToSpace.Name, SpaceToDepth.Name, Tile.Name, Pad.Name:
		return false
	}
	return op.Role == graph.View || op.Role == graph.Move || op == LayerNormalization
}
