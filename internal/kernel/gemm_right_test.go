package kernel

import (
	"math/rand/v2"
	"testing"
)

// TestRightIsPackedOnce: products of any number of rows share one copy, and those of few rows need none.
func TestRightIsPackedOnce(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		n, k := 90, 70
		b := randomSlice(r, n*k)
		right := NewRight(false, n, k, b, n)
		for _, m := range []int{1, 3, 40, 100, 1, 333} {
			a := randomSlice(r, m*k)
			got, want := make([]float32, m*n), make([]float32, m*n)
			Sgemm(nil, false, false, m, n, k, 1, a, k, b, n, 0, want, n)
			SgemmRight(nil, false, m, 1, a, k, right, 0, got, n, nil)
			sameResult(t, "kept", got, want)
		}
		if right.Packed() != 1 {
			t.Errorf("the operand was packed %d times", right.Packed())
		}
		few := NewRight(false, n, k, b, n)
		SgemmRight(nil, false, 3, 1, b, k, few, 0, make([]float32, 3*n), n, nil)
		if few.Packed() != 0 {
			t.Error("a product of three rows packed the operand")
		}
	})
}

// A few rows times the transpose of what is kept give the bits of the product that brings nothing into another order, and so they do after
// what was kept has been given back.
func TestRightTransposed(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		for _, k := range []int{1, 64, 300, 700} {
			n := 100
			b := randomSlice(r, n*k)
			right := BorrowRight(true, n, k, b, k)
			for _, m := range []int{2, 5, 8, 16, 33} {
				a, got, want := randomSlice(r, m*k), make([]float32, m*n), make([]float32, m*n)
				Sgemm(nil, false, true, m, n, k, 1, a, k, b, k, 0, want, n)
				for range 2 {
					SgemmRight(nil, false, m, 1, a, k, right, 0, got, n, nil)
					sameResult(t, "kept", got, want)
					right.Release()
				}
			}
		}
	})
}
