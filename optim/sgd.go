package optim

import (
	"errors"

	"github.com/gtk-onnx/gtk/internal/kernel"
)

func init() {
	register(Info{
		Name: "sgd", LR: 0.01,
		Doc:    "gradient descent, with momentum and Nesterov's look-ahead on request",
		Source: "https://pytorch.org/docs/stable/generated/torch.optim.SGD.html",
		make:   func() Rule { return new(sgd) },
	})
}

// sgd is u ← buf with buf ← μ·buf + (1−damp)·u, where the first step sets buf ← u, and with Nesterov u ← u + μ·buf.
//
// Source: PyTorch's definition, which differs from Sutskever et al. 2013 in that the learning rate is applied after the momentum:
// https://pytorch.org/docs/stable/generated/torch.optim.SGD.html.
type sgd struct {
	Momentum  float64 `opt:"momentum" range:"[0, 1)" doc:"momentum"`
	Dampening float64 `opt:"dampening" range:"[0, 1]" doc:"dampening of the momentum"`
	Nesterov  bool    `opt:"nesterov" doc:"Nesterov's momentum"`
}

func (r *sgd) check() error {
	if r.Nesterov && (r.Momentum == 0 || r.Dampening != 0) {
		return errors.New("nesterov needs momentum and no dampening")
	}
	return nil
}

func (r *sgd) Name() string { return "sgd" }

func (r *sgd) Slots() []string {
	if r.Momentum == 0 {
		return nil
	}
	return []string{"buf"}
}

// Update32 is sgdUpdate by a vector kernel.
func (r *sgd) Update32(_ Step, b *Block[float32]) {
	if r.Momentum != 0 {
		kernel.MomentumF32(b.Slot[0][:len(b.U)], b.U,
			kernel.SGD{Momentum: r.Momentum, Dampening: r.Dampening, Nesterov: r.Nesterov, First: b.T == 1})
	}
}
func (r *sgd) Update64(_ Step, b *Block[float64]) { sgdUpdate(r, b) }

func sgdUpdate[T Float](r *sgd, b *Block[T]) {
	if r.Momentum == 0 {
		return
	}
	u := b.U
	buf := b.Slot[0][:len(u)]
	if b.T == 1 {
		copy(buf, u)
	} else {
		mu, in := T(r.Momentum), T(1-r.Dampening)
		for i, g := range u {
			buf[i] = mu*buf[i] + in*g
		}
	}
	if r.Nesterov {
		mu := T(r.Momentum)
		for i, m := range buf {
			u[i] += mu * m
		}
		return
	}
	copy(u, buf)
}

// Express is sgdUpdate.
func (r *sgd) Express(a Algebra, t Expr, vs []*Variable) {
	if r.Momentum == 0 {
		return
	}
	for _, v := range vs {
		buf := a.Add(a.Mul(a.Const(r.Momentum), v.Slot[0]), a.Mul(a.Const(1-r.Dampening), v.U))
		if r.Dampening != 0 { // without, the zeros at the start give the same
			buf = a.First(t, v.U, buf)
		}
		v.Slot[0] = buf
		if r.Nesterov {
			buf = a.Add(v.U, a.Mul(a.Const(r.Momentum), buf))
		}
		v.U = buf
	}
}
