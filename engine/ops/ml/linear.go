package ml

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// linear is the model s[k] = Σ w[k,c]·x[c] + b[k].
type linear struct {
	w, b    []float32
	targets int
	post    transform
}

func linearOf(coefficients, intercepts []float32, targets int, post string) (*linear, error) {
	t, err := transformOf(post)
	switch {
	case err != nil:
		return nil, err
	case targets < 1 || len(coefficients) == 0 || len(coefficients)%targets != 0:
		return nil, fmt.Errorf("attribute coefficients has %d elements for %d targets: want as many for each", len(coefficients), targets)
	case len(intercepts) != 0 && len(intercepts) != targets:
		return nil, fmt.Errorf("attribute intercepts has %d elements, want none or %d", len(intercepts), targets)
	}
	return &linear{coefficients, intercepts, targets, t}, nil
}

func (l *linear) columns() int { return len(l.w) / l.targets }

// rows is the number of rows of the input, which must have the model's columns.
func (l *linear) rows(c *graph.InferCtx) (int, error) {
	rows, columns, err := table(c.Shape(0))
	if err == nil && columns != l.columns() {
		err = fmt.Errorf("the input has %d columns, the coefficients are for %d", columns, l.columns())
	}
	return rows, err
}

// run hands done the scores of every row, before the transform.
func (l *linear) run(c *graph.RunCtx, done func(row int, s []float32)) error {
	if c.In[0].DType() == tensor.Float64 {
		return dots[float64](l, c, done)
	}
	return dots[float32](l, c, done)
}

func dots[T real](l *linear, c *graph.RunCtx, done func(row int, s []float32)) error {
	x, err := numbersOf[T](c.In[0])
	if err != nil {
		return err
	}
	n := l.columns()
	rows := len(x) / n
	c.Pool.For(rows, max(1, 1<<14/len(l.w)), func(lo, hi int) {
		s := make([]float32, l.targets)
		for r := lo; r < hi; r++ {
			row := x[r*n : (r+1)*n]
			for k := range s {
				sum := 0.0
				for i, w := range l.w[k*n : (k+1)*n] {
					sum += float64(w) * float64(row[i])
				}
				if len(l.b) > 0 {
					sum += float64(l.b[k])
				}
				s[k] = float32(sum)
			}
			done(r, s)
		}
	})
	return nil
}

// lower adds the scores of x in the type that they are computed in, before the transform.
func (l *linear) lower(b *graph.Builder, x graph.Value) graph.Value {
	x, d := floating(b, x)
	n := l.columns()
	w := make([]float32, len(l.w)) // [C,K]
	for i, v := range l.w {
		w[i%n*l.targets+i/n] = v
	}
	s := b.Add(ops.MatMul, nil, asTable(b, x, n), constant(b, d, w, n, l.targets))
	if len(l.b) > 0 {
		s = b.Add(ops.Add, nil, s, constant(b, d, l.b, l.targets))
	}
	return s
}
