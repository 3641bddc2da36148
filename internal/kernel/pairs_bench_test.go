package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkConvPairs compares convolutions of pairs with those of float32, layers of ResNet-18, on one thread.
func BenchmarkConvPairs(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range [][3]int{{64, 56, 3}, {128, 28, 3}, {256, 14, 3}, {512, 7, 3}, {256, 56, 1}} {
		c, h, k := s[0], s[1], s[2]
		pad := k / 2
		cp := ConvParams{N: 1, C: c, M: c, Group: 1, In: [3]int{1, h, h}, Kernel: [3]int{1, k, k}, Stride: [3]int{1, 1, 1}, Dil: [3]int{1, 1, 1},
			PadLo: [3]int{0, pad, pad}, PadHi: [3]int{0, pad, pad}}
		cp.SetOut()
		nx, nw, ny := cp.sizes()
		macs := cp.Flops() / 2
		b.Run(fmt.Sprintf("float32/%dx%dx%d", c, h, k), func(b *testing.B) {
			x, w, y := make([]float32, nx), make([]float32, nw), make([]float32, ny)
			for i := range x {
				x[i] = r.Float32()
			}
			packed := PackConv(&cp, w)
			for b.Loop() {
				Conv(nil, &cp, x, w, packed, nil, y)
			}
			b.ReportMetric(macs*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
		})
		half := cp
		half.C = c / 2
		b.Run(fmt.Sprintf("pairs/%dx%dx%d", c, h, k), func(b *testing.B) {
			x, y := randomPairs(r, nx/2), make([]int32, ny)
			packed := PackConvPairs(nil, &half, randomPairs(r, nw/2))
			for b.Loop() {
				ConvPairs(nil, &half, x, packed, y)
			}
			b.ReportMetric(macs*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
		})
	}
}
