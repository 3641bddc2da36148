package kernel

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.IntN(256))
		if r.IntN(4) == 0 { // the extremes, where sums are largest
			b[i] = []byte{0, 127, 128, 255}[r.IntN(4)]
		}
	}
	return b
}

func wholeNumber(x *Int8, v byte) int64 {
	if x.Signed {
		return int64(int8(v))
	}
	return int64(v)
}

func zeroPoints(r *rand.Rand, n int, signed bool) []int32 {
	z := make([]int32, n)
	for i := range z {
		z[i] = int32(r.IntN(256))
		if signed {
			z[i] -= 128
		}
	}
	return z
}

// TestGemmInt8: against plain loops, for both kinds of numbers, zero points for all, for each row or column and none, and inner extents
// beyond which float32 is no longer exact; the same for any number of threads.
func TestGemmInt8(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		pool := parallel.New(3)
		defer pool.Close()
		r := rand.New(rand.NewPCG(1, 2))
		for _, s := range [][3]int{{1, 1, 1}, {3, 5, 7}, {1, 17, 300}, {300, 9, 40}, {5, 33, 1100}, {2, 3, 0}} {
			m, n, k := s[0], s[1], s[2]
			for kind := range 8 {
				a := Int8{Data: randomBytes(r, m*k), Signed: kind&1 != 0, Ld: k}
				b := Int8{Data: randomBytes(r, n*k), Signed: kind&2 != 0, Ld: n}
				trans := kind&4 != 0
				if trans {
					b.Ld = k
				}
				a.Zero, b.Zero = zeroPoints(r, []int{0, 1, m}[kind%3], a.Signed), zeroPoints(r, []int{n, 0, 1}[kind%3], b.Signed)
				want := make([]int32, m*n)
				for i := range m {
					for j := range n {
						sum := int64(0)
						for l := range k {
							at := l*n + j
							if trans {
								at = j*k + l
							}
							sum += (wholeNumber(&a, a.Data[i*k+l]) - int64(a.zero(i))) * (wholeNumber(&b, b.Data[at]) - int64(b.zero(j)))
						}
						want[i*n+j] = int32(sum)
					}
				}
				right := NewRightInt8(trans, n, k, b)
				for _, p := range []*parallel.Pool{nil, pool} {
					got := make([]int32, m*n)
					GemmInt8(p, m, a, right, got, n)
					for i := range got {
						if got[i] != want[i] {
							t.Fatalf("%v, kind %d: element %d is %d, want %d", s, kind, i, got[i], want[i])
						}
					}
				}
			}
		}
	})
}

