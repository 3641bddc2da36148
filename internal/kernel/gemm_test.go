package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parallel"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

func randomSlice(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// matches compares with a float64 reference; terms is the number of products in a sum of order-one terms.
func matches(t *testing.T, what string, got []float32, want []float64, terms int) {
	t.Helper()
	tol := 4e-7 * math.Sqrt(float64(terms)+4) * 4
	for i := range got {
		g, w := float64(got[i]), want[i]
		if math.IsNaN(w) && math.IsNaN(g) {
			continue
		}
		if !(math.Abs(g-w) <= tol*(1+math.Abs(w))) {
			t.Fatalf("%s: element %d is %v, want %v (tolerance %g)", what, i, g, w, tol)
		}
	}
}

func sameResult(t *testing.T, what string, a, b []float32) {
	t.Helper()
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			t.Fatalf("%s: element %d differs: %v, %v", what, i, a[i], b[i])
		}
	}
}

// naiveGemm is the definition of Sgemm with an epilogue, in float64.
func naiveGemm(tA, tB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int,
	e *Epilogue) []float64 {
	out := make([]float64, len(c))
	for i := range c {
		out[i] = float64(c[i])
	}
	for i := range m {
		for j := range n {
			var s float64
			for p := range k {
				x, y := i*lda+p, p*ldb+j
				if tA {
					x = p*lda + i
				}
				if tB {
					y = j*ldb + p
				}
				s += float64(a[x]) * float64(b[y])
			}
			s *= float64(alpha)
			if beta != 0 {
				s += float64(beta) * float64(c[i*ldc+j])
			}
			if e != nil {
				if e.RowBias != nil {
					s += float64(e.RowBias[i])
				}
				if e.ColBias != nil {
					s += float64(e.ColBias[j])
				}
				if e.Add != nil {
					s += float64(e.Add[i*ldc+j])
				}
				if e.Clip {
					s = min(max(s, float64(e.Lo)), float64(e.Hi))
				}
			}
			out[i*ldc+j] = s
		}
	}
	return out
}

func TestSgemm(t *testing.T) {
	pools := []*parallel.Pool{nil, parallel.New(2), parallel.New(4)}
	defer pools[1].Close()
	defer pools[2].Close()
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		rounds := 400
		if testing.Short() {
			rounds = 100
		}
		for round := range rounds {
			m, n, k := r.IntN(71), r.IntN(71), r.IntN(71)
			far := false // rows of C that fall into few sets of the caches
			switch round % 6 {
			case 0:
				m = r.IntN(3)
			case 1:
				n = r.IntN(3)
			case 2:
				n, k = r.IntN(300), r.IntN(700)
			case 3:
				m = r.IntN(17)
			case 4:
				if round%24 == 4 {
					m, n, k = r.IntN(400), r.IntN(200), r.IntN(600)
				}
				if far = round%24 == 10; far {
					m, n, k = 15+r.IntN(120), 1+r.IntN(120), 257+r.IntN(700)
				}
			}
			tA, tB := r.IntN(2) == 1, r.IntN(2) == 1
			dim := func(rows, cols int, t bool) (int, int) {
				if t {
					rows, cols = cols, rows
				}
				ld := cols + r.IntN(4)
				return max(ld, 1), max(0, (rows-1)*ld+cols)
			}
			lda, na := dim(m, k, tA)
			ldb, nb := dim(k, n, tB)
			ldc, nc := dim(m, n, false)
			if far {
				ldc = farRows
				nc = (m-1)*ldc + n
			}
			a, b, c := randomSlice(r, na), randomSlice(r, nb), randomSlice(r, nc)
			alpha := []float32{1, 1, 0, -0.5}[r.IntN(4)]
			beta := []float32{0, 1, 0.25}[r.IntN(3)]
			if beta == 0 {
				for i := range c {
					if i%ldc < n {
						c[i] = float32(math.NaN())
					}
				}
			}
			var e *Epilogue
			if r.IntN(3) == 0 {
				e = &Epilogue{}
				if r.IntN(2) == 0 {
					e.RowBias = randomSlice(r, m)
				}
				if r.IntN(2) == 0 {
					e.ColBias = randomSlice(r, n)
				}
				if r.IntN(2) == 0 {
					e.Add = randomSlice(r, nc)
				}
				if r.IntN(2) == 0 {
					e.Clip, e.Lo, e.Hi = true, -1, 2
				}
			}
			what := fmt.Sprintf("m=%d n=%d k=%d tA=%v tB=%v alpha=%v beta=%v ld=%d,%d,%d epilogue=%v", m, n, k, tA, tB, alpha, beta, lda,
				ldb, ldc, e != nil)
			want := naiveGemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, e)
			if e != nil && e.Add != nil && beta == 0 {
				f := *e
				f.Add = append([]float32(nil), e.Add...)
				SgemmEx(nil, tA, tB, m, n, k, alpha, a, lda, b, ldb, 0, f.Add, ldc, &f)
				for i := range f.Add {
					if i%ldc >= n {
						f.Add[i] = c[i]
					}
				}
				matches(t, "in place "+what, f.Add, want, k)
			}
			var first []float32
			right := NewRight(tB, n, k, b, ldb)
			for i, p := range pools {
				got := append([]float32(nil), c...)
				SgemmEx(p, tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, got, ldc, e)
				if i == 0 {
					matches(t, what, got, want, k)
					first = got
				} else {
					sameResult(t, what, got, first)
				}
				if m == 0 || n == 0 || k == 0 {
					continue
				}
				func() {
					defer func(n int) { mostPacked = n }(mostPacked)
					mostPacked = 1
					bands := append([]float32(nil), c...)
					SgemmEx(p, tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, bands, ldc, e)
					sameResult(t, "in bands "+what, bands, first)
				}()
				for range 2 {
					kept := append([]float32(nil), c...)
					SgemmRight(p, tA, m, alpha, a, lda, right, beta, kept, ldc, e)
					sameResult(t, "kept "+what, kept, first)
				}
			}
			if right.Packed() > 1 {
				t.Errorf("%s: packed %d times", what, right.Packed())
			}
		}
	})
}

