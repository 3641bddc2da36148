package kernel

import "math"

// Adam are the coefficients of Adam for one step.
type Adam struct {
	Beta1, Beta2, Eps float64
	T                 int // number of the step, from 1
}

// bias is 1/(1-β1ᵗ) and 1/√(1-β2ᵗ).
func (a *Adam) bias() (c1, c2 float64) {
	return 1 / (1 - math.Pow(a.Beta1, float64(a.T))), 1 / math.Sqrt(1-math.Pow(a.Beta2, float64(a.T)))
}

// AdamF32 replaces the gradient u by the direction of Adam, m/(1-β1ᵗ) / (√(v/(1-β2ᵗ)) + Eps), and updates m and v. It runs on the
// calling thread.
//
// Source: Kingma and Ba, https://arxiv.org/abs/1412.6980, Algorithm 1.
func AdamF32(u, m, v []float32, a Adam) {
	atLeast(len(u), len(m), len(v))
	c1, c2 := a.bias()
	vec.adam(u, m, v, float32(a.Beta1), float32(1-a.Beta1), float32(a.Beta2), float32(1-a.Beta2), float32(c1), float32(c2), float32(a.Eps))
}

// DiffGradF32 replaces the gradient u by the direction of diffGrad, and updates m, v and the previous gradient:
//
//	m = β1*m + (1-β1)*u;  v = β2*v + (1-β2)*u²;  ξ = 1/(1+e^-|prev-u|);  prev = u
//	u = √(1-β2ᵗ)/(1-β1ᵗ) * m*ξ/(√v + Eps)
//
// It runs on the calling thread.
//
// Source: Dubey et al., https://arxiv.org/abs/1909.11015, with the authors' second implementation's place of Eps.
func DiffGradF32(u, m, v, prev []float32, a Adam) {
	atLeast(len(u), len(m), len(v), len(prev))
	c1, c2 := a.bias()
	vec.diffGrad(u, m, v, prev, float32(a.Beta1), float32(1-a.Beta1), float32(a.Beta2), float32(1-a.Beta2), float32(c1/c2), 1,
		float32(a.Eps))
}

// SGD are the coefficients of momentum.
type SGD struct {
	Momentum, Dampening float64
	Nesterov, First     bool // First is the first step, which sets the buffer to the gradient
}

// MomentumF32 updates buf = Momentum*buf + (1-Dampening)*u, or buf = u on the first step, and replaces u by buf, or with
// Nesterov by u + Momentum*buf. It runs on the calling thread.
//
// Source: https://pytorch.org/docs/stable/generated/torch.optim.SGD.html
func MomentumF32(buf, u []float32, s SGD) {
	atLeast(len(buf), len(u))
	mu, in, nag, own := float32(s.Momentum), float32(1-s.Dampening), float32(1), float32(0)
	if s.First {
		clear(buf)
		in = 1
	}
	if s.Nesterov {
		nag, own = mu, 1
	}
	vec.momentum(buf, u[:len(buf)], mu, in, nag, own)
}