// TestConvInt8: against plain loops, for both kinds of numbers, with groups, depthwise, odd channels, pads and strides, several images, the
// same for any number of threads.
func TestConvInt8(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		pool := parallel.New(3)
		defer pool.Close()
		r := rand.New(rand.NewPCG(3, 4))
		for kind, cp := range []ConvParams{
			{N: 2, C: 5, M: 7, Group: 1, In: [3]int{1, 7, 9}, Kernel: [3]int{1, 3, 3}, PadLo: [3]int{0, 1, 1}, PadHi: [3]int{0, 1, 1}},
			{N: 1, C: 6, M: 4, Group: 2, In: [3]int{1, 8, 8}, Kernel: [3]int{1, 3, 2}, Stride: [3]int{1, 2, 1}, PadLo: [3]int{0, 1, 0}},
			{N: 3, C: 9, M: 9, Group: 9, In: [3]int{1, 9, 9}, Kernel: [3]int{1, 3, 3}, PadLo: [3]int{0, 1, 1}, PadHi: [3]int{0, 1, 1}},
			{N: 2, C: 4, M: 8, Group: 4, In: [3]int{1, 5, 5}, Kernel: [3]int{1, 2, 2}, Dil: [3]int{1, 2, 2}},
			{N: 1, C: 33, M: 20, Group: 1, In: [3]int{1, 6, 6}, Kernel: [3]int{1, 1, 1}},
			{N: 1, C: 2, M: 2, Group: 2, In: [3]int{1, 20, 20}, Kernel: [3]int{1, 17, 17}},
			{N: 1, C: 3, M: 2, Group: 1, In: [3]int{3, 4, 5}, Kernel: [3]int{2, 2, 3}, Stride: [3]int{2, 1, 2}},
		} {
			for d := range 3 {
				cp.Stride[d], cp.Dil[d] = max(1, cp.Stride[d]), max(1, cp.Dil[d])
			}
			cp.SetOut()
			nx, nw, ny := cp.sizes()
			x := Int8{Data: randomBytes(r, nx), Signed: kind&1 != 0}
			w := Int8{Data: randomBytes(r, nw), Signed: kind&2 == 0}
			x.Zero, w.Zero = zeroPoints(r, kind%2, x.Signed), zeroPoints(r, []int{cp.M, 0, 1}[kind%3], w.Signed)
			fx, fw, want := make([]float64, nx), make([]float64, nw), make([]float64, ny)
			for i, v := range x.Data {
				fx[i] = float64(wholeNumber(&x, v) - int64(x.zero(0)))
			}
			for i, v := range w.Data {
				fw[i] = float64(wholeNumber(&w, v) - int64(w.zero(i/(nw/cp.M))))
			}
			Conv64(nil, &cp, fx, fw, nil, want)
			packed := PackConvInt8(nil, &cp, w)
			for _, p := range []*parallel.Pool{nil, pool} {
				got := make([]int32, ny)
				err := ConvInt8(t.Context(), p, &cp, x, packed, func(n, images int, sums []int32) { copy(got[n*ny/cp.N:], sums) })
				if err != nil {
					t.Fatal(err)
				}
				for i := range got {
					if float64(got[i]) != want[i] {
						t.Fatalf("%+v: element %d is %d, want %v", cp, i, got[i], want[i])
					}
				}
			}
		}
	})
}

// TestQuantize: ties to even, saturation, NaN, in each type; and Dequantize is its inverse on what it gives.
func TestQuantize(t *testing.T) {
	nan := float32(math.NaN())
	inf := float32(math.Inf(1))
	x := []float32{0, 1, 3, -1, -3, 5, 1e9, -1e9, nan, inf, -inf, 254.9, 255.1}
	u, s := make([]uint8, len(x)), make([]int8, len(x))
	Quantize(u, x, 2, 10, -10, 245)
	Quantize(s, x, 2, -3, -125, 130)
	if want := []uint8{10, 10, 12, 10, 8, 12, 255, 0, 0, 255, 0, 137, 138}; !bytes.Equal(u, want) {
		t.Errorf("uint8: %v, want %v", u, want)
	}
	for i, want := range []int8{-3, -3, -1, -3, -5, -1, 127, -128, -128, 127, -128, 124, 125} {
		if s[i] != want {
			t.Errorf("int8: %v of %v, want %v", s[i], x[i], want)
		}
	}
	w := make([]uint16, 3)
	Quantize(w, []float32{65535, 32768.5, 32769.5}, 1, 0, 0, 65535)
	if w[0] != 65535 || w[1] != 32768 || w[2] != 32770 {
		t.Errorf("uint16: %v", w)
	}
	back := make([]float32, len(u))
	Dequantize(back, u, 2, 10)
	again := make([]uint8, len(u))
	Quantize(again, back, 2, 10, -10, 245)
	if !bytes.Equal(again, u) {
		t.Errorf("%v becomes %v", u, again)
	}
	req := make([]int8, 4)
	Requantize(req, []int32{5, -5, 1000000, 7}, 0.5, 1, -129, 126)
	if req[0] != 3 || req[1] != -1 || req[2] != 127 || req[3] != 5 {
		t.Errorf("requantised: %v", req)
	}
}
