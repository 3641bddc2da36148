package kernel

import "github.com/gtk-onnx/gtk/internal/parallel"

// SgemmBatch is Sgemm for every i < len(cOff) on the matrices that begin at a[aOff[i]], b[bOff[i]] and c[cOff[i]].
// The results must not overlap.
func SgemmBatch(p *parallel.Pool, tA, tB bool, m, n, k int, alpha float32, a []float32, aOff []int, lda int, b []float32, bOff []int, ldb int, beta float32, c []float32, cOff []int, ldc int) {
	if len(aOff) < len(cOff) || len(bOff) < len(cOff) {
		panic("kernel: gemm: offsets are too short")
	}
	one := func(p *parallel.Pool, i int) {
		Sgemm(p, tA, tB, m, n, k, alpha, a[aOff[i]:], lda, b[bOff[i]:], ldb, beta, c[cOff[i]:], ldc)
	}
	if len(cOff) < 2*p.Threads() {
		for i := range cOff {
			one(p, i)
		}
		return
	}
	p.For(len(cOff), max(1, 1<<16/max(1, m*n*k)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			one(nil, i)
		}
	})
}
