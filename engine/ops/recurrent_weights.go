package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
)

// times is y [m,n] = x·op(B) + beta·y for weights B of a recurrent layer, with the distances of the rows of x and y.
type times[T real] func(m int, x []T, ldx int, beta T, y []T, ldy int)

// recurrentForm is the form of some rows of the weights of one direction.
type recurrentForm struct {
	dir, from, rows int
	t               bool
}

// weights is the product with rows from, from+1 … of the weights in input i, [directions, rows, columns], of direction dir; op is the
// transpose if t. Weights that never change are kept as the products read them.
func weights[T real](c *graph.RunCtx, l *recurrent, i, dir, from, rows int, t bool) times[T] {
	cols := c.In[i].Dim(2)
	b := part(reals[T](c.In[i]), l.d, dir)[from*cols:][:rows*cols]
	n, k := cols, rows
	if t {
		n, k = rows, cols
	}
	if f, ok := any(b).([]float32); ok {
		right := graph.KeepBytes(c, i, recurrentForm{dir, from, rows, t}, 4*len(f),
			func() *kernel.Right { return kernel.NewRight(t, n, k, f, cols) })
		if right != nil {
			return timesRight[T](c, right)
		}
	}
	gemm := gemmOf[T]()
	return func(m int, x []T, ldx int, beta T, y []T, ldy int) {
		gemm(c.Pool, false, t, m, n, k, 1, x, ldx, b, cols, beta, y, ldy)
	}
}

// stepWeights is weights for a product in every step: what it reads the weights by is made once, and given back by done.
func stepWeights[T real](c *graph.RunCtx, l *recurrent, i, dir, from, rows int, t bool) (f times[T], done func()) {
	in := reals[T](c.In[i])
	cols := c.In[i].Dim(2)
	b, ok := any(part(in, l.d, dir)[from*cols:][:rows*cols]).([]float32)
	if !ok || l.t < 2 || c.Constant != nil && c.Constant(i) != nil {
		return weights[T](c, l, i, dir, from, rows, t), func() {}
	}
	n, k := cols, rows
	if t {
		n, k = rows, cols
	}
	right := kernel.BorrowRight(t, n, k, b, cols)
	return timesRight[T](c, right), right.Release
}

// timesRight is the product with right, of float32 as T.
func timesRight[T real](c *graph.RunCtx, right *kernel.Right) times[T] {
	var f times[float32] = func(m int, x []float32, ldx int, beta float32, y []float32, ldy int) {
		kernel.SgemmRight(c.Pool, false, m, 1, x, ldx, right, beta, y, ldy, nil)
	}
	return any(f).(times[T])
}