func TestGemmClipKeepsNaN(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range []int{1, 5, 40} {
			m := 20
			a := make([]float32, m*m)
			for i := range m {
				a[i*m+i] = 1
			}
			b := make([]float32, m*n)
			b[n-1] = float32(math.NaN())
			b[n*3] = float32(math.Inf(1))
			a[3] = 0
			c := make([]float32, m*n)
			SgemmEx(nil, false, false, m, n, m, 1, a, m, b, n, 0, c, n, &Epilogue{Clip: true, Hi: 6})
			if !math.IsNaN(float64(c[n-1])) {
				t.Errorf("n=%d: clip turned NaN into %v", n, c[n-1])
			}
			if c[n*3] != 6 && !math.IsNaN(float64(c[n*3])) {
				t.Errorf("n=%d: clip turned +Inf into %v", n, c[n*3])
			}
		}
	})
}

func TestGemmShort(t *testing.T) {
	x := make([]float32, 12)
	for name, f := range map[string]func(){
		"A":        func() { Sgemm(nil, false, false, 4, 4, 4, 1, x, 4, make([]float32, 16), 4, 0, make([]float32, 16), 4) },
		"B":        func() { Sgemm(nil, false, true, 4, 4, 4, 1, make([]float32, 16), 4, x, 4, 0, make([]float32, 16), 4) },
		"C":        func() { Sgemm(nil, false, false, 4, 4, 4, 1, make([]float32, 16), 4, make([]float32, 16), 4, 0, x, 4) },
		"lda":      func() { Sgemm(nil, false, false, 4, 2, 4, 1, make([]float32, 16), 3, x, 2, 0, x, 2) },
		"epilogue": func() { SgemmEx(nil, false, false, 3, 4, 1, 1, x, 1, x, 4, 0, x, 4, &Epilogue{RowBias: x[:2]}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s too short: no panic", name)
				}
			}()
			f()
		}()
	}
}

func benchGemm(b *testing.B, m, n, k int, f func(a, bb, c []float32)) {
	r := rand.New(rand.NewPCG(1, 2))
	x, y, z := randomSlice(r, m*k), randomSlice(r, k*n), make([]float32, m*n)
	f(x, y, z)
	b.ResetTimer()
	for b.Loop() {
		f(x, y, z)
	}
	b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

func BenchmarkSgemm(b *testing.B) {
	for _, n := range []int{64, 256, 512, 1024, 2048} {
		for _, i := range ISAs()[1:] {
			b.Run(fmt.Sprintf("%s/%d", i, n), func(b *testing.B) {
				restore, _ := ForceISA(i)
				defer restore()
				benchGemm(b, n, n, n, func(x, y, z []float32) { Sgemm(nil, false, false, n, n, n, 1, x, n, y, n, 0, z, n) })
			})
		}
		if n == 256 || n == 1024 {
			b.Run(fmt.Sprintf("gonum/%d", n), func(b *testing.B) {
				benchGemm(b, n, n, n, func(x, y, z []float32) {
					gonum.Implementation{}.Sgemm(blas.NoTrans, blas.NoTrans, n, n, n, 1, x, n, y, n, 0, z, n)
				})
			})
		}
	}
	for _, s := range []struct {
		m, n, k int
		tA, tB  bool
	}{{1, 1000, 512, false, true}, {1, 1000, 512, false, false}, {8, 1000, 512, false, true}, {64, 120, 400, false, true},
		{64, 400, 120, false, false},
		{120, 400, 64, true, false}, {64, 10, 84, false, true}, {64, 256, 64, false, true}, {197, 64, 64, false, true},
		{197, 576, 192, false, true}, {6, 784, 25, false, false}} {
		b.Run(fmt.Sprintf("%dx%dx%d_%v_%v", s.m, s.n, s.k, s.tA, s.tB), func(b *testing.B) {
			lda, ldb := s.k, s.n
			if s.tA {
				lda = s.m
			}
			if s.tB {
				ldb = s.k
			}
			benchGemm(b, s.m, s.n, s.k, func(x, y, z []float32) {
				Sgemm(nil, s.tA, s.tB, s.m, s.n, s.k, 1, x, lda, y, ldb, 0, z, s.n)
			})
		})
	}
}
