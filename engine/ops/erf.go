package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
)

// Erf is Y = 2/√π ∫₀^X e^(-t²) dt, elementwise; of integers without its fraction.
//
// Source: https://onnx.ai/onnx/operators/onnx__Erf.html
var Erf = new(graph.Spec)

func init() {
	defineUnary(Erf, unary{
		name: "Erf", since: []int{9, 13}, types: numeric,
		fast: kernel.ErfF32,
		f:    math.Erf,
		i:    func(x int64) int64 { return int64(math.Erf(float64(x))) },
		grad: func(b *graph.Builder, x, _, dy graph.Value) graph.Value {
			return mul(b, dy, scale(b, b.Add(Exp, nil, neg(b, square(b, x))), 2/math.Sqrt(math.Pi)))
		},
	})
}
