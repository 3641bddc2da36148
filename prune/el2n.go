package prune

import (
	"context"
	"math"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/task"
)

// EL2N is the norm of the error: ‖softmax(z) - onehot(y)‖₂ of the logits z, at most √2. It needs only a forward pass.
//
// Source: Paul, Ganguli, Dziugaite 2021, "Deep Learning on a Data Diet" (arXiv 2107.07075), definition 2.2. Beyond the paper: with one
// number for two classes and with labels the error is sigmoid(z) - y, in a regression z - y; an example with a class at each position has
// the mean of the norms at the positions that have a label.
type EL2N struct{}

func init() {
	scorers.Register("el2n", EL2N{}, "norm of the error, softmax(z) - onehot(y); forward pass only", "https://arxiv.org/abs/2107.07075")
}

// Prepare compiles the logits.
func (EL2N) Prepare(t *task.Task, p *feed.Plan) (Scoring, error) {
	s, err := p.Model().Session(engine.Query{Fetch: []string{t.Fetch()}})
	if err != nil {
		return nil, err
	}
	return &el2n{t, p, s}, nil
}

type el2n struct {
	t *task.Task
	p *feed.Plan
	s *engine.Session
}

func (e *el2n) Score(ctx context.Context, b *data.Batch, truth *task.Truth, out []float64) error {
	return e.p.Run(ctx, e.s, b, feed.Rows{}, func(p feed.Part) error {
		part := truth.Slice(p.Lo, p.Hi)
		sum, n := make([]float64, part.N), make([]float64, part.N)
		err := e.t.Decisions(p.Value(e.t.Fetch()), part.N, part, func(i int, d *task.Decision) {
			sum[i] += math.Sqrt(d.Error2())
			n[i]++
		})
		for i := range sum {
			out[p.Lo+i] = sum[i] / max(n[i], 1)
		}
		return err
	})
}
