package task

import (
	"math/rand/v2"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/tensor"
)

// Synthetic is a made-up truth for n examples of which v is the value called Fetch: classes drawn alike, targets of a normal distribution.
func (t *Task) Synthetic(r *rand.Rand, size, n int) (*Truth, error) {
	b := &data.Batch{IDs: make([]string, n), Labels: make([]int64, n)}
	ints := func(count, below int) *tensor.Tensor {
		y := make([]int64, n*count)
		for i := range y {
			y[i] = int64(r.IntN(max(1, below)))
		}
		return tensor.From(y, n, count)
	}
	switch {
	case t.positions:
		b.Y = ints(size/max(1, n*t.K), t.NumClasses())
	case t.HasClasses():
		copy(b.Labels, ints(1, t.NumClasses()).I64())
	case t.Kind == Multilabel:
		b.Y = ints(t.K, 2)
	default:
		y := make([]float64, n*t.K)
		for i := range y {
			y[i] = r.NormFloat64()
		}
		b.Y = tensor.From(y, n, t.K)
	}
	return t.Truth(b)
}
