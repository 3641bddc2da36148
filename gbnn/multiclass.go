package gbnn

import "math"

// Multiclass is the cross-entropy of softmax(F) with truths that are one-hot, or distributions.
type Multiclass struct{}

// Start is 0.
func (Multiclass) Start(_ []float64, k int) ([]float64, error) { return make([]float64, k), nil }

// Residuals is y − softmax(F).
func (Multiclass) Residuals(r, f, y []float64, k int) {
	for i := 0; i < len(f); i += k {
		softmax(r[i:i+k], f[i:i+k])
		for j := i; j < i+k; j++ {
			r[j] = y[j] - r[j]
		}
	}
}

// Rate is eta·Σ p·(y−q) / Σ p²·q·(1−q) with q = softmax(F), one number for all classes.
func (Multiclass) Rate(p, _, r, y []float64, _ int, eta float64) float64 {
	num, den := 0.0, 0.0
	for i, v := range p {
		q := y[i] - r[i]
		num += v * r[i]
		den += v * v * q * (1 - q)
	}
	if math.Abs(den) < small {
		return 0
	}
	return eta * num / den
}

// Mean is the mean cross-entropy. The authors' program gives the sum over examples.
func (Multiclass) Mean(f, y []float64, k int) float64 {
	s := 0.0
	for i := 0; i < len(f); i += k {
		z := f[i : i+k]
		_, top := lowHigh(z)
		sum := 0.0
		for _, v := range z {
			sum += math.Exp(v - top)
		}
		for j, v := range z {
			s += y[i+j] * (top + math.Log(sum) - v)
		}
	}
	return s / float64(len(f)/k)
}

// softmax sets p to the softmax of z.
func softmax(p, z []float64) {
	_, top := lowHigh(z)
	sum := 0.0
	for i, v := range z {
		p[i] = math.Exp(v - top)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
}
