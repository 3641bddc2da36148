package gorgonia

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/gonum"
	G "gorgonia.org/gorgonia"
	T "gorgonia.org/tensor"
)

// counted is an sgemm that counts its calls.
type counted struct{ calls atomic.Int64 }

func (s *counted) sgemm(tA, tB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32,
	ldc int) {
	s.calls.Add(1)
	for i := range m {
		for j := range n {
			var sum float64
			for l := range k {
				x, y := i*lda+l, l*ldb+j
				if tA {
					x = l*lda + i
				}
				if tB {
					y = j*ldb + l
				}
				sum += float64(a[x]) * float64(b[y])
			}
			v := alpha * float32(sum)
			if beta != 0 {
				v += beta * c[i*ldc+j]
			}
			c[i*ldc+j] = v
		}
	}
}

// restoreBLAS gives gonum's implementation back when the test is over.
func restoreBLAS(t *testing.T) {
	t.Cleanup(func() { blas32.Use(gonum.Implementation{}); G.Use(gonum.Implementation{}) })
}

func TestUseSGEMMReachesAllThree(t *testing.T) {
	var s counted
	restoreBLAS(t)
	use(s.sgemm)
	called := func(where string, least int64) {
		t.Helper()
		if n := s.calls.Swap(0); n < least {
			t.Errorf("%s: %d calls, want %d", where, n, least)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	a, b := newDense(draw[float32](r, 6), 2, 3), newDense(draw[float32](r, 12), 3, 4)
	want := make([]float32, 8)
	gonum.Implementation{}.Sgemm(blas.NoTrans, blas.NoTrans, 2, 4, 3, 1, a.Float32s(), 3, b.Float32s(), 4, 0, want, 4)

	got, err := T.MatMul(a, b)
	if err != nil {
		t.Fatal(err)
	}
	called("tensor.MatMul", 1)
	near(t, "tensor.MatMul", got.Data().([]float32), want, 1e-6)

	c := make([]float32, 8)
	blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, blas32.General{Rows: 2, Cols: 3, Stride: 3, Data: a.Float32s()},
		blas32.General{Rows: 3, Cols: 4, Stride: 4, Data: b.Float32s()}, 0, blas32.General{Rows: 2, Cols: 4, Stride: 4, Data: c})
	called("blas32.Gemm", 1)
	near(t, "blas32.Gemm", c, want, 1e-6)

	g := G.NewGraph()
	x := G.NodeFromAny(g, a, G.WithName("x"))
	w := G.NodeFromAny(g, b, G.WithName("w"))
	loss := G.Must(G.Sum(G.Must(G.Mul(x, w))))
	if _, err := G.Grad(loss, w); err != nil {
		t.Fatal(err)
	}
	vm := G.NewTapeMachine(g, G.BindDualValues(w))
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	called("gorgonia, forward and backward", 2)
	var sum float32
	for _, v := range want {
		sum += v
	}
	near(t, "gorgonia", []float32{loss.Value().Data().(float32)}, []float32{sum}, 1e-5)
}

func TestUseSGEMM(t *testing.T) {
	restoreBLAS(t)
	UseSGEMM(2)
	if _, ok := blas32.Implementation().(sgemmBLAS); !ok {
		t.Errorf("blas32 uses %T", blas32.Implementation())
	}
	r := rand.New(rand.NewPCG(2, 3))
	const m, n, k = 65, 130, 97
	a, b, want := draw[float32](r, m*k), draw[float32](r, k*n), make([]float32, m*n)
	gonum.Implementation{}.Sgemm(blas.NoTrans, blas.NoTrans, m, n, k, 1, a, k, b, n, 0, want, n)
	got, err := T.MatMul(newDense(a, m, k), newDense(b, k, n))
	if err != nil {
		t.Fatal(err)
	}
	near(t, "tensor.MatMul", got.Data().([]float32), want, 1e-5)
}

func TestSgemmIsGonums(t *testing.T) {
	var s counted
	ours, theirs := sgemmBLAS{sgemm: s.sgemm}, gonum.Implementation{}
	r := rand.New(rand.NewPCG(7, 8))
	const m, n, k = 5, 7, 3
	for _, tA := range []blas.Transpose{blas.NoTrans, blas.Trans, blas.ConjTrans} {
		for _, tB := range []blas.Transpose{blas.NoTrans, blas.Trans, blas.ConjTrans} {
			for _, ab := range [][2]float32{{1, 0}, {0.5, 1}, {0, 2}, {-1, 0.5}} {
				a, b, c := draw[float32](r, 100), draw[float32](r, 100), draw[float32](r, 100)
				want := append([]float32{}, c...)
				theirs.Sgemm(tA, tB, m, n, k, ab[0], a, 8, b, 9, ab[1], want, 10)
				ours.Sgemm(tA, tB, m, n, k, ab[0], a, 8, b, 9, ab[1], c, 10)
				near(t, "c", c, want, 1e-5)
			}
		}
	}
	if s.calls.Load() != 36 {
		t.Errorf("%d calls, want 36", s.calls.Load())
	}
}

func TestMalformedSgemmIsGonums(t *testing.T) {
	var s counted
	b := sgemmBLAS{sgemm: s.sgemm}
	x := make([]float32, 4)
	b.Sgemm(blas.NoTrans, blas.NoTrans, 0, 2, 2, 1, x, 2, x, 2, 0, x, 2) // nothing to do
	for name, f := range map[string]func(){
		"lda":       func() { b.Sgemm(blas.NoTrans, blas.NoTrans, 2, 2, 2, 1, x, 1, x, 2, 0, make([]float32, 4), 2) },
		"short b":   func() { b.Sgemm(blas.NoTrans, blas.NoTrans, 2, 2, 2, 1, x, 2, x[:3], 2, 0, make([]float32, 4), 2) },
		"transpose": func() { b.Sgemm('x', blas.NoTrans, 2, 2, 2, 1, x, 2, x, 2, 0, make([]float32, 4), 2) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
	if s.calls.Load() != 0 {
		t.Error("a malformed call reached the kernel")
	}
}
