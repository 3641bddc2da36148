package optim

func init() {
	register(Info{
		Name: "rmsprop", LR: 0.01,
		Doc:    "RMSProp: each element by the root of its mean squared gradient; centred and with momentum on request",
		Source: "https://arxiv.org/abs/1308.0850 equations 38 to 45",
		make:   func() Rule { return &rmsprop{Beta2: 0.99, Eps: 1e-8} },
	})
}

// rmsprop is u ← u/(√n + ε) with v ← β2·v + (1−β2)·u² and n = v, or centred n = v − m² with m ← β2·m + (1−β2)·u; with momentum
// u ← buf with buf ← μ·buf + u/(√n + ε).
//
// Source: Hinton's lecture 6e; centred, Graves, https://arxiv.org/abs/1308.0850, equations 38 to 45, with ε outside the root and the
// learning rate after the momentum, as in https://pytorch.org/docs/stable/generated/torch.optim.RMSprop.html, where β2 is alpha. An n that
// rounding makes negative counts as zero.
type rmsprop struct {
	Beta2    float64 `opt:"beta2" range:"[0, 1)" doc:"decay of the mean squared gradient"`
	Eps      float64 `opt:"eps" range:"[0, ∞)" doc:"added to the denominator"`
	Momentum float64 `opt:"momentum" range:"[0, 1)" doc:"momentum"`
	Centered bool    `opt:"centered" doc:"divide by the deviation of the gradient instead of its root mean square"`
}

func (r *rmsprop) Name() string { return "rmsprop" }

// Slots are v, then m and buf where there are any.
func (r *rmsprop) Slots() []string {
	s := []string{"v"}
	if r.Centered {
		s = append(s, "m")
	}
	if r.Momentum != 0 {
		s = append(s, "buf")
	}
	return s
}

func (r *rmsprop) Update32(_ Step, b *Block[float32]) { rmspropUpdate(r, b) }
func (r *rmsprop) Update64(_ Step, b *Block[float64]) { rmspropUpdate(r, b) }

func rmspropUpdate[T Float](r *rmsprop, b *Block[T]) {
	b2, n2, mu, eps := T(r.Beta2), T(1-r.Beta2), T(r.Momentum), T(r.Eps)
	u, raw := b.U, b.raw()
	v := b.Slot[0][:len(u)]
	var m []T
	if r.Centered {
		m = b.Slot[1][:len(u)]
	}
	for i, g := range u {
		h := raw[i]
		v[i] = b2*v[i] + n2*h*h
		n := v[i]
		if m != nil {
			m[i] = b2*m[i] + n2*h
			n = max(n-m[i]*m[i], 0)
		}
		if g != 0 { // 0/0 without ε
			u[i] = g / (root(n) + eps)
		}
	}
	if mu != 0 {
		buf := b.Slot[len(b.Slot)-1][:len(u)]
		for i, x := range u {
			buf[i] = mu*buf[i] + x
		}
		copy(u, buf)
	}
}

// Express is rmspropUpdate.
func (r *rmsprop) Express(a Algebra, _ Expr, vs []*Variable) {
	for _, v := range vs {
		v.Slot[0] = mix(a, r.Beta2, v.Slot[0], a.Mul(v.U, v.U))
		n := v.Slot[0]
		if r.Centered {
			v.Slot[1] = mix(a, r.Beta2, v.Slot[1], v.U)
			n = a.Max(a.Sub(n, a.Mul(v.Slot[1], v.Slot[1])), a.Const(0))
		}
		v.U = a.Div(v.U, a.Add(a.Sqrt(n), a.Const(r.Eps)))
		if r.Momentum != 0 {
			last := len(v.Slot) - 1
			v.U = a.Add(a.Mul(a.Const(r.Momentum), v.Slot[last]), v.U)
			v.Slot[last] = v.U
		}
	}
}
