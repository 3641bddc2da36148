package task

import (
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// MAE is the mean of |z - y| over all outputs, y the target.
//
// Source: https://pytorch.org/docs/stable/generated/torch.nn.L1Loss.html
type MAE struct{}

func init() {
	losses.Register("mae", func() Loss { return &MAE{} }, "mean of |z - y| over all outputs",
		"https://pytorch.org/docs/stable/generated/torch.nn.L1Loss.html")
}

// Classes is false.
func (*MAE) Classes() bool { return false }

// Logits is false.
func (*MAE) Logits() bool { return false }

// Each implements Loss.
func (*MAE) Each(b *engine.Build, _ *Task, z, y graph.Value) graph.Value {
	d := b.Add(ops.Sub, nil, z, y)
	return sumTerms(b, b.Add(ops.Abs, nil, d))
}

// Terms is the number of targets.
func (*MAE) Terms(_ *Task, _ []int64, target []float64) float64 { return float64(len(target)) }
