package kernel

import "github.com/gtk-onnx/gtk/internal/parallel"

// Dgemm is Sgemm in float64: C = alpha·op(A)·op(B) + beta·C.
func Dgemm(p *parallel.Pool, tA, tB bool, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64,
	c []float64, ldc int) {
	if m <= 0 || n <= 0 {
		return
	}
	if alpha == 0 {
		k = 0
	}
	ars, acs := checkDgemm(a, m, k, lda, tA)
	brs, bcs := checkDgemm(b, k, n, ldb, tB)
	if ldc < n || len(c) < (m-1)*ldc+n {
		panic("kernel: gemm: C is too short")
	}
	const kc, nc = 128, 256 // a block of B stays in the cache
	p.For(m, max(4, 1<<16/(n*max(k, 1))), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := c[i*ldc : i*ldc+n]
			for j := range row {
				if beta == 0 {
					row[j] = 0
				} else {
					row[j] *= beta
				}
			}
		}
		block := make([]float64, min(kc, k)*min(nc, n))
		for k0 := 0; k0 < k; k0 += kc {
			kb := min(kc, k-k0)
			for j0 := 0; j0 < n; j0 += nc {
				nb := min(nc, n-j0)
				for q := range kb {
					for j := range nb {
						block[q*nb+j] = alpha * b[(k0+q)*brs+(j0+j)*bcs]
					}
				}
				for i := lo; i < hi; i++ {
					row := c[i*ldc+j0 : i*ldc+j0+nb]
					for q := range kb {
						x := a[i*ars+(k0+q)*acs]
						for j, v := range block[q*nb : q*nb+nb] {
							row[j] += x * v
						}
					}
				}
			}
		}
	})
}

func checkDgemm(x []float64, rows, cols, ld int, t bool) (rs, cs int) {
	if rows <= 0 || cols <= 0 {
		return 1, 1
	}
	rs, cs = ld, 1
	if t {
		rows, cols = cols, rows
		rs, cs = 1, ld
	}
	if ld < cols || len(x) < (rows-1)*ld+cols {
		panic("kernel: gemm: operand is too short")
	}
	return rs, cs
}
