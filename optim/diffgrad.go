package optim

import (
	"math"
	"sync"

	"github.com/gtk-onnx/gtk/internal/kernel"
)

func init() {
	register(Info{
		// Twice Adam's usual rate: where the gradient changes little, ξ is near one half and halves the step. The paper's
		// experiments use 1e-3.
		Name: "diffgrad", LR: 2e-3,
		Doc:    "Adam damped where the gradient does not change; weight decay is coupled to the gradient",
		Source: "https://arxiv.org/abs/1909.11015 equations 3 to 9",
		make:   func() Rule { return &diffGrad{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, DFC: absDFC} },
	})
}

// Forms of diffGrad's friction coefficient ξ as functions of d, the previous gradient minus the present one.
const (
	absDFC    = "abs"    // 1/(1+exp(−|d|)), in [0.5, 1): the paper's
	signedDFC = "signed" // 1/(1+exp(−d)), in (0, 1)
	wideDFC   = "wide"   // 9/(1+exp(−|d|/2)) − 4, in [0.5, 5)
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
	Beta1 float64 `opt:"beta1" range:"[0, 1)" doc:"decay of the mean gradient"`
	Beta2 float64 `opt:"beta2" range:"[0, 1)" doc:"decay of the mean squared gradient"`
	Eps   float64 `opt:"eps" range:"[0, ∞)" doc:"added to the denominator"`
	DFC   string  `opt:"diffgrad-dfc" choices:"abs|signed|wide" doc:"friction coefficient of diffgrad: abs, signed or wide"`
}

func (r *diffGrad) Name() string    { return "diffgrad" }
func (r *diffGrad) Slots() []string { return []string{"m", "v", "prev"} }
func (r *diffGrad) Means() []string { return []string{"xi"} }

// Update32 is diffGradUpdate, for the usual friction in one pass of a vector kernel; the mean of ξ is taken apart.
func (r *diffGrad) Update32(_ Step, b *Block[float32]) {
	if r.DFC != absDFC || b.Raw != nil {
		diffGradUpdate(r, b)
		return
	}
	m, v, prev := b.Slot[0], b.Slot[1], b.Slot[2]
	xi := scratch.Get().(*[blockLen]float32)
	defer scratch.Put(xi)
	for at := 0; at < len(b.U); at += blockLen {
		u := b.U[at:min(at+blockLen, len(b.U))]
		kernel.SubF32(nil, xi[:len(u)], prev[at:at+len(u)], u)
		b.Sum[0] += friction(r.DFC, xi[:len(u)])
	}
	kernel.DiffGradF32(b.U, m, v, prev, kernel.Adam{Beta1: r.Beta1, Beta2: r.Beta2, Eps: r.Eps, T: b.T})
}
func (r *diffGrad) Update64(_ Step, b *Block[float64]) { diffGradUpdate(r, b) }

func diffGradUpdate[T Float](r *diffGrad, b *Block[T]) {
	d1, d2 := corrections(r.Beta1, r.Beta2, b.T)
	c, eps := T(d1/d2), T(r.Eps)
	b1, n1, b2, n2 := T(r.Beta1), T(1-r.Beta1), T(r.Beta2), T(1-r.Beta2)
	u, raw := b.U, b.raw()
	m, v, prev := b.Slot[0][:len(u)], b.Slot[1][:len(u)], b.Slot[2][:len(u)]
	for i, g := range u {
		m[i] = b1*m[i] + n1*g
		v[i] = b2*v[i] + n2*raw[i]*raw[i]
		u[i] = prev[i] - g
		prev[i] = g
	}
	b.Sum[0] += friction(r.DFC, u)
	for i, xi := range u {
		u[i] = c * (m[i] * xi) / (T(math.Sqrt(float64(v[i]))) + eps)
	}
}

// scratch holds the ξ of a block.
var scratch = sync.Pool{New: func() any { return new([blockLen]float32) }}

// friction replaces each d by its ξ and returns the sum of all ξ.
func friction[T Float](form string, d []T) (sum float64) {
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

// friction32 is friction by vector kernels.
func friction32(form string, d []float32) (sum float64) {
	if form != signedDFC {
		kernel.AbsF32(nil, d, d)
	}
	if form == wideDFC {
		kernel.MulScalarF32(nil, d, d, 0.5)
	}
	kernel.SigmoidF32(nil, d, d)
	if form == wideDFC {
		kernel.AffineF32(nil, d, d, 9, -4)
	}
	return kernel.SumF32(nil, d)
}

// Express is diffGradUpdate.
func (r *diffGrad) Express(a Algebra, t Expr, vs []*Variable) {
	c := a.Div(a.Sqrt(correction(a, r.Beta2, t)), correction(a, r.Beta1, t))
	for _, v := range vs {
		m, s := mix(a, r.Beta1, v.Slot[0], v.U), mix(a, r.Beta2, v.Slot[1], a.Mul(v.U, v.U))
		xi := a.Sub(v.Slot[2], v.U)
		switch r.DFC {
		case absDFC:
			xi = a.Sigmoid(a.Abs(xi))
		case signedDFC:
			xi = a.Sigmoid(xi)
		case wideDFC:
			xi = a.Sub(a.Mul(a.Const(9), a.Sigmoid(a.Mul(a.Const(0.5), a.Abs(xi)))), a.Const(4))
		}
		v.Slot[0], v.Slot[1], v.Slot[2] = m, s, v.U
		v.U = a.Div(a.Mul(c, a.Mul(m, xi)), a.Add(a.Sqrt(s), a.Const(r.Eps)))
	}
}
