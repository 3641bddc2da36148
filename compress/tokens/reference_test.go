package tokens

import (
	"cmp"
	"math"
	"slices"
)

// pruneMerge is one layer in float64, written from the paper alone: x [N][C] with the class token in front.
func pruneMerge(x [][]float64, size, importance []float64, prune, merge int) (y [][]float64, sizes, most []float64, order []int) {
	order = []int{}
	for j := range importance {
		order = append(order, j+1)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(importance[b-1], importance[a-1]) })
	order = append([]int{0}, order...)
	kept := order[:prune]
	for _, j := range kept[:merge] {
		y, sizes = append(y, slices.Clone(x[j])), append(sizes, size[j])
	}
	count := make([]float64, merge)
	sum := make([][]float64, merge)
	for j := range y {
		count[j], sum[j] = 1, slices.Clone(y[j])
	}
	cos := func(a, b []float64) float64 {
		ab, aa, bb := 0.0, 0.0, 0.0
		for i := range a {
			ab, aa, bb = ab+a[i]*b[i], aa+a[i]*a[i], bb+b[i]*b[i]
		}
		return ab / math.Sqrt(aa*bb)
	}
	for _, i := range kept[merge:] {
		best, to := math.Inf(-1), 0
		for j := 1; j < merge; j++ {
			if c := cos(x[i], y[j]); c > best {
				best, to = c, j
			}
		}
		most = append(most, best)
		count[to]++
		for k, v := range x[i] {
			sum[to][k] += v
		}
		sizes[to] += size[i] * best
	}
	for j := range y {
		for k := range y[j] {
			y[j][k] = sum[j][k] / count[j]
		}
		sizes[j] = max(sizes[j], 1)
	}
	return y, sizes, most, order
}
