package task

import (
	"fmt"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Restoration is a Task of a network that is shown damaged pictures and gives what makes them whole, pixel by pixel.
const Restoration Kind = "restoration"

func init() {
	for _, m := range []struct {
		name, doc, source string
		lower             bool
	}{
		{"psnr", "peak signal-to-noise ratio of the restored pictures in dB, peak 1, the mean over pictures",
			"https://en.wikipedia.org/wiki/Peak_signal-to-noise_ratio", false},
		{"ssim", "structural similarity of the restored pictures to the clean ones, the mean over pictures",
			"https://doi.org/10.1109/TIP.2003.819861", false},
		{"restoration", "the objective on patches of the validation data", "", true},
	} {
		metrics.Register(m.name, Metric{Lower: m.lower, Make: func(*Task) Meter { return nil }}, m.doc, m.source)
	}
}

// restoration is what a restoring task is trained by.
type restoration struct {
	network  string // value that is the output f of the network
	measured bool   // against clean pictures
}

// ForRestoration is the task of a model whose value network, of which output is made, is trained by the objective called name: the mean
// over pixels of (weight·f − target)², the mean over examples. A batch has both in its Y [N,2,…], weights first. measured says that what
// is restored can be compared with clean pictures.
func ForRestoration(name, network, output string, measured bool, why ...string) *Task {
	return &Task{Kind: Restoration, Head: engine.Head{Output: output, Logits: network}, Name: name, Why: why, real: tensor.Float32,
		restores: &restoration{network, measured}}
}

// loss is the sum over examples of the mean over pixels, times WeightInput.
func (r *restoration) loss() engine.Loss {
	return func(b *engine.Build) (graph.Value, error) {
		f, err := b.Value(r.network)
		if err != nil {
			return 0, err
		}
		y := b.Input(TargetInput, tensor.Float32, batchDims(5))
		part := func(k int) graph.Value {
			return b.Add(ops.Squeeze, nil, b.Add(ops.Slice, nil, y, b.Ints(k), b.Ints(k+1), b.Ints(1)), b.Ints(1))
		}
		d := b.Add(ops.Sub, nil, b.Add(ops.Mul, nil, f, part(0)), part(1))
		each := b.Add(ops.ReduceMean, ops.KeepDims(false), b.Add(ops.Mul, nil, d, d), b.Ints(1, 2, 3))
		each = b.Add(ops.Mul, nil, each, b.Input(WeightInput, tensor.Float32, batchDims(1)))
		return b.Add(ops.ReduceSum, ops.KeepDims(false), each), b.Err()
	}
}

// compared is the truth of a batch of patches.
func (t *Task) compared(b *data.Batch) (*Truth, error) {
	if b.Y == nil || b.Y.Rank() != b.X.Rank()+1 {
		return nil, fmt.Errorf("task: the batch has no patches to be compared with")
	}
	tr := t.viewed(b.Len())
	tr.input, tr.value = TargetInput, b.Y
	return tr, nil
}
