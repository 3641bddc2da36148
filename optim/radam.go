package optim

import "math"

func init() {
	register(Info{
		Name: "radam", LR: 1e-3,
		Doc:    "Adam that takes steps of momentum until the mean square of the gradients can be trusted",
		Source: "https://arxiv.org/abs/1908.03265 Algorithm 2",
		make:   func() Rule { return &radam{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8} },
	})
}

// radam is u ← m̂·r·√(1−β2ᵗ)/(√v + ε) with m, v and m̂ as Adam's, ρ∞ = 2/(1−β2) − 1, ρ = ρ∞ − 2t·β2ᵗ/(1−β2ᵗ) and
// r = √((ρ−4)(ρ−2)ρ∞/((ρ∞−4)(ρ∞−2)ρ)), and u ← m̂ as long as ρ ≤ 5.
//
// Source: Liu et al., https://arxiv.org/abs/1908.03265, Algorithm 2, with the bound of 5 instead of 4 and the place of ε of
// https://pytorch.org/docs/stable/generated/torch.optim.RAdam.html.
type radam struct {
	Beta1 float64 `opt:"beta1" range:"[0, 1)" doc:"decay of the mean gradient"`
	Beta2 float64 `opt:"beta2" range:"[0, 1)" doc:"decay of the mean squared gradient"`
	Eps   float64 `opt:"eps" range:"[0, ∞)" doc:"added to the denominator"`
}

func (r *radam) Name() string                       { return "radam" }
func (r *radam) Slots() []string                    { return []string{"m", "v"} }
func (r *radam) Update32(_ Step, b *Block[float32]) { radamUpdate(r, b) }
func (r *radam) Update64(_ Step, b *Block[float64]) { radamUpdate(r, b) }

func radamUpdate[T Float](r *radam, b *Block[T]) {
	d1, d2 := corrections(r.Beta1, r.Beta2, b.T)
	limit := 2/(1-r.Beta2) - 1
	pow := math.Pow(r.Beta2, float64(b.T))
	rho := limit - 2*float64(b.T)*pow/(1-pow)
	adapt := rho > 5
	c := d1
	if adapt {
		c *= math.Sqrt((rho-4)*(rho-2)*limit/((limit-4)*(limit-2)*rho)) / d2
	}
	cT, eps := T(c), T(r.Eps)
	b1, n1, b2, n2 := T(r.Beta1), T(1-r.Beta1), T(r.Beta2), T(1-r.Beta2)
	u, raw := b.U, b.raw()
	m, v := b.Slot[0][:len(u)], b.Slot[1][:len(u)]
	for i, g := range u {
		m[i] = b1*m[i] + n1*g
		v[i] = b2*v[i] + n2*raw[i]*raw[i]
		u[i] = cT * m[i]
		if adapt {
			u[i] = quotient(u[i], root(v[i])+eps)
		}
	}
}

// Express is radamUpdate.
func (r *radam) Express(a Algebra, t Expr, vs []*Variable) {
	limit := 2/(1-r.Beta2) - 1
	one := correction(a, r.Beta2, t)
	pow := a.Pow(a.Const(r.Beta2), t)
	rho := a.Sub(a.Const(limit), a.Div(a.Mul(a.Mul(a.Const(2), t), pow), one))
	safe := a.Max(rho, a.Const(5)) // no root of a negative number where it is not used
	num := a.Mul(a.Mul(a.Sub(safe, a.Const(4)), a.Sub(safe, a.Const(2))), a.Const(limit/((limit-4)*(limit-2))))
	rect := a.Sqrt(a.Mul(a.Div(num, safe), one))
	mhat := a.Div(a.Const(1), correction(a, r.Beta1, t))
	for _, v := range vs {
		v.Slot[0], v.Slot[1] = mix(a, r.Beta1, v.Slot[0], v.U), mix(a, r.Beta2, v.Slot[1], a.Mul(v.U, v.U))
		m := a.Mul(mhat, v.Slot[0])
		v.U = a.Positive(a.Sub(rho, a.Const(5)), a.Div(a.Mul(rect, m), a.Add(a.Sqrt(v.Slot[1]), a.Const(r.Eps))), m)
	}
}
