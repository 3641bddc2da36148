package optim

func init() {
	register(Info{
		Name: "signsgd", LR: 1e-3,
		Doc:    "the sign of the gradient, or with momentum that of the momentum (Signum)",
		Source: "https://arxiv.org/abs/1802.04434 algorithms 1 and 2",
		make:   func() Rule { return new(signSGD) },
	})
}

// signSGD is u ← sign(u), and with momentum u ← sign(buf) with buf ← μ·buf + (1−μ)·u.
//
// Source: Bernstein et al., https://arxiv.org/abs/1802.04434, algorithms 1 (signSGD) and 2 (Signum).
type signSGD struct {
	Momentum float64 `opt:"momentum" range:"[0, 1)" doc:"momentum"`
}

func (r *signSGD) Name() string { return "signsgd" }

func (r *signSGD) Slots() []string {
	if r.Momentum == 0 {
		return nil
	}
	return []string{"buf"}
}

func (r *signSGD) Update32(_ Step, b *Block[float32]) { signUpdate(r, b) }
func (r *signSGD) Update64(_ Step, b *Block[float64]) { signUpdate(r, b) }

func signUpdate[T Float](r *signSGD, b *Block[T]) {
	u := b.U
	if r.Momentum != 0 {
		mu, in := T(r.Momentum), T(1-r.Momentum)
		buf := b.Slot[0][:len(u)]
		for i, g := range u {
			buf[i] = mu*buf[i] + in*g
			u[i] = buf[i]
		}
	}
	for i, g := range u {
		u[i] = sign(g)
	}
}

// Express is signUpdate.
func (r *signSGD) Express(a Algebra, _ Expr, vs []*Variable) {
	for _, v := range vs {
		if r.Momentum != 0 {
			v.Slot[0] = mix(a, r.Momentum, v.Slot[0], v.U)
			v.U = v.Slot[0]
		}
		v.U = a.Sign(v.U)
	}
}
