package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestWays runs each algorithm of each kernel: one is chosen, that one gives the bits of the kernel, and the others the same numbers.
func TestWays(t *testing.T) {
	check := func(t *testing.T, exact bool, ways []Way, out []float32, run func()) {
		t.Helper()
		run()
		want, chosen := append([]float32{}, out...), 0
		for _, w := range ways {
			for i := range out {
				out[i] = float32(math.NaN())
			}
			w.Run(nil)
			if w.Chosen {
				chosen++
			}
			for i, v := range out {
				if d := math.Abs(float64(v - want[i])); !(d <= 1e-3*(1+math.Abs(float64(want[i])))) || exact && w.Chosen && v != want[i] {
					t.Fatalf("%s: element %d is %v, want %v", w.Name, i, v, want[i])
				}
			}
		}
		if chosen != 1 {
			t.Errorf("%d of %d ways are chosen, want 1", chosen, len(ways))
		}
	}
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		const m, n, k = 37, 41, 53
		a, b, c := randomSlice(r, m*k), randomSlice(r, k*n), make([]float32, m*n)
		for _, tr := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
			lda, ldb := k, n
			if tr[0] {
				lda = m
			}
			if tr[1] {
				ldb = k
			}
			check(t, true, SgemmWays(tr[0], tr[1], m, n, k, a, b, c), c, func() { Sgemm(nil, tr[0], tr[1], m, n, k, 1, a, lda, b, ldb, 0, c, n) })
		}
		for _, cp := range []ConvParams{conv2D(2, 6, 14, 14, 10, 3, 3, 1, 1, 1), conv2D(2, 6, 14, 14, 10, 3, 3, 2, 1, 1),
			conv2D(2, 6, 9, 9, 20, 1, 1, 1, 0, 1), conv2D(2, 6, 14, 14, 6, 3, 3, 1, 1, 6)} {
			nx, nw, ny := cp.sizes()
			x, w, y := randomSlice(r, nx), randomSlice(r, nw), randomSlice(r, ny)
			dx, dw, out := make([]float32, nx), make([]float32, nw), make([]float32, ny)
			check(t, true, ConvWays(&cp, x, w, out), out, func() { Conv(nil, &cp, x, w, nil, nil, out) })
			check(t, true, ConvDXWays(&cp, y, w, dx), dx, func() { ConvDX(nil, &cp, y, w, nil, nil, dx) })
			check(t, true, ConvDWWays(&cp, x, y, dw), dw, func() { ConvDW(nil, &cp, x, y, dw) })
		}
		const heads, tokens, d = 2, 5, 8
		q, key, v := randomSlice(r, heads*tokens*d), randomSlice(r, heads*tokens*d), randomSlice(r, heads*tokens*d)
		out := make([]float32, heads*tokens*d)
		check(t, false, AttentionWays(heads, tokens, d, q, key, v, out), out, func() {
			for h := range heads {
				for i := range tokens {
					var e [tokens]float64
					sum := 0.0
					for j := range tokens {
						for c := range d {
							e[j] += float64(q[(h*tokens+i)*d+c]) * float64(key[(h*tokens+j)*d+c])
						}
						e[j] = math.Exp(e[j] / math.Sqrt(d))
						sum += e[j]
					}
					for c := range d {
						x := 0.0
						for j := range tokens {
							x += e[j] / sum * float64(v[(h*tokens+j)*d+c])
						}
						out[(h*tokens+i)*d+c] = float32(x)
					}
				}
			}
		})
	})
}
