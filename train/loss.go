package train

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/tensor"
)

// Names of the inputs that losses add to a model.
const (
	LabelInput  = "gtk.labels" // int64 [N], class indices
	TargetInput = "gtk.target" // float32, shape of the output
)

// Reduction says what a loss gives: the mean over the batch, the sum, or one number for each example.
type Reduction string

// The reductions of ONNX's losses.
const (
	Mean Reduction = "mean"
	Sum  Reduction = "sum"
	None Reduction = "none"
)

// LossKind makes a loss on a model's head.
type LossKind struct {
	Labels bool // takes class indices under LabelInput; else targets under TargetInput
	Make   func(h engine.Head, r Reduction) engine.Loss
}

var losses = registry.Table[LossKind]{Kind: "loss"}

// Losses is the table of losses.
func Losses() *registry.Table[LossKind] { return &losses }

func init() {
	losses.Register("cross-entropy", LossKind{true, CrossEntropy},
		"softmax cross-entropy of the logits with class labels", "https://onnx.ai/onnx/operators/onnx__SoftmaxCrossEntropyLoss.html")
	losses.Register("mse", LossKind{false, MeanSquaredError},
		"mean of (y - t)² over all elements", "https://pytorch.org/docs/stable/generated/torch.nn.MSELoss.html")
}

// CrossEntropy is -log softmax(z)[label] of the logits z [N,K,…], flattened to [N,K]: the value before the model's own
// softmax, so that none is applied twice.
func CrossEntropy(h engine.Head, r Reduction) engine.Loss {
	return func(b *engine.Build) (graph.Value, error) {
		if h.Activation == "Sigmoid" {
			return 0, fmt.Errorf("the model ends in Sigmoid, which is not a distribution over classes: train it with --loss mse")
		}
		z, err := b.Value(h.Logits)
		if err != nil {
			return 0, err
		}
		labels := b.Input(LabelInput, tensor.Int64, []graph.Dim{{Size: -1, Symbol: "N"}})
		return b.Add(ops.SoftmaxCrossEntropyLoss, ops.LossReduction(string(r)), b.Add(ops.Flatten, nil, z), labels), nil
	}
}

// MeanSquaredError is the mean over all elements of (y - t)², y the model's output; with None the mean over the elements of each example.
func MeanSquaredError(h engine.Head, r Reduction) engine.Loss {
	return func(b *engine.Build) (graph.Value, error) {
		y, err := b.Value(h.Output)
		if err != nil {
			return 0, err
		}
		t := b.Input(TargetInput, b.DType(y), nil)
		d := b.Add(ops.Flatten, nil, b.Add(ops.Sub, nil, y, t))
		each := b.Add(ops.ReduceMean, ops.KeepDims(false), b.Add(ops.Mul, nil, d, d), b.Ints(1))
		switch r {
		case Sum:
			return b.Add(ops.ReduceSum, ops.KeepDims(false), each), nil
		case None:
			return each, nil
		}
		return b.Add(ops.ReduceMean, ops.KeepDims(false), each), nil
	}
}
