package optim

import (
	"fmt"
	"math"
)

func init() {
	register(Info{
		Name: "diffgrad", LR: 1e-3,
		Doc:     "Adam damped where the gradient does not change; weight decay is coupled to the gradient",
		Source:  "https://arxiv.org/abs/1909.11015 equations 3 to 9",
		Options: []string{"beta1", "beta2", "eps", "diffgrad-dfc"},
		build: func(c Config) (Rule, error) {
			r := &diffGrad{beta1: or(c.Beta1, 0.9), beta2: or(c.Beta2, 0.999), eps: or(c.Eps, 1e-8)}
			switch c.DiffGradDFC {
			case "", "abs":
			case "signed":
				r.dfc = signedDFC
			case "wide":
				r.dfc = wideDFC
			default:
				return nil, fmt.Errorf("diffgrad-dfc %q: there are abs, signed and wide", c.DiffGradDFC)
			}
			return r, nil
		},
	})
}

// dfc is a form of diffGrad's friction coefficient ξ as a function of d, the previous gradient minus the present one.
type dfc int

const (
	absDFC    dfc = iota // 1/(1+exp(−|d|)), in [0.5, 1): the paper's
	signedDFC            // 1/(1+exp(−d)), in (0, 1)
	wideDFC              // 9/(1+exp(−|d|/2)) − 4, in [0.5, 5)
)

// diffGrad is u ← √(1−β2ᵗ)/(1−β1ᵗ)·m·ξ/(√v + ε) with m and v as Adam's and the friction coefficient
// ξ = 1/(1+exp(−|g' − g|)), where g is the update that comes in, hence the gradient with its coupled
// weight decay, and g' that of the step before, zero at first.
//
// ε is added to the uncorrected √v. The slot prev holds a copy of g: an implementation that keeps the
// gradient buffer itself compares it with itself once buffers are reused, so that ξ is always one half and
// the method is Adam with half the learning rate. That is also nearly so where gradients change little from
// step to step; the mean of ξ is reported as "diffgrad.xi" to show it.
//
// Source: Dubey et al., https://arxiv.org/abs/1909.11015, and the authors' corrected form,
// https://github.com/shivram1987/diffGrad diffGrad_v2.py.
type diffGrad struct {
	beta1, beta2, eps float64
	dfc               dfc
}

func (r *diffGrad) Name() string                       { return "diffgrad" }
func (r *diffGrad) Slots() []string                    { return []string{"m", "v", "prev"} }
func (r *diffGrad) Means() []string                    { return []string{"xi"} }
func (r *diffGrad) Update32(_ Step, b *Block[float32]) { diffGradUpdate(r, b) }
func (r *diffGrad) Update64(_ Step, b *Block[float64]) { diffGradUpdate(r, b) }

func diffGradUpdate[T Float](r *diffGrad, b *Block[T]) {
	d1, d2 := corrections(r.beta1, r.beta2, b.T)
	c, eps := T(d1/d2), T(r.eps)
	b1, n1, b2, n2 := T(r.beta1), T(1-r.beta1), T(r.beta2), T(1-r.beta2)
	u := b.U
	m, v, prev := b.Slot[0][:len(u)], b.Slot[1][:len(u)], b.Slot[2][:len(u)]
	for i, g := range u {
		m[i] = b1*m[i] + n1*g
		v[i] = b2*v[i] + n2*g*g
		u[i] = prev[i] - g
		prev[i] = g
	}
	b.Sum[0] += friction(r.dfc, u)
	for i, xi := range u {
		u[i] = c * (m[i] * xi) / (T(math.Sqrt(float64(v[i]))) + eps)
	}
}

// friction replaces each d by its ξ and returns the sum of all ξ.
func friction[T Float](form dfc, d []T) (sum float64) {
	if x, ok := any(d).([]float32); ok {
		return friction32(form, x)
	}
	for i, di := range d {
		var xi float64
		switch d := float64(di); form {
		case absDFC:
			xi = 1 / (1 + math.Exp(-math.Abs(d)))
		case signedDFC:
			xi = 1 / (1 + math.Exp(-d))
		case wideDFC:
			xi = 9/(1+math.Exp(-0.5*math.Abs(d))) - 4
		}
		sum += xi
		d[i] = T(xi)
	}
	return sum
}

// friction32 is friction with expNeg32.
func friction32(form dfc, d []float32) (sum float64) {
	half := 1.0
	if form == wideDFC {
		half = 0.5
	}
	for i, di := range d {
		e := expNeg32(half * math.Abs(float64(di)))
		xi := 1 / (1 + e)
		switch {
		case form == wideDFC:
			xi = 9*xi - 4
		case form == signedDFC && di < 0:
			xi *= e
		}
		sum += xi
		d[i] = float32(xi)
	}
	return sum
}

// expNeg32 is exp(−a) for a ≥ 0, with a relative error below 1e-8: enough for float32 and several times faster than
// math.Exp. It is 2ᵏ·2ᶠ with k the nearest integer to −a/ln 2 and the Taylor series of 2ᶠ to the seventh power.
func expNeg32(a float64) float64 {
	if !(a < 700) {
		return 0
	}
	y := a * -math.Log2E
	k := int64(y - 0.5)
	f := (y - float64(k)) * math.Ln2
	p := 1 + f*(1+f*(1./2+f*(1./6+f*(1./24+f*(1./120+f*(1./720+f*(1./5040)))))))
	return p * math.Float64frombits(uint64(k+1023)<<52)
}
