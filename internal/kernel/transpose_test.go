package kernel

import (
	"math/rand/v2"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

func count[T Number](n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(i)
	}
	return x
}

func testPermute[T Number](t *testing.T, p *parallel.Pool, shape, perm []int) {
	in, out := count[T](size(shape)), make([]T, size(shape))
	Permute(p, out, in, shape, perm)
	outShape, st := make([]int, len(perm)), Strides(shape)
	for k, a := range perm {
		outShape[k] = shape[a]
	}
	os := Strides(outShape)
	odometer(outShape, func(idx []int) {
		o := 0
		for k, a := range perm {
			o += idx[k] * st[a]
		}
		if out[at(idx, os)] != in[o] {
			t.Fatalf("%T %v by %v at %v: %v, want %v", in, shape, perm, idx, out[at(idx, os)], in[o])
		}
	})
}

func TestPermute(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	ps := pools(t)
	for range 200 {
		shape := make([]int, r.IntN(6))
		for i := range shape {
			shape[i] = 1 + r.IntN(9)
			if r.IntN(6) == 0 {
				shape[i] = 33
			}
		}
		for size(shape) > 100000 {
			shape[0], shape = 1, shape[1:]
		}
		perm := r.Perm(len(shape))
		p := ps[r.IntN(3)]
		testPermute[uint8](t, p, shape, perm)
		testPermute[int16](t, p, shape, perm)
		testPermute[float32](t, p, shape, perm)
		testPermute[float64](t, p, shape, perm)
	}
	for _, p := range ps {
		testPermute[float32](t, p, []int{257, 311}, []int{1, 0})
		testPermute[float32](t, p, []int{3, 64, 50, 7}, []int{0, 2, 3, 1})
		testPermute[float32](t, p, []int{0, 3}, []int{1, 0})
	}
}
