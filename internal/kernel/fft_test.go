package kernel

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"
)

// Every length, of small factors and large, gives the sum of the definition.
func TestFFT(t *testing.T) {
	lengths := []int{1024, 1000, 361, 37 * 3, 2 * 3 * 5 * 7 * 11, 997, 1 << 12, 31 * 31}
	for n := 1; n <= 70; n++ {
		lengths = append(lengths, n)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range lengths {
		x := make([]complex128, n)
		for i := range x {
			x[i] = complex(r.NormFloat64(), r.NormFloat64())
		}
		f := NewFFT(n)
		got := append([]complex128(nil), x...)
		f.Transform(got, make([]complex128, f.Work()))
		for k := range got {
			var want complex128
			for j, v := range x {
				want += v * cmplx.Exp(complex(0, -2*math.Pi*float64(j*k%n)/float64(n)))
			}
			if cmplx.Abs(got[k]-want) > 1e-11*float64(n) {
				t.Errorf("length %d: number %d is %v, want %v", n, k, got[k], want)
				break
			}
		}
	}
}
