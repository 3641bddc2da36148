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

// TestIm2row: the windows of bytes are those of float64.
func TestIm2row(t *testing.T) {
	cp := &ConvParams{N: 1, C: 4, M: 2, Group: 2, In: [3]int{2, 5, 4}, Kernel: [3]int{1, 3, 2}, Stride: [3]int{1, 2, 1}, Dil: [3]int{1, 1, 2},
		PadLo: [3]int{0, 1, 2}, PadHi: [3]int{1, 0, 1}}
	cp.SetOut()
	r := rand.New(rand.NewPCG(3, 4))
	k, o := 2*volume(cp.Kernel), volume(cp.Out)
	x, rows := randomBytes(r, 2*volume(cp.In)), make([]byte, k*o)
	f, cols := make([]float64, len(x)), make([]float64, k*o)
	for i, v := range x {
		f[i] = float64(v)
	}
	Im2row(nil, cp, x, 0, 0, 3, rows)
	Im2row(nil, cp, x, 0, 3, o, rows[3*k:])
	Im2col(cp, f, cols)
	for i := range k {
		for j := range o {
			if float64(rows[j*k+i]) != cols[i*o+j] {
				t.Fatalf("tap %d of place %d: %d, want %v", i, j, rows[j*k+i], cols[i*o+j])
			}
		}
	}
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
