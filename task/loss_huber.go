package task

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// Huber is, with the error e = |z - y|, e²/2 up to delta and delta·(e - delta/2) beyond it; the mean over all outputs.
//
// Source: https://pytorch.org/docs/stable/generated/torch.nn.HuberLoss.html
type Huber struct {
	Delta float64 `opt:"delta" doc:"error from which on the loss grows linearly"`
}

func init() {
	losses.Register("huber", func() Loss { return &Huber{Delta: 1} },
		"squared error that turns linear, for targets with outliers", "https://pytorch.org/docs/stable/generated/torch.nn.HuberLoss.html")
}

// Classes is false.
func (*Huber) Classes() bool { return false }

// Logits is false.
func (*Huber) Logits() bool { return false }

func (l *Huber) prepare(*Task) error {
	if !(l.Delta > 0) {
		return fmt.Errorf("loss huber: delta=%v: want a positive number", l.Delta)
	}
	return nil
}

// Each implements Loss. With q = min(e, delta) both cases are q·(e - q/2).
func (l *Huber) Each(b *engine.Build, _ *Task, z, y graph.Value) graph.Value {
	d := b.DType(z)
	e := b.Add(ops.Abs, nil, b.Add(ops.Sub, nil, z, y))
	delta := b.Scalar(d, l.Delta)
	q := b.Add(ops.Where, nil, b.Add(ops.Less, nil, e, delta), e, delta)
	return sumTerms(b, b.Add(ops.Mul, nil, q, b.Add(ops.Sub, nil, e, b.Add(ops.Mul, nil, q, b.Scalar(d, 0.5)))))
}

// Terms is the number of targets.
func (*Huber) Terms(_ *Task, _ []int64, target []float64) float64 { return float64(len(target)) }
