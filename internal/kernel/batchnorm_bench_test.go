package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkBatchNorm measures training on the maps of ResNet-20 and ResNet-18.
func BenchmarkBatchNorm(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range [][3]int{{64, 16, 1024}, {64, 32, 256}, {64, 64, 64}, {8, 64, 12544}, {8, 64, 3136}, {8, 512, 49}} {
		n, c, hw := s[0], s[1], s[2]
		x, dy, y, w := randomSlice(r, n*c*hw), randomSlice(r, n*c*hw), make([]float32, n*c*hw), randomSlice(r, c)
		mean, variance, inv, ds, db := make([]float32, c), make([]float32, c), make([]float32, c), make([]float32, c), make([]float32, c)
		b.Run(fmt.Sprintf("%dx%dx%d/fwd", n, c, hw), func(b *testing.B) {
			best(b, 8*float64(n*c*hw), func() { BatchNormTrain(nil, y, mean, variance, inv, x, w, w, n, c, hw, 1e-5, Relu) })
		})
		b.Run(fmt.Sprintf("%dx%dx%d/grad", n, c, hw), func(b *testing.B) {
			best(b, 16*float64(n*c*hw), func() { BatchNormGrad(nil, x, ds, db, x, dy, y, w, mean, inv, n, c, hw, true) })
		})
	}
}
