package gorgonia

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/gonum"
	G "gorgonia.org/gorgonia"

	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/parallel"
)

// sgemm is c ← alpha·op(a)·op(b) + beta·c for row-major matrices op(a) [m,k], op(b) [k,n] and c [m,n], where op
// is the transpose when tA or tB says so and lda, ldb and ldc are the distances between rows.
type sgemm func(tA, tB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int)

// UseSGEMM makes gtk's kernel the single-precision matrix product of gorgonia, of its tensor package and of
// gonum's blas32, for the whole process and on the given number of threads, all processors for 0 or less.
// Everything else stays gonum's. Call it once, before any graph runs.
func UseSGEMM(threads int) {
	p := parallel.New(threads)
	use(func(tA, tB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
		kernel.Sgemm(p, tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	})
}

// use registers f in the three places, which keep separate implementations: one alone leaves products behind.
func use(f sgemm) {
	b := sgemmBLAS{sgemm: f}
	blas32.Use(b)
	G.Use(b) // also sets that of the tensor package
}

// sgemmBLAS is gonum's BLAS but for Sgemm.
type sgemmBLAS struct {
	gonum.Implementation
	sgemm sgemm
}

// Sgemm is the kernel's; what is malformed goes to gonum, which panics as its callers expect.
func (s sgemmBLAS) Sgemm(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32,
	c []float32, ldc int) {
	ta, okA := transposed(tA)
	tb, okB := transposed(tB)
	ra, ca, rb, cb := m, k, k, n
	if ta {
		ra, ca = k, m
	}
	if tb {
		rb, cb = n, k
	}
	if !okA || !okB || m <= 0 || n <= 0 || k <= 0 || !fits(a, ra, ca, lda) || !fits(b, rb, cb, ldb) || !fits(c, m, n, ldc) {
		s.Implementation.Sgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		return
	}
	s.sgemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
}

func transposed(t blas.Transpose) (yes, ok bool) {
	return t != blas.NoTrans, t == blas.NoTrans || t == blas.Trans || t == blas.ConjTrans
}

// fits reports whether x holds rows × cols elements with ld between rows.
func fits(x []float32, rows, cols, ld int) bool {
	return ld >= cols && len(x) >= (rows-1)*ld+cols
}
