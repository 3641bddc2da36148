package task

import (
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// MSE is the mean of (z - y)² over all outputs, y the target.
//
// Source: https://pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
type MSE struct{}

func init() {
	losses.Register("mse", func() Loss { return &MSE{} }, "mean of (z - y)² over all outputs",
		"https://pytorch.org/docs/stable/generated/torch.nn.MSELoss.html")
}

// Classes is false.
func (*MSE) Classes() bool { return false }

// Logits is false.
func (*MSE) Logits() bool { return false }

// Each implements Loss.
func (*MSE) Each(b *engine.Build, _ *Task, z, y graph.Value) graph.Value {
	d := b.Add(ops.Sub, nil, z, y)
	return sumTerms(b, b.Add(ops.Mul, nil, d, d))
}

// Terms is the number of targets.
func (*MSE) Terms(_ *Task, _ []int64, target []float64) float64 { return float64(len(target)) }
