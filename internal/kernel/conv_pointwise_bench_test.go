package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkPointwise measures the convolutions of 1×1 of MobileNetV2 on eight pictures, with weights packed beforehand, a bias and a clip.
func BenchmarkPointwise(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, l := range [][4]int{
		{32, 16, 112, 1}, {16, 96, 112, 1}, {96, 24, 56, 1}, {24, 144, 56, 2}, {144, 24, 56, 1}, {144, 32, 28, 1}, {32, 192, 28, 3},
		{192, 32, 28, 2},
		{192, 64, 14, 1}, {64, 384, 14, 4}, {384, 64, 14, 3}, {384, 96, 14, 1}, {96, 576, 14, 3}, {576, 96, 14, 2}, {576, 160, 7, 1},
		{160, 960, 7, 3}, {960, 160, 7, 2}, {960, 320, 7, 1}, {320, 1280, 7, 1},
	} {
		cp := conv2D(8, l[0], l[2], l[2], l[1], 1, 1, 1, 0, 1)
		nx, nw, ny := cp.sizes()
		x, w, y := randomSlice(r, nx), randomSlice(r, nw), randomSlice(r, ny)
		e := &ConvEpilogue{Bias: randomSlice(r, cp.M), Clip: true, Hi: 6}
		packed := PackConv(&cp, w)
		b.Run(fmt.Sprintf("%d-%d@%d(%d)", l[0], l[1], l[2], l[3]), func(b *testing.B) {
			s := best(b, 4*float64(nx+ny), func() { Conv(nil, &cp, x, w, packed, e, y) })
			b.ReportMetric(cp.Flops()/s/1e9, "GFLOP/s")
		})
	}
}
