package optim

// WeightDecay is the rule u ← u + wd·w, for the parameters that decay. Before another rule it is an L2
// penalty, coupled to the gradient; after it, it is decoupled weight decay: the weights then shrink
// by the learning rate times wd, as in AdamW (https://arxiv.org/abs/1711.05101).
func WeightDecay(wd float64) Elementwise { return weightDecay(wd) }

type weightDecay float64

func (r weightDecay) Name() string                       { return "weight-decay" }
func (r weightDecay) Slots() []string                    { return nil }
func (r weightDecay) Update32(_ Step, b *Block[float32]) { decayUpdate(float32(r), b) }
func (r weightDecay) Update64(_ Step, b *Block[float64]) { decayUpdate(float64(r), b) }

func decayUpdate[T Float](wd T, b *Block[T]) {
	if !b.Param.Decay {
		return
	}
	w := b.W[:len(b.U)]
	for i := range b.U {
		b.U[i] += wd * w[i]
	}
	for i := range b.Raw {
		b.Raw[i] += wd * w[i]
	}
}

// Express is decayUpdate.
func (r weightDecay) Express(a Algebra, _ Expr, vs []*Variable) {
	for _, v := range vs {
		if v.Decay {
			v.U = a.Add(v.U, a.Mul(a.Const(float64(r)), v.W))
		}
	}
}
