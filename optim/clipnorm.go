package optim

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// ClipNorm is the rule that scales all gradients by one factor when their norm, taken over all parameters
// together, exceeds limit: u ← u·min(1, limit/(‖u‖ + 1e-6)). It refuses gradients that are not finite, as
// Finite does. The norm before clipping is reported as "clip-norm.norm".
//
// Source: Pascanu, Mikolov and Bengio, https://arxiv.org/abs/1211.5063, section 3.2, with the 1e-6 of
// https://pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html.
func ClipNorm(limit float64) Global { return &clipNorm{limit: limit} }

type clipNorm struct {
	limit, norm, scale float64
	sums               squares
}

func (r *clipNorm) Name() string               { return "clip-norm" }
func (r *clipNorm) Slots() []string            { return nil }
func (r *clipNorm) Measure() (string, float64) { return "norm", r.norm }

func (r *clipNorm) Begin(p *parallel.Pool, _ Step, us []Pending) error {
	if !(r.limit > 0) {
		return fmt.Errorf("the limit is %v, it must be above 0", r.limit)
	}
	n2, err := r.sums.norm2(p, us)
	if err != nil {
		return err
	}
	if math.IsInf(n2, 1) {
		return fmt.Errorf("the norm of all gradients overflows: %w", ErrNotFinite)
	}
	r.norm = math.Sqrt(n2)
	r.scale = min(1, r.limit/(r.norm+1e-6))
	return nil
}

func (r *clipNorm) Update32(_ Step, b *Block[float32]) { scaleUpdate(float32(r.scale), b) }
func (r *clipNorm) Update64(_ Step, b *Block[float64]) { scaleUpdate(r.scale, b) }

func scaleUpdate[T Float](c T, b *Block[T]) {
	if c == 1 {
		return
	}
	for i := range b.U {
		b.U[i] *= c
	}
	for i := range b.Raw {
		b.Raw[i] *= c
	}
}

// Express is Begin and the updates.
func (r *clipNorm) Express(a Algebra, _ Expr, vs []*Variable) {
	if len(vs) == 0 {
		return
	}
	n2 := a.SumSquares(vs[0].U)
	for _, v := range vs[1:] {
		n2 = a.Add(n2, a.SumSquares(v.U))
	}
	scale := a.Min(a.Const(1), a.Div(a.Const(r.limit), a.Add(a.Sqrt(n2), a.Const(1e-6))))
	for _, v := range vs {
		v.U = a.Mul(scale, v.U)
	}
}
