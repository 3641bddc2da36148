package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// byteForms are ways in which bytes stand for numbers, the ends of zero points among them.
var byteForms = []Bytes{{0.5, 0, false}, {0.037, 128, false}, {2, 255, false}, {0.1, 0, true}, {0.25, -128, true}, {1.5, 127, true}}

// TestBytes compares the loops over bytes with float64 and int64, on each instruction set, at lengths around those of vectors.
func TestBytes(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		near := func(y Bytes, got byte, v float64, lo, hi float32) bool { // v in steps of y
			l, h := y.bounds()
			v = min(max(v, float64(max(l, lo))), float64(min(h, hi)))
			d := math.Abs(float64(y.value(got)) - v)
			return d <= 0.5+1e-4
		}
		for _, n := range []int{0, 1, 7, 8, 31, 32, 33, 200} {
			a, b := randomBytes(r, n), randomBytes(r, n)
			for i, qa := range byteForms {
				pairs := make([]uint32, n)
				PairBytes(pairs, a, b, qa)
				single := make([]uint32, n)
				PairBytes(single, a, nil, qa)
				wide := make([]int16, n)
				WidenBytes(wide, a, qa)
				f := make([]float32, n)
				DequantizeBytes(f, a, qa)
				for k := range n {
					if int32(int16(pairs[k])) != qa.value(a[k]) || int32(int16(pairs[k]>>16)) != qa.value(b[k]) {
						t.Fatalf("%d, %+v: pair %d is %08x of %d, %d", n, qa, k, pairs[k], a[k], b[k])
					}
					if int32(wide[k]) != qa.value(a[k]) {
						t.Fatalf("%d, %+v: %d is %d", n, qa, a[k], wide[k])
					}
					if int32(int16(single[k])) != qa.value(a[k]) || single[k]>>16 != 0 {
						t.Fatalf("%d, %+v: single %d is %08x of %d", n, qa, k, single[k], a[k])
					}
					if float64(f[k]) != float64(qa.Scale*float32(qa.value(a[k]))) {
						t.Fatalf("%d, %+v: number %d is %v of %d", n, qa, k, f[k], a[k])
					}
				}
				y := byteForms[(i+2)%len(byteForms)]
				back := make([]byte, n)
				QuantizeBytes(back, f, qa, noClip[0], noClip[1])
				for k := range n {
					if back[k] != a[k] {
						t.Fatalf("%d, %+v: %d comes back as %d", n, qa, a[k], back[k])
					}
				}
				lo, hi := noClip[0], noClip[1]
				if i%2 == 1 {
					lo, hi = -3, 90
				}
				for name, got := range map[string][]byte{"quantised": make([]byte, n), "requantised": make([]byte, n), "sum": make([]byte, n)} {
					x := make([]int32, n)
					switch name {
					case "quantised":
						QuantizeBytes(got, f, y, noClip[0], noClip[1])
					case "requantised":
						for k := range x {
							x[k] = int32(r.IntN(20000) - 10000)
						}
						RequantizeBytes(got, x, 77, 0.01, y, lo, hi)
					case "sum":
						AddBytes(got, a, b, y.Signed, 0.7, -0.31, 5.25)
					}
					for k := range n {
						ok := false
						switch name {
						case "quantised":
							ok = near(y, got[k], float64(f[k])/float64(y.Scale), noClip[0], noClip[1])
						case "requantised":
							ok = near(y, got[k], float64(x[k]+77)*0.01, lo, hi)
						case "sum":
							one := Bytes{1, 0, y.Signed}
							ok = near(one, got[k], 0.7*float64(one.value(a[k]))-0.31*float64(one.value(b[k]))+5.25, noClip[0], noClip[1])
						}
						if !ok {
							t.Fatalf("%d, %+v to %+v: %s %d is %d", n, qa, y, name, k, got[k])
						}
					}
				}
			}
		}
		nan, inf := float32(math.NaN()), float32(math.Inf(1))
		x := []float32{0.5, 1.5, 2.5, -0.5, nan, inf, -inf, 1e9, -1e9, 300}
		x = append(append(x, make([]float32, 54)...), x...)
		for _, y := range []Bytes{{1, 10, false}, {1, 10, true}} {
			got := make([]byte, len(x))
			QuantizeBytes(got, x, y, noClip[0], noClip[1])
			low, high := byte(0), byte(255)
			if y.Signed {
				low, high = 0x80, 127
			}
			for _, at := range []int{0, 64} {
				for k, want := range []byte{10, 12, 12, 10, low, high, low, high, low, high} {
					if got[at+k] != want {
						t.Errorf("%+v: %v is %d, want %d", y, x[k], got[at+k], want)
					}
				}
			}
		}
	})
}
