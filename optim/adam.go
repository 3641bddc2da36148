package optim

import (
	"math"

	"github.com/gtk-onnx/gtk/internal/kernel"
)

func init() {
	register(Info{
		Name: "adam", LR: 1e-3,
		Doc:    "Adam; weight decay is coupled to the gradient",
		Source: "https://arxiv.org/abs/1412.6980 Algorithm 1",
		make:   func() Rule { return newAdam("adam") },
	})
}

// adam is u ← m̂/(√v̂ + ε) with m ← β1·m + (1−β1)·u, v ← β2·v + (1−β2)·u², m̂ = m/(1−β1ᵗ), v̂ = v/(1−β2ᵗ).
//
// With AMSGrad the v of the denominator is its largest so far, before the correction, as in PyTorch.
//
// Source: Kingma and Ba, https://arxiv.org/abs/1412.6980, Algorithm 1; Reddi, Kale and Kumar, https://arxiv.org/abs/1904.09237,
// Algorithm 2.
type adam struct {
	name string

	Beta1 float64 `opt:"beta1" range:"[0, 1)" doc:"decay of the mean gradient"`
	Beta2 float64 `opt:"beta2" range:"[0, 1)" doc:"decay of the mean squared gradient"`
	Eps   float64 `opt:"eps" range:"[0, ∞)" doc:"added to the denominator"`
	AMS   bool    `opt:"amsgrad" doc:"divide by the largest mean squared gradient so far (AMSGrad)"`
}

func newAdam(name string) *adam { return &adam{name: name, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8} }

func (r *adam) Name() string { return r.name }

func (r *adam) Slots() []string {
	if r.AMS {
		return []string{"m", "v", "vmax"}
	}
	return []string{"m", "v"}
}

// Update32 is adamUpdate, by a vector kernel where that knows the form.
func (r *adam) Update32(_ Step, b *Block[float32]) {
	if r.AMS || b.Raw != nil {
		adamUpdate(r, b)
		return
	}
	kernel.AdamF32(b.U, b.Slot[0], b.Slot[1], kernel.Adam{Beta1: r.Beta1, Beta2: r.Beta2, Eps: r.Eps, T: b.T})
}
func (r *adam) Update64(_ Step, b *Block[float64]) { adamUpdate(r, b) }

// corrections is 1/(1−β1ᵗ) and 1/√(1−β2ᵗ).
func corrections(beta1, beta2 float64, t int) (c1, c2 float64) {
	return 1 / (1 - math.Pow(beta1, float64(t))), 1 / math.Sqrt(1-math.Pow(beta2, float64(t)))
}

func adamUpdate[T Float](r *adam, b *Block[T]) {
	d1, d2 := corrections(r.Beta1, r.Beta2, b.T)
	c1, c2, eps := T(d1), T(d2), T(r.Eps)
	b1, n1, b2, n2 := T(r.Beta1), T(1-r.Beta1), T(r.Beta2), T(1-r.Beta2)
	u, raw := b.U, b.raw()
	m, v := b.Slot[0][:len(u)], b.Slot[1][:len(u)]
	for i, g := range u {
		h := raw[i]
		m[i] = b1*m[i] + n1*g
		v[i] = b2*v[i] + n2*h*h
		u[i] = c1 * m[i]
	}
	if r.AMS {
		most := b.Slot[2][:len(u)]
		for i := range most {
			most[i] = max(most[i], v[i])
		}
		v = most
	}
	for i := range u {
		u[i] = quotient(u[i], c2*root(v[i])+eps)
	}
}

// Express is adamUpdate.
func (r *adam) Express(a Algebra, t Expr, vs []*Variable) {
	c1 := a.Div(a.Const(1), correction(a, r.Beta1, t))
	c2 := a.Div(a.Const(1), a.Sqrt(correction(a, r.Beta2, t)))
	for _, v := range vs {
		m, s := mix(a, r.Beta1, v.Slot[0], v.U), mix(a, r.Beta2, v.Slot[1], a.Mul(v.U, v.U))
		v.Slot[0], v.Slot[1] = m, s
		if r.AMS {
			s = a.Max(v.Slot[2], s)
			v.Slot[2] = s
		}
		v.U = a.Div(a.Mul(c1, m), a.Add(a.Mul(c2, a.Sqrt(s)), a.Const(r.Eps)))
	}
}
