package optim

import "math"

func init() {
	register(Info{
		Name: "adamax", LR: 2e-3,
		Doc:    "Adam with the largest gradient instead of the root mean square",
		Source: "https://arxiv.org/abs/1412.6980 Algorithm 2",
		make:   func() Rule { return &adamax{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8} },
	})
}

// adamax is u ← m/(1−β1ᵗ)/n with m ← β1·m + (1−β1)·u and n ← max(β2·n, |u| + ε).
//
// Source: Kingma and Ba, https://arxiv.org/abs/1412.6980, Algorithm 2, with the ε of
// https://pytorch.org/docs/stable/generated/torch.optim.Adamax.html.
type adamax struct {
	Beta1 float64 `opt:"beta1" range:"[0, 1)" doc:"decay of the mean gradient"`
	Beta2 float64 `opt:"beta2" range:"[0, 1)" doc:"decay of the mean squared gradient"`
	Eps   float64 `opt:"eps" range:"[0, ∞)" doc:"added to the denominator"`
}

func (r *adamax) Name() string                       { return "adamax" }
func (r *adamax) Slots() []string                    { return []string{"m", "n"} }
func (r *adamax) Update32(_ Step, b *Block[float32]) { adamaxUpdate(r, b) }
func (r *adamax) Update64(_ Step, b *Block[float64]) { adamaxUpdate(r, b) }

func adamaxUpdate[T Float](r *adamax, b *Block[T]) {
	c := T(1 / (1 - math.Pow(r.Beta1, float64(b.T))))
	b1, n1, b2, eps := T(r.Beta1), T(1-r.Beta1), T(r.Beta2), T(r.Eps)
	u, raw := b.U, b.raw()
	m, n := b.Slot[0][:len(u)], b.Slot[1][:len(u)]
	for i, g := range u {
		m[i] = b1*m[i] + n1*g
		n[i] = max(b2*n[i], T(math.Abs(float64(raw[i])))+eps)
		u[i] = 0
		if m[i] != 0 { // 0/0 without ε
			u[i] = c * m[i] / n[i]
		}
	}
}

// Express is adamaxUpdate.
func (r *adamax) Express(a Algebra, t Expr, vs []*Variable) {
	c := a.Div(a.Const(1), correction(a, r.Beta1, t))
	for _, v := range vs {
		v.Slot[0] = mix(a, r.Beta1, v.Slot[0], v.U)
		v.Slot[1] = a.Max(a.Mul(a.Const(r.Beta2), v.Slot[1]), a.Add(a.Abs(v.U), a.Const(r.Eps)))
		v.U = a.Div(a.Mul(c, v.Slot[0]), v.Slot[1])
	}
}
