package optim

import (
	"math"

	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// AGC is adaptive gradient clipping: for each row of the first axis of a parameter, a unit of a layer, u ← u·λ·max(‖w‖, 1e-3)/‖u‖ where
// ‖u‖ is larger than λ·max(‖w‖, 1e-3). A parameter of one axis, such as a bias, is one row.
//
// Source: Brock et al., https://arxiv.org/abs/2102.06171, equation 3. All parameters are clipped, the last layer too, which the authors
// leave out; a unit of a weight that is not transposed (MatMul) is a column, and rows are taken all the same.
func AGC(lambda float64) Whole { return agc(lambda) }

type agc float64

func (r agc) Name() string                                 { return "agc" }
func (r agc) Slots() []string                              { return nil }
func (r agc) SlotShape(int, tensor.Shape) (s tensor.Shape) { return s }

func (r agc) Rewrite32(p *parallel.Pool, _ Step, b *Block[float32]) { agcRewrite(r, p, b) }
func (r agc) Rewrite64(p *parallel.Pool, _ Step, b *Block[float64]) { agcRewrite(r, p, b) }

func agcRewrite[T Float](r agc, p *parallel.Pool, b *Block[T]) {
	rows, cols := matrix(b.Param.W.Shape())
	if len(b.Param.W.Shape()) < 2 {
		rows, cols = 1, len(b.U)
	}
	eachRow(p, rows, cols, func(i int) {
		u := b.U[i*cols : (i+1)*cols]
		limit := float64(r) * max(math.Sqrt(sumSquares(b.W[i*cols:(i+1)*cols])), 1e-3)
		norm := math.Sqrt(sumSquares(u))
		if norm <= limit {
			return
		}
		c := T(limit / norm)
		for j := range u {
			u[j] *= c
		}
		if b.Raw != nil {
			for j := i * cols; j < (i+1)*cols; j++ {
				b.Raw[j] *= c
			}
		}
	})
}

// matrix is a shape as rows of the first axis and what is in each: of one axis, rows of one element; a scalar is one row.
func matrix(s tensor.Shape) (rows, cols int) {
	rows, cols = 1, 1
	for i, n := range s {
		if i == 0 {
			rows = n
		} else {
			cols *= n
		}
	}
	return rows, cols
}

// eachRow calls f for each row, on several threads.
func eachRow(p *parallel.Pool, rows, cols int, f func(i int)) {
	p.For(rows, max(1, blocksPerTask*blockLen/max(cols, 1)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			f(i)
		}
	})
}
