package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestBatchNormReluGrad checks that the gradient with a mask that is computed again from x is, bit for bit, that with the mask that the
// forward pass made, by the statistics of the batch and by others, rows of one element too.
func TestBatchNormReluGrad(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 9))
		for _, hw := range []int{1, 7, 64, 1000} {
			const n, c, eps = 3, 5, 1e-5
			x, dy, scale, bias := randomSlice(r, n*c*hw), randomSlice(r, n*c*hw), randomSlice(r, c), randomSlice(r, c)
			for _, training := range []bool{true, false} {
				y, mean, variance, inv, s, b := make([]float32, n*c*hw), make([]float32, c), make([]float32, c), make([]float32, c),
					make([]float32, c), make([]float32, c)
				BatchNormTrain(nil, y, mean, variance, inv, x, scale, bias, n, c, hw, eps, Relu)
				BatchNormCoefficients(s, b, mean, inv, scale, bias)
				var got, want [3][]float32
				for i, k := range []int{n * c * hw, c, c} {
					got[i], want[i] = make([]float32, k), make([]float32, k)
				}
				BatchNormGrad(nil, want[0], want[1], want[2], x, dy, y, scale, mean, inv, n, c, hw, training)
				copy(got[0], dy) // dx may be dy
				BatchNormReluGrad(nil, got[0], got[1], got[2], x, got[0], s, b, scale, mean, inv, n, c, hw, training)
				for i := range got {
					if !slices.Equal(got[i], want[i]) {
						t.Errorf("rows of %d, training %v: result %d differs", hw, training, i)
					}
				}
				// What is clipped counts where it is within the bounds, which are in it.
				ChannelAffine(nil, y, x, s, b, n, c, hw, nil)
				bounds, masked := Clamp{y[0], y[0] + 0.5}, make([]float32, n*c*hw)
				ClipGradF32(nil, masked, y, dy, bounds.Lo, bounds.Hi)
				if masked[0] != dy[0] || !slices.Contains(masked, 0) {
					t.Fatal("the bound is not within the bounds, or nothing is outside")
				}
				BatchNormGrad(nil, want[0], want[1], want[2], x, masked, nil, scale, mean, inv, n, c, hw, training)
				copy(got[0], dy)
				BatchNormClipGrad(nil, got[0], got[1], got[2], x, got[0], s, b, bounds, scale, mean, inv, n, c, hw, training)
				for i := range got {
					if !slices.Equal(got[i], want[i]) {
						t.Errorf("rows of %d, training %v, clipped: result %d differs", hw, training, i)
					}
				}
			}
		}
	})
}
