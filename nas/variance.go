package nas

import "math"

// OptimalLaw is the law of one draw by which the unbiased estimate of the mean of vectors of these norms has the least variance: in
// proportion to the norms. Norms that are all 0 give the uniform law.
//
// Source: Needell et al. 2014, https://arxiv.org/abs/1310.5715; Zhao and Zhang 2015, https://arxiv.org/abs/1401.2753.
func OptimalLaw(norms []float64) []float64 {
	p := make([]float64, len(norms))
	total := 0.0
	for _, n := range norms {
		total += n
	}
	for i, n := range norms {
		if total > 0 {
			p[i] = n / total
		} else {
			p[i] = 1 / float64(len(p))
		}
	}
	return p
}

// Variance is the variance of one draw g_i/(N·p_i), i drawn by p, around the mean of the N vectors g: the sum over the dimensions. A vector
// of probability 0 must be 0.
func Variance(g [][]float64, p []float64) float64 {
	n := float64(len(g))
	mean := Mean(g)
	second, square := 0.0, 0.0
	for i, v := range g {
		norm2 := 0.0
		for _, x := range v {
			norm2 += x * x
		}
		if norm2 > 0 {
			second += norm2 / (n * n * p[i])
		}
	}
	for _, x := range mean {
		square += x * x
	}
	return second - square
}

// Mean is the mean of vectors of one length.
func Mean(g [][]float64) []float64 {
	if len(g) == 0 {
		return nil
	}
	mean := make([]float64, len(g[0]))
	for _, v := range g {
		for j, x := range v {
			mean[j] += x / float64(len(g))
		}
	}
	return mean
}

// norm is the Euclidean norm of x.
func norm[T float32 | float64](x []T) float64 {
	s := 0.0
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return math.Sqrt(s)
}
