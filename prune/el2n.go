package prune

import (
	"context"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/tensor"
)

// EL2N is the norm of the error: ‖softmax(z) - onehot(y)‖₂ of the logits z. It needs only a forward pass and is at most √2.
//
// Source: Paul, Ganguli, Dziugaite 2021, "Deep Learning on a Data Diet" (arXiv 2107.07075), definition 2.2.
type EL2N struct{}

func init() {
	scorers.Register("el2n", EL2N{}, "norm of softmax(z) - onehot(y); forward pass only", "https://arxiv.org/abs/2107.07075")
}

// Prepare compiles the logits of m.
func (EL2N) Prepare(m *engine.Model) (Scoring, error) {
	in, err := onlyInput(m)
	if err != nil {
		return nil, err
	}
	h, err := m.Head("")
	if err != nil {
		return nil, err
	}
	s, err := m.Session(engine.Query{Fetch: []string{h.Logits}})
	if err != nil {
		return nil, err
	}
	return &el2n{s, in, h.Logits}, nil
}

type el2n struct {
	s          *engine.Session
	in, logits string
}

func (e *el2n) Score(ctx context.Context, x *tensor.Tensor, labels []int64, out []float64) error {
	r, err := e.s.Run(ctx, map[string]*tensor.Tensor{e.in: x})
	if err != nil {
		return err
	}
	t := r.Value(e.logits)
	z := t.Float64s()
	n := len(labels)
	if t.Rank() < 2 || t.Dim(0) != n {
		return fmt.Errorf("prune: el2n: the model gives %v for a batch of %d", t, n)
	}
	k := len(z) / n
	for i, y := range labels {
		if int(y) >= k {
			return fmt.Errorf("prune: el2n: label %d, but the model has %d classes", y, k)
		}
		out[i] = errorNorm(z[i*k:(i+1)*k], int(y))
	}
	return nil
}

// errorNorm is ‖softmax(z) - onehot(y)‖₂; z is overwritten.
func errorNorm(z []float64, y int) float64 {
	m := math.Inf(-1)
	for _, v := range z {
		m = max(m, v)
	}
	sum := 0.0
	for j, v := range z {
		z[j] = math.Exp(v - m)
		sum += z[j]
	}
	s := 0.0
	for j := range z {
		d := z[j] / sum
		if j == y {
			d--
		}
		s += d * d
	}
	return math.Sqrt(s)
}
