package train_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// lenetGolden is what testdata/gen/lenet_golden.py writes.
type lenetGolden struct {
	Batch, Every int
	Cases        []struct {
		Rule    string
		LR      float64
		Options map[string]string
		Losses  []float64            // before each step, and at the end
		Weights map[string][]float64 // at the end, each Every-th
	}
}

// scaled is numbers of [-scale, scale) in stream k, as the generator has them.
func scaled(k int, scale float64, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.F32() {
		h := uint32(i+1)*2654435761 + uint32(k+1)*2246822519
		h = (h ^ h>>15) * 2654435761
		h ^= h >> 13
		t.F32()[i] = float32((float64(h)/(1<<31) - 1) * scale)
	}
	return t
}

// Twenty steps of every rule that PyTorch has end where PyTorch's do, on a network of convolutions in single precision.
func TestLenetAgreesWithPyTorch(t *testing.T) {
	var v lenetGolden
	raw, err := os.ReadFile("testdata/lenet_torch.json")
	if err == nil {
		err = json.Unmarshal(raw, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias",
		"fc3.weight", "fc3.bias"}
	labels := make([]int64, v.Batch)
	for i := range labels {
		labels[i] = int64(i * 7 % 10)
	}
	feeds := map[string]*tensor.Tensor{"input": scaled(99, 1.5, v.Batch, 1, 28, 28), task.LabelInput: tensor.From(labels, v.Batch)}
	for _, c := range v.Cases {
		t.Run(fmt.Sprint(c.Rule, c.Options), func(t *testing.T) {
			m, err := engine.Load(builtModel("lenet", models.Options{Seed: 3})(t), engine.WithThreads(1))
			if err != nil {
				t.Fatal(err)
			}
			for k, name := range names {
				p, err := m.Param(name)
				if err != nil {
					t.Fatal(err)
				}
				shape, scale := p.Value.Shape(), 0.05
				if len(shape) > 1 {
					scale = math.Sqrt(6 / float64(p.Value.Len()/shape[0]))
				}
				copy(p.Value.F32(), scaled(k, scale, shape...).F32())
			}
			m.Changed()
			what, err := task.OfModel(m, task.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var cfg optim.Config
			for k, s := range c.Options {
				if err := cfg.Set(k, s); err != nil {
					t.Fatal(err)
				}
			}
			o, err := optim.New(c.Rule, cfg)
			if err != nil {
				t.Fatal(err)
			}
			var losses []float64
			if o.Evaluation() != nil { // the loop evaluates the loss for it
				losses = descended(t, m, names, o, lenetBatch{feeds["input"], labels}, len(c.Losses)-1)
			} else {
				losses, _ = trained(t, m, what, names, o, stepCase{feeds: feeds, lr: c.LR}, len(c.Losses)-1)
			}
			for i, l := range losses {
				if math.Abs(l-c.Losses[i]) > 1e-4*max(1, c.Losses[i]) {
					t.Errorf("loss before step %d is %v, want %v", i+1, l, c.Losses[i])
				}
			}
			for _, name := range names {
				p, err := m.Param(name)
				if err != nil {
					t.Fatal(err)
				}
				for i, w := range c.Weights[name] {
					if got := float64(p.Value.F32()[i*v.Every]); math.Abs(got-w) > 1e-4*max(1, math.Abs(w)) {
						t.Errorf("%s[%d] is %v, want %v", name, i*v.Every, got, w)
					}
				}
			}
		})
	}
}

// lenetBatch is the batch as a data set.
type lenetBatch struct {
	x *tensor.Tensor
	y []int64
}

func (b lenetBatch) Len() int        { return len(b.y) }
func (b lenetBatch) ID(i int) string { return fmt.Sprint(i) }
func (b lenetBatch) Label(i int) int { return int(b.y[i]) }
func (b lenetBatch) Classes() []string {
	return []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}
}

func (b lenetBatch) Example(i int) (data.Example, error) {
	n := b.x.Len() / len(b.y)
	return data.Example{X: tensor.From(b.x.F32()[i*n:(i+1)*n], b.x.Shape()[1:]...), Label: int(b.y[i])}, nil
}

// descended are the losses before each of some steps over all of ds, and at the end.
func descended(t *testing.T, m *engine.Model, names []string, o *optim.Optimizer, ds data.Dataset, steps int) (losses []float64) {
	t.Helper()
	r, err := train.Fit(t.Context(), m, ds, train.Config{Params: names, Optimizer: o, Schedule: optim.Constant(1), Epochs: steps,
		BatchSize: -1,
		Val:       ds})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range r.History {
		losses = append(losses, e.TrainLoss)
	}
	return append(losses, r.After.Loss)
}
