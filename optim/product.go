package optim

import (
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/parallel"
)

// product is c = alpha·op(a)·op(b) + beta·c for dense rows, op(a) [m,k] and op(b) [k,n]; tA and tB transpose.
func product[T Float](p *parallel.Pool, tA, tB bool, m, n, k int, alpha T, a, b []T, beta T, c []T) {
	lda, ldb := k, n
	if tA {
		lda = m
	}
	if tB {
		ldb = k
	}
	if x, ok := any(a).([]float32); ok {
		kernel.Sgemm(p, tA, tB, m, n, k, float32(alpha), x, lda, any(b).([]float32), ldb, float32(beta), any(c).([]float32), n)
		return
	}
	kernel.Dgemm(p, tA, tB, m, n, k, float64(alpha), any(a).([]float64), lda, any(b).([]float64), ldb, float64(beta), any(c).([]float64), n)
}
