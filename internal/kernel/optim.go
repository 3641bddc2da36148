package kernel

import (
	"math"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// Adam are the coefficients of Adam for one step.
type Adam struct {
	Beta1, Beta2, Eps float64
	T                 int     // number of the step, from 1
	LR                float64 // learning rate
	Coupled           float64 // weight decay added to the gradient: Adam with L2
	Decoupled         float64 // weight decay of the weights, times LR: AdamW
}

// bias is 1/(1-β1ᵗ) and 1/√(1-β2ᵗ).
func (a *Adam) bias() (c1, c2 float64) {
	return 1 / (1 - math.Pow(a.Beta1, float64(a.T))), 1 / math.Sqrt(1-math.Pow(a.Beta2, float64(a.T)))
}

// AdamStepF32 is one step of Adam or AdamW on weights w with gradient g and state m, v, all in one pass over memory:
//
//	g' = g + Coupled*w;  m = β1*m + (1-β1)*g';  v = β2*v + (1-β2)*g'²
//	w = (1 - LR*Decoupled)*w - LR * m/(1-β1ᵗ) / (√(v/(1-β2ᵗ)) + Eps)
//
// Source: Kingma and Ba, https://arxiv.org/abs/1412.6980, Algorithm 1; Loshchilov and Hutter, https://arxiv.org/abs/1711.05101.
func AdamStepF32(p *parallel.Pool, w, g, m, v []float32, a Adam) {
	atLeast(len(w), len(g), len(m), len(v))
	c1, c2 := a.bias()
	f := vec.adamStep
	p.For(len(w), elemChunk, func(lo, hi int) {
		f(w[lo:hi], g[lo:hi], m[lo:hi], v[lo:hi], float32(a.Beta1), float32(1-a.Beta1), float32(a.Beta2), float32(1-a.Beta2),
			float32(c1), float32(c2), float32(a.Eps), float32(a.LR), float32(a.Coupled), float32(1-a.LR*a.Decoupled))
	})
}

// AdamF32 replaces the gradient u by the direction of Adam, m/(1-β1ᵗ) / (√(v/(1-β2ᵗ)) + Eps), and updates m and v. It runs on the
// calling thread and ignores LR and the decays.
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
// It runs on the calling thread and ignores LR and the decays.
//
// Source: Dubey et al., https://arxiv.org/abs/1909.11015, with the authors' second implementation's place of Eps.
func DiffGradF32(u, m, v, prev []float32, a Adam) {
	atLeast(len(u), len(m), len(v), len(prev))
	c1, c2 := a.bias()
	vec.diffGrad(u, m, v, prev, float32(a.Beta1), float32(1-a.Beta1), float32(a.Beta2), float32(1-a.Beta2), float32(c1/c2), 1, float32(a.Eps))
}

// DiffGradStepF32 is w -= LR*direction of DiffGradF32 for the gradient g + Coupled*w, after w *= 1 - LR*Decoupled.
func DiffGradStepF32(p *parallel.Pool, w, g, m, v, prev []float32, a Adam) {
	atLeast(len(w), len(g), len(m), len(v), len(prev))
	optimBlocks(p, len(w), func(u []float32, lo, hi int) {
		vec.axpy(u, w[lo:hi], g[lo:hi], float32(a.Coupled))
		DiffGradF32(u, m[lo:hi], v[lo:hi], prev[lo:hi], a)
		vec.lin2(w[lo:hi], u, w[lo:hi], float32(-a.LR), float32(1-a.LR*a.Decoupled), 0)
	})
}

// optimBlocks calls f for blocks that stay in the cache, with a buffer of the size of the block.
func optimBlocks(p *parallel.Pool, n int, f func(u []float32, lo, hi int)) {
	const block = 1024
	p.For(n, elemChunk, func(lo, hi int) {
		u := make([]float32, min(block, hi-lo))
		for ; lo < hi; lo += block {
			e := min(lo+block, hi)
			f(u[:e-lo], lo, e)
		}
	})
}

// SGD are the coefficients of stochastic gradient descent.
type SGD struct {
	LR, Momentum, Dampening, Decay float64 // Decay is added to the gradient, times the weights
	Nesterov, First                bool    // First is the first step, which sets the buffer to the gradient
}

// MomentumF32 updates buf = Momentum*buf + (1-Dampening)*u, or buf = u on the first step, and replaces u by buf, or with
// Nesterov by u + Momentum*buf. It runs on the calling thread and ignores LR and Decay.
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

// SGDStepF32 is one step: u = g + Decay*w, with a momentum MomentumF32 of u, then w -= LR*u. Without momentum buf may be nil.
func SGDStepF32(p *parallel.Pool, w, g, buf []float32, s SGD) {
	atLeast(len(w), len(g))
	if s.Momentum != 0 {
		atLeast(len(w), len(buf))
	}
	optimBlocks(p, len(w), func(u []float32, lo, hi int) {
		vec.axpy(u, w[lo:hi], g[lo:hi], float32(s.Decay))
		if s.Momentum != 0 {
			MomentumF32(buf[lo:hi], u, s)
		}
		vec.axpy(w[lo:hi], u, w[lo:hi], float32(-s.LR))
	})
}
