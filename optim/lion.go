package optim

func init() {
	register(Info{
		Name: "lion", LR: 1e-4, Decoupled: true,
		Doc:    "Lion: the sign of a momentum that looks further back than it remembers; weight decay is decoupled",
		Source: "https://arxiv.org/abs/2302.06675 algorithm 2",
		make:   func() Rule { return &lion{Beta1: 0.9, Beta2: 0.99} },
	})
}

// lion is u ← sign(β1·m + (1−β1)·u), and m ← β2·m + (1−β2)·u with the u that came in.
//
// Source: Chen et al., https://arxiv.org/abs/2302.06675, algorithm 2. Every element moves by the learning rate, which is therefore three
// to ten times smaller than Adam's, and weight decay as many times larger.
type lion struct {
	Beta1 float64 `opt:"beta1" range:"[0, 1)" doc:"weight of the momentum against the gradient in the step"`
	Beta2 float64 `opt:"beta2" range:"[0, 1)" doc:"decay of the momentum"`
}

func (r *lion) Name() string                       { return "lion" }
func (r *lion) Slots() []string                    { return []string{"m"} }
func (r *lion) Update32(_ Step, b *Block[float32]) { lionUpdate(r, b) }
func (r *lion) Update64(_ Step, b *Block[float64]) { lionUpdate(r, b) }

func lionUpdate[T Float](r *lion, b *Block[T]) {
	b1, n1, b2, n2 := T(r.Beta1), T(1-r.Beta1), T(r.Beta2), T(1-r.Beta2)
	u := b.U
	m := b.Slot[0][:len(u)]
	for i, g := range u {
		u[i] = sign(b1*m[i] + n1*g)
		m[i] = b2*m[i] + n2*g
	}
}

// sign is −1, 0 or 1.
func sign[T Float](x T) T {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

// Express is lionUpdate.
func (r *lion) Express(a Algebra, _ Expr, vs []*Variable) {
	for _, v := range vs {
		g := v.U
		v.U = a.Sign(mix(a, r.Beta1, v.Slot[0], g))
		v.Slot[0] = mix(a, r.Beta2, v.Slot[0], g)
	}
}
