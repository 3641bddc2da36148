package optim

import "math"

func init() {
	register(Info{
		Name: "adagrad", LR: 0.01,
		Doc:    "AdaGrad: each element by the root of the sum of its squared gradients",
		Source: "https://jmlr.org/papers/v12/duchi11a.html figure 1, diagonal",
		make:   func() Rule { return &adagrad{Eps: 1e-10} },
	})
}

// adagrad is u ← u/(√s + ε)/(1 + (t−1)·decay) with s ← s + u², s = Start at first.
//
// Source: Duchi, Hazan and Singer, https://jmlr.org/papers/v12/duchi11a.html, the diagonal form, with ε outside the root and the decay of
// https://pytorch.org/docs/stable/generated/torch.optim.Adagrad.html.
type adagrad struct {
	Eps   float64 `opt:"eps" range:"[0, ∞)" doc:"added to the denominator"`
	Decay float64 `opt:"lr-decay" range:"[0, ∞)" doc:"the learning rate of step t is divided by 1 + (t-1) times this"`
	Start float64 `opt:"initial-sum" range:"[0, ∞)" doc:"sum of squared gradients before the first step"`
}

func (r *adagrad) Name() string                       { return "adagrad" }
func (r *adagrad) Slots() []string                    { return []string{"sum"} }
func (r *adagrad) Update32(_ Step, b *Block[float32]) { adagradUpdate(r, b) }
func (r *adagrad) Update64(_ Step, b *Block[float64]) { adagradUpdate(r, b) }

func adagradUpdate[T Float](r *adagrad, b *Block[T]) {
	c, eps := T(1/(1+float64(b.T-1)*r.Decay)), T(r.Eps)
	u, raw := b.U, b.raw()
	sum := b.Slot[0][:len(u)]
	if b.T == 1 {
		fill(sum, r.Start)
	}
	for i, g := range u {
		sum[i] += raw[i] * raw[i]
		if g != 0 { // 0/0 where nothing has happened yet and ε is 0
			u[i] = c * g / (root(sum[i]) + eps)
		}
	}
}

// Express is adagradUpdate; without ε it has an element that never got a gradient divided by zero.
func (r *adagrad) Express(a Algebra, t Expr, vs []*Variable) {
	c := a.Div(a.Const(1), a.Add(a.Const(1), a.Mul(a.Sub(t, a.Const(1)), a.Const(r.Decay))))
	for _, v := range vs {
		sum := v.Slot[0]
		if r.Start != 0 {
			sum = a.First(t, a.Const(r.Start), sum)
		}
		sum = a.Add(sum, a.Mul(v.U, v.U))
		v.Slot[0] = sum
		v.U = a.Div(a.Mul(c, v.U), a.Add(a.Sqrt(sum), a.Const(r.Eps)))
	}
}

func fill[T Float](x []T, v float64) {
	for i := range x {
		x[i] = T(v)
	}
}

func root[T Float](x T) T { return T(math.Sqrt(float64(x))) }
