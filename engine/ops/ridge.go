package ops

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/parallel"
)

// Ridge overwrites the rows of b [m,n] by b·(S + lambda·I)⁻¹ for a symmetric positive semidefinite S [n,n], which is overwritten too.
// Where tell is set it gives the condition of S + lambda·I, the ratio of its largest to its smallest eigenvalue, estimated.
func Ridge(p *parallel.Pool, b, s []float64, n int, lambda float64, tell bool) (condition float64, err error) {
	largest, err := ridge(p, b, s, n, lambda, tell)
	if err != nil || !tell {
		return 0, err
	}
	return largest * power(n, func(x, y []float64) {
		copy(y, x)
		choleskySolve(s, n, y)
	}), nil
}

// ridge leaves the Cholesky factor in s, and gives the largest eigenvalue where tell is set.
func ridge(p *parallel.Pool, b, s []float64, n int, lambda float64, tell bool) (largest float64, err error) {
	for i := range n {
		s[i*n+i] += lambda
	}
	if tell {
		largest = power(n, func(x, y []float64) {
			for i := range n {
				y[i] = 0
				for j, v := range s[i*n : (i+1)*n] {
					y[i] += v * x[j]
				}
			}
		})
	}
	if !cholesky(s, n) {
		return 0, fmt.Errorf("the second moment of the layer's input plus %v·I is not positive definite: is the input finite?", lambda)
	}
	p.For(len(b)/max(1, n), 1, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			choleskySolve(s, n, b[r*n:(r+1)*n])
		}
	})
	return largest, nil
}

// RidgeDual is GᵀU·(UᵀU/P + lambda·I)⁻¹ [m,n] for G [P,m] and U [P,n], by a system of P equations: Gᵀ·(UUᵀ/P + lambda·I)⁻¹·U. It is for P
// below n, where lambda is the smallest eigenvalue of what Ridge inverts.
func RidgeDual(p *parallel.Pool, g, u []float64, rows, m, n int, lambda float64, tell bool) (dw []float64, condition float64, err error) {
	k := make([]float64, rows*rows)
	kernel.Dgemm(p, false, true, rows, rows, n, 1/float64(rows), u, n, u, n, 0, k, rows)
	columns := appendTransposed(make([]float64, 0, rows*m), g, rows, m)
	largest, err := ridge(p, columns, k, rows, lambda, tell)
	if err != nil {
		return nil, 0, err
	}
	dw = make([]float64, m*n)
	kernel.Dgemm(p, false, false, m, n, rows, 1, columns, rows, u, n, 0, dw, n)
	return dw, largest / lambda, nil
}

// power is the largest eigenvalue of the symmetric map from x to y, by so many powers that it is known to a few per cent.
func power(n int, apply func(x, y []float64)) float64 {
	x, y := make([]float64, n), make([]float64, n)
	for i := range x {
		x[i] = math.Sqrt(float64(i%7+1)) * float64(1-2*(i%2)) // in no direction that data have
	}
	value := 0.0
	for range 30 {
		norm := 0.0
		for _, v := range x {
			norm += v * v
		}
		if norm = math.Sqrt(norm); !(norm > 0) {
			return 0
		}
		for i := range x {
			x[i] /= norm
		}
		apply(x, y)
		value = 0
		for i, v := range x {
			value += v * y[i]
		}
		x, y = y, x
	}
	return value
}
