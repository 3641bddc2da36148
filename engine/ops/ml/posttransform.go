package ml

import (
	"fmt"
	"math"
	"slices"
)

// transform is what an attribute post_transform makes of the scores of one row.
type transform uint8

// The transforms, in the order of the numbers that TreeEnsemble has for them.
const (
	none transform = iota
	softmax
	logistic
	softmaxZero
	probit
)

var transforms = []string{"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"}

// transformOf is the transform that an attribute names.
func transformOf(name string) (transform, error) {
	i := slices.Index(transforms, name)
	if i < 0 {
		return 0, fmt.Errorf("attribute post_transform is %q, want one of %v", name, transforms)
	}
	return transform(i), nil
}

// apply transforms the scores of one row in place.
//
// SOFTMAX_ZERO leaves scores of zero out of the sum, as ONNX Runtime and ONNX's reference do: they become exp(-max) divided by it.
// PROBIT is √2·erf⁻¹(2p-1) by the approximation of both, which is good to 2e-3.
func (t transform) apply(s []float32) {
	switch t {
	case softmax:
		top := slices.Max(s)
		sum := float32(0)
		for i, x := range s {
			s[i] = float32(math.Exp(float64(x - top)))
			sum += s[i]
		}
		for i := range s {
			s[i] /= sum
		}
	case logistic:
		for i, x := range s {
			s[i] = sigmoid(x)
		}
	case softmaxZero:
		const zero = 0.0000001
		top := slices.Max(s)
		away := float32(math.Exp(float64(-top)))
		sum := float32(0)
		for i, x := range s {
			if x > zero || x < -zero {
				s[i] = float32(math.Exp(float64(x - top)))
				sum += s[i]
			} else {
				s[i] *= away
			}
		}
		for i := range s {
			s[i] /= sum
		}
	case probit:
		for i, x := range s {
			s[i] = probitOf(x)
		}
	}
}

func sigmoid(x float32) float32 {
	v := 1 / (1 + float32(math.Exp(-math.Abs(float64(x)))))
	if x < 0 {
		return 1 - v
	}
	return v
}

// probitOf is the quantile of the normal distribution at p, with the approximation of erf⁻¹ by Winitzki (2008).
func probitOf(p float32) float32 {
	const a = 0.147
	x := 2*float64(p) - 1
	log := math.Log((1 - x) * (1 + x))
	v := 2/(math.Pi*a) + log/2
	r := math.Sqrt(math.Sqrt(v*v-log/a) - v)
	return float32(math.Sqrt2 * math.Copysign(r, x))
}
