package optim

import (
	"errors"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// ErrNotFinite is the error of a gradient with an infinite or undefined element.
var ErrNotFinite = errors.New("gradient is not finite")

// Finite is the rule that changes nothing and refuses gradients that are not finite: its error wraps
// ErrNotFinite and names the parameter.
func Finite() Global { return &finite{} }

type finite struct{ sums squares }

func (r *finite) Name() string { return "finite" }

func (r *finite) Begin(p *parallel.Pool, _ Step, us []Pending) error {
	_, err := r.sums.norm2(p, us)
	return err
}

// Express changes nothing: expressions cannot refuse.
func (r *finite) Express(Algebra, Expr, []*Variable) {}

// squares adds the squares of all updates, in blocks whose sums are added in order.
type squares struct {
	blocks []span
	sums   []float64
}

// norm2 is the squared norm of all updates together, or an error that names the first parameter in which
// an element is not finite. The squares are float64: those of finite float32 elements cannot overflow.
func (q *squares) norm2(p *parallel.Pool, us []Pending) (float64, error) {
	q.blocks = q.blocks[:0]
	for i, u := range us {
		for lo, n := 0, u.U.Len(); lo < n; lo += blockLen {
			q.blocks = append(q.blocks, span{i, lo, min(lo+blockLen, n)})
		}
	}
	if cap(q.sums) < len(q.blocks) {
		q.sums = make([]float64, len(q.blocks))
	}
	q.sums = q.sums[:len(q.blocks)]
	p.For(len(q.blocks), blocksPerTask, func(lo, hi int) {
		for k := lo; k < hi; k++ {
			b := q.blocks[k]
			if u := us[b.i].U; u.DType() == tensor.Float32 {
				q.sums[k] = sumSquares(u.F32()[b.lo:b.hi])
			} else {
				q.sums[k] = sumSquares(tensor.Data[float64](u)[b.lo:b.hi])
			}
		}
	})
	total := 0.0
	for k, s := range q.sums {
		if math.IsNaN(s) || math.IsInf(s, 0) {
			if err := firstNotFinite(us[q.blocks[k].i]); err != nil {
				return 0, err
			}
		}
		total += s
	}
	return total, nil
}

// sumSquares is the sum of the squares of x, in four chains.
func sumSquares[T Float](x []T) float64 {
	var a, b, c, d float64
	for ; len(x) >= 4; x = x[4:] {
		a += float64(x[0]) * float64(x[0])
		b += float64(x[1]) * float64(x[1])
		c += float64(x[2]) * float64(x[2])
		d += float64(x[3]) * float64(x[3])
	}
	for _, v := range x {
		a += float64(v) * float64(v)
	}
	return (a + b) + (c + d)
}

func firstNotFinite(u Pending) error {
	at := func(i int, v float64) error {
		return fmt.Errorf("parameter %q, element %d is %v: %w; lower the learning rate, clip the norm, or look for the batch that does it",
			u.Name, i, v, ErrNotFinite)
	}
	if u.U.DType() == tensor.Float32 {
		for i, v := range u.U.F32() {
			if v-v != 0 {
				return at(i, float64(v))
			}
		}
		return nil
	}
	for i, v := range tensor.Data[float64](u.U) {
		if v-v != 0 {
			return at(i, v)
		}
	}
	return nil
}
