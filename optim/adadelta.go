package optim

func init() {
	register(Info{
		Name: "adadelta", LR: 1,
		Doc:    "Adadelta: steps of the root mean square of earlier steps",
		Source: "https://arxiv.org/abs/1212.5701 algorithm 1",
		make:   func() Rule { return &adadelta{Beta2: 0.9, Eps: 1e-6} },
	})
}

// adadelta is u ← √(d + ε)/√(v + ε)·u with v ← β2·v + (1−β2)·u² before and d ← β2·d + (1−β2)·u² of the new u after.
//
// Source: Zeiler, https://arxiv.org/abs/1212.5701, algorithm 1, where β2 is ρ, with a learning rate as in
// https://pytorch.org/docs/stable/generated/torch.optim.Adadelta.html.
type adadelta struct {
	Beta2 float64 `opt:"beta2" range:"[0, 1)" doc:"decay of the mean squared gradient"`
	Eps   float64 `opt:"eps" range:"[0, ∞)" doc:"added to the denominator"`
}

func (r *adadelta) Name() string                       { return "adadelta" }
func (r *adadelta) Slots() []string                    { return []string{"v", "d"} }
func (r *adadelta) Update32(_ Step, b *Block[float32]) { adadeltaUpdate(r, b) }
func (r *adadelta) Update64(_ Step, b *Block[float64]) { adadeltaUpdate(r, b) }

func adadeltaUpdate[T Float](r *adadelta, b *Block[T]) {
	b2, n2, eps := T(r.Beta2), T(1-r.Beta2), T(r.Eps)
	u, raw := b.U, b.raw()
	v, d := b.Slot[0][:len(u)], b.Slot[1][:len(u)]
	for i, g := range u {
		v[i] = b2*v[i] + n2*raw[i]*raw[i]
		if g != 0 { // 0/0 without ε
			g *= root(d[i]+eps) / root(v[i]+eps)
		}
		d[i] = b2*d[i] + n2*g*g
		u[i] = g
	}
}

// Express is adadeltaUpdate.
func (r *adadelta) Express(a Algebra, _ Expr, vs []*Variable) {
	eps := a.Const(r.Eps)
	for _, v := range vs {
		v.Slot[0] = mix(a, r.Beta2, v.Slot[0], a.Mul(v.U, v.U))
		v.U = a.Mul(a.Div(a.Sqrt(a.Add(v.Slot[1], eps)), a.Sqrt(a.Add(v.Slot[0], eps))), v.U)
		v.Slot[1] = mix(a, r.Beta2, v.Slot[1], a.Mul(v.U, v.U))
	}
}
