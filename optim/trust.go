package optim

import (
	"math"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// TrustRatio is the rule that scales the update of each parameter by ‖w‖/‖u‖, so that a step changes all of them by the same share; where
// either is zero the update stays as it is.
//
// Source: You et al., https://arxiv.org/abs/1904.00962, algorithm 2, with φ the identity.
func TrustRatio() Global { return &trustRatio{of: map[*Param]float64{}} }

type trustRatio struct {
	of     map[*Param]float64
	us, ws squares
	one    [1]Pending
}

func (r *trustRatio) Name() string                       { return "trust-ratio" }
func (r *trustRatio) Slots() []string                    { return nil }
func (r *trustRatio) Update32(_ Step, b *Block[float32]) { scaleUpdate(float32(r.of[b.Param]), b) }
func (r *trustRatio) Update64(_ Step, b *Block[float64]) { scaleUpdate(r.of[b.Param], b) }

func (r *trustRatio) Begin(p *parallel.Pool, _ Step, us []Pending) error {
	clear(r.of)
	for _, u := range us {
		r.one[0] = u
		un, err := r.us.norm2(p, r.one[:])
		if err != nil {
			return err
		}
		r.one[0].U = u.W
		wn, err := r.ws.norm2(p, r.one[:])
		if err != nil {
			return err
		}
		r.of[u.Param] = 1
		if un > 0 && wn > 0 {
			r.of[u.Param] = math.Sqrt(wn) / math.Sqrt(un)
		}
	}
	r.one[0] = Pending{}
	return nil
}

// Express is Begin and the updates.
func (r *trustRatio) Express(a Algebra, _ Expr, vs []*Variable) {
	one := a.Const(1)
	for _, v := range vs {
		w2, u2 := a.SumSquares(v.W), a.SumSquares(v.U)
		ratio := a.Positive(u2, a.Div(a.Sqrt(w2), a.Sqrt(u2)), one)
		v.U = a.Mul(a.Positive(w2, ratio, one), v.U)
	}
}
