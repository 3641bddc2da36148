package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/parallel"
)

// HardSwish is Y = X·min(1, max(0, X/6 + 1/2)), elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__HardSwish.html
var HardSwish = new(graph.Spec)

// HardSwishGrad is dX = 0 where X <= -3, dY where X >= 3, dY·(X/3 + 1/2) between. Inputs X and dY, of one shape.
var HardSwishGrad = new(graph.Spec)

func init() {
	defineUnary(HardSwish, unary{
		name: "HardSwish", role: graph.Activation, since: []int{14, 22},
		fast: kernel.HardSwishF32,
		f:    func(x float64) float64 { return x * min(1, max(0, x/6+0.5)) },
		grad: func(b *graph.Builder, x, _, dy graph.Value) graph.Value { return b.Add(HardSwishGrad, nil, x, dy) },
	})
	defineGrad(HardSwishGrad, "HardSwishGrad", "X", hardSwishGrad, func(x, dy float64) float64 {
		switch {
		case x <= -3:
			return 0
		case x >= 3:
			return dy
		}
		return dy * (x/3 + 0.5)
	}, func(b *graph.Builder, x, dy graph.Value) graph.Value {
		k := func(v float64) graph.Value { return b.Scalar(b.DType(x), v) }
		middle := mul(b, dy, add(b, scale(b, x, 1./3), k(0.5)))
		upper := b.Add(Where, nil, b.Add(GreaterOrEqual, nil, x, k(3)), dy, middle)
		return b.Add(Where, nil, b.Add(LessOrEqual, nil, x, k(-3)), k(0), upper)
	})
}

// hardSwishGrad is HardSwishGrad in passes of vector kernels over pieces that stay in the cache.
func hardSwishGrad(p *parallel.Pool, dx, x, dy []float32) {
	const piece = 4096
	below3 := math.Nextafter32(3, 0)
	p.For(len(dx), piece, func(lo, hi int) {
		var slope, step [piece]float32
		x, s, t := x[lo:hi], slope[:hi-lo], step[:hi-lo]
		kernel.AffineF32(nil, s, x, 1./3, 0.5)
		kernel.ClipGradF32(nil, s, x, s, -below3, below3)
		// 1 from 3 on, 0 for every smaller float32: 2²²·x is exact, and one unit less there.
		kernel.HardSigmoidF32(nil, t, x, 1<<22, 1-(3<<22))
		kernel.AddF32(nil, s, s, t)
		kernel.MulF32(nil, dx[lo:hi], s, dy[lo:hi])
	})
}
