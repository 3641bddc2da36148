package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// BitShift moves the bits of X by Y places, to the left or to the right by its attribute direction, elementwise with broadcasting. A shift
// by as many places as there are bits, or more, leaves 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__BitShift.html
var BitShift = new(graph.Spec)

type bitShiftAttrs struct {
	Direction string `onnx:"direction,required"`
}

func init() {
	unsigned := []tensor.DType{tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64}
	define(BitShift, graph.Def[bitShiftAttrs]{
		Name: "BitShift", Since: []int{11}, Doc: "https://onnx.ai/onnx/operators/onnx__BitShift.html",
		In:      []graph.Formal{{Name: "X", NoGrad: true, Types: unsigned}, {Name: "Y", NoGrad: true, Types: unsigned}},
		Out:     []graph.Formal{{Name: "Z"}},
		InPlace: [][2]int{{0, 0}, {1, 0}}, Types: sameOperands[bitShiftAttrs], Infer: inferBinary[bitShiftAttrs],
		Check: func(a *bitShiftAttrs, _ *graph.Node) error {
			if a.Direction != "LEFT" && a.Direction != "RIGHT" {
				return fmt.Errorf("attribute direction is %q, want LEFT or RIGHT", a.Direction)
			}
			return nil
		},
		Run: func(a *bitShiftAttrs, c *graph.RunCtx) error {
			if a.Direction == "LEFT" {
				return runBits(c, func(x, n uint64) uint64 { return x << n })
			}
			return runBits(c, func(x, n uint64) uint64 { return x >> n })
		},
	})
}
