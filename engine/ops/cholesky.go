package ops

import "math"

// cholesky overwrites the lower triangle of the symmetric a [n,n] by L with a = L·Lᵀ, and reports whether a is positive definite.
func cholesky(a []float64, n int) bool {
	for j := range n {
		d := a[j*n+j]
		for _, v := range a[j*n : j*n+j] {
			d -= v * v
		}
		if !(d > 0) || math.IsInf(d, 0) {
			return false
		}
		d = math.Sqrt(d)
		a[j*n+j] = d
		for i := j + 1; i < n; i++ {
			s := a[i*n+j]
			for k, v := range a[j*n : j*n+j] {
				s -= v * a[i*n+k]
			}
			a[i*n+j] = s / d
		}
	}
	return true
}

// choleskySolve solves L·Lᵀ·y = y in place.
func choleskySolve(l []float64, n int, y []float64) {
	for i := range n {
		s := y[i]
		for k, v := range l[i*n : i*n+i] {
			s -= v * y[k]
		}
		y[i] = s / l[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		s := y[i]
		for k := i + 1; k < n; k++ {
			s -= l[k*n+i] * y[k]
		}
		y[i] = s / l[i*n+i]
	}
}
