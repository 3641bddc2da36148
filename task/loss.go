package task

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/options"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/tensor"
)

// Names of the inputs that a loss adds to a model.
const (
	LabelInput  = "gtk.labels" // int64 [N] or [N,P]: class numbers, Ignored for none
	TargetInput = "gtk.target" // real [N,F]
	WeightInput = "gtk.weight" // real [N]: what the loss of each example is multiplied by in Total
)

// Ignored is the label of what has no class, as in PyTorch.
const Ignored = -100

// Loss compares what a model gives with the truth. One file registers one loss; its options are the tagged fields of its struct.
type Loss interface {
	// Classes reports whether the truth is class numbers (LabelInput); else it is real numbers (TargetInput).
	Classes() bool
	// Logits reports whether the loss reads the value before the final activation; else the model's output.
	Logits() bool
	// Each adds the loss of each example, [N], the sum over its terms. z is [N,K] or [N,K,P] with class numbers y [N] or [N,P];
	// [N,F] with real numbers y [N,F].
	Each(b *engine.Build, t *Task, z, y graph.Value) graph.Value
	// Terms is the number of terms of one example, or their weight: what the sum is divided by for a mean. Its truth is labels, or target
	// where the loss takes real numbers.
	Terms(t *Task, labels []int64, target []float64) float64
}

// preparer is a Loss that reads the data set's labels first.
type preparer interface{ prepare(t *Task) error }

var losses = registry.Table[func() Loss]{Kind: "loss"}

// Losses is the table of losses; each entry makes one with its default options.
func Losses() *registry.Table[func() Loss] { return &losses }

// NewLoss makes the loss NAME:KEY=VALUE:….
func NewLoss(spec string) (name string, l Loss, err error) {
	return options.Make(&losses, spec, map[string]string{"ce": "cross-entropy"})
}

// Each is the loss of each example, [N], for engine.Query.Loss.
func (t *Task) Each() engine.Loss {
	return func(b *engine.Build) (graph.Value, error) { return t.each(b, LabelInput) }
}

// Total is the sum of each example's loss times its weight, a scalar: with weights of one over all terms of a batch it is the mean of the
// loss, as PyTorch reduces it. Weights go to WeightInput; see Targets.Weights.
func (t *Task) Total() engine.Loss {
	if t.contrast != nil {
		return t.contrast.loss()
	}
	if t.restores != nil {
		return t.restores.loss()
	}
	return func(b *engine.Build) (graph.Value, error) {
		each, err := t.weighted(b)
		if err != nil {
			return 0, err
		}
		return b.Add(ops.ReduceSum, ops.KeepDims(false), each), nil
	}
}

// Mean is the mean of the loss over a batch as PyTorch reduces it, a scalar that needs no weights: for exported graphs and programs of
// one's own. It is not for Dense tasks and class weights, where examples differ in their number of terms: those take Total.
func (t *Task) Mean() engine.Loss {
	return func(b *engine.Build) (graph.Value, error) {
		if t.mixedLabels() {
			return 0, fmt.Errorf("task: Mean of loss %s: examples are mixed, and their shares are weights: use Total", t.Name)
		}
		if t.Uneven() {
			return 0, fmt.Errorf("task: Mean of loss %s: examples differ in their number of terms; use Total", t.Name)
		}
		each, err := t.each(b, LabelInput)
		if err != nil {
			return 0, err
		}
		mean := b.Add(ops.ReduceMean, ops.KeepDims(false), each)
		terms := t.Loss.Terms(t, make([]int64, 1), make([]float64, t.K))
		if terms == 1 {
			return mean, nil
		}
		return b.Add(ops.Mul, nil, mean, b.Scalar(b.DType(mean), 1/terms)), nil
	}
}

// Uneven reports whether examples differ in the number of terms of their loss, or in its weight, so that a mean needs to be told them.
func (t *Task) Uneven() bool {
	ce, ok := t.Loss.(*CrossEntropy)
	return t.positions || ok && ce.w != nil
}

// PerTerm is each example's loss divided by its own number of terms, [N]: the loss of a batch that is this example alone.
func (t *Task) PerTerm() engine.Loss {
	return t.weighted
}

// Reads is the value of the model that the loss is a function of.
func (t *Task) Reads() string {
	if t.Loss.Logits() || t.Head.Activation == "" {
		return t.Head.Logits
	}
	return t.Head.Output
}

// each is the loss of each example with the class numbers of the input called labels, or with the targets.
func (t *Task) each(b *engine.Build, labels string) (graph.Value, error) {
	z, err := b.Value(t.Reads())
	if err != nil {
		return 0, err
	}
	if d := b.DType(z); d != tensor.Float64 && d != tensor.Float32 {
		z = b.Add(ops.Cast, ops.CastTo(tensor.Float32), z)
	}
	if t.Loss.Logits() {
		z = t.logits(b, z)
	}
	if t.Loss.Classes() {
		y := b.Input(labels, tensor.Int64, batchDims(1+b2i(t.positions)))
		return t.Loss.Each(b, t, t.classesFirst(b, z), y), b.Err()
	}
	if t.positions {
		z = t.classesFirst(b, z)
	}
	z = b.Add(ops.Flatten, nil, z)
	return t.Loss.Each(b, t, z, b.Input(TargetInput, b.DType(z), batchDims(2))), b.Err()
}

// classesFirst is the scores z as [N,K], or as [N,K,P] where positions are classified.
func (t *Task) classesFirst(b *engine.Build, z graph.Value) graph.Value {
	switch {
	case !t.positions:
		return b.Add(ops.Flatten, nil, z)
	case t.axis == 1:
		return b.Add(ops.Reshape, nil, z, b.Ints(0, t.K, -1))
	}
	return b.Add(ops.Transpose, ops.Perm(0, 2, 1), b.Add(ops.Reshape, nil, z, b.Ints(0, -1, t.K)))
}

// sumTerms is x [N] or [N,…] summed to [N].
func sumTerms(b *engine.Build, x graph.Value) graph.Value {
	return b.Add(ops.ReduceSum, ops.KeepDims(false), b.Add(ops.Flatten, nil, x), b.Ints(1))
}

// known is 1 where a real target is given, 0 where it is Ignored, in the type of like.
func known(b *engine.Build, y, like graph.Value) graph.Value {
	has := b.Add(ops.Greater, nil, y, b.Scalar(b.DType(y), Ignored))
	return b.Add(ops.Cast, ops.CastTo(b.DType(like)), has)
}

// knownTerms counts the targets that are given.
func knownTerms(target []float64) float64 {
	n := 0.0
	for _, v := range target {
		if v > Ignored {
			n++
		}
	}
	return n
}

func batchDims(rank int) []graph.Dim {
	d := []graph.Dim{{Size: -1, Symbol: "N"}}
	for len(d) < rank {
		d = append(d, graph.Dim{Size: -1})
	}
	return d
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
