package task

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// BCE is the binary cross-entropy of logits z with targets y of 0 to 1,
//
//	w·y·softplus(-z) + (1-y)·softplus(z),
//
// w the weight of the positive. It reads the value before a final Sigmoid, so that nothing saturates.
//
// Source: https://pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
type BCE struct {
	Positive float64 `opt:"positive" doc:"weight of the positive targets"`
}

func init() {
	losses.Register("bce", func() Loss { return &BCE{Positive: 1} },
		"binary cross-entropy of the logits with targets of 0 to 1, each output for itself",
		"https://pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html")
}

// Classes is false.
func (*BCE) Classes() bool { return false }

// Logits is true.
func (*BCE) Logits() bool { return true }

func (l *BCE) prepare(*Task) error {
	if !(l.Positive > 0) {
		return fmt.Errorf("loss bce: positive=%v: want a positive number", l.Positive)
	}
	return nil
}

// Each implements Loss.
func (l *BCE) Each(b *engine.Build, t *Task, z, y graph.Value) graph.Value {
	has := known(b, y, z)
	y = b.Add(ops.Mul, nil, y, has)
	d := b.DType(z)
	var e graph.Value
	if l.Positive == 1 { // softplus(z) - y·z
		e = b.Add(ops.Sub, nil, b.Add(ops.Softplus, nil, z), b.Add(ops.Mul, nil, y, z))
	} else {
		pos := b.Add(ops.Mul, nil, b.Add(ops.Mul, nil, y, b.Scalar(d, l.Positive)), b.Add(ops.Softplus, nil, b.Add(ops.Neg, nil, z)))
		neg := b.Add(ops.Mul, nil, b.Add(ops.Sub, nil, b.Scalar(d, 1), y), b.Add(ops.Softplus, nil, z))
		e = b.Add(ops.Add, nil, pos, neg)
	}
	return sumTerms(b, b.Add(ops.Mul, nil, e, has))
}

// Terms is the number of targets.
func (*BCE) Terms(_ *Task, _ []int64, target []float64) float64 { return knownTerms(target) }
