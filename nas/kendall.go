package nas

import "math"

// Kendall is Kendall's τ-b of two lists of numbers of the same things: +1 where they order all pairs alike, −1 where oppositely, 0 where
// one says nothing of the other. Pairs that are equal in a list count in neither sense; NaN where all of a list are equal.
//
//	τ = (C − D)/√((n₀ − n₁)(n₀ − n₂))
//
// with the numbers C and D of pairs that are ordered alike and oppositely, all pairs n₀, and the pairs n₁, n₂ that are equal in either
// list.
//
// Source: Kendall 1945, https://doi.org/10.1093/biomet/33.3.239.
func Kendall(a, b []float64) float64 {
	var sum, inA, inB int // C − D, pairs that differ in a, in b
	for i := range a {
		for j := range i {
			x, y := order(a[i], a[j]), order(b[i], b[j])
			sum += x * y
			inA += x * x
			inB += y * y
		}
	}
	if inA == 0 || inB == 0 {
		return math.NaN()
	}
	return float64(sum) / math.Sqrt(float64(inA)*float64(inB))
}

// order is the sign of a − b.
func order(a, b float64) int {
	switch {
	case a > b:
		return 1
	case a < b:
		return -1
	}
	return 0
}
