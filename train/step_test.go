package train_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// stepCase is a model, what it is trained on and how.
type stepCase struct {
	name  string
	model func(t *testing.T) *onnx.Model
	task  task.Options
	feeds map[string]*tensor.Tensor
	rule  string
	c     optim.Config
	lr    float64
	bn    engine.BNMode
	full  bool // gradients agree within 1e-3, not 1e-5: a network in full size, of many more layers
}

// least is what the gradient want may be off by whatever else; see noise.
func (c stepCase) least(grads map[string][]float64, want []float64) float64 {
	if c.full {
		return max(noise(grads), 1e-3*largest(want))
	}
	return noise(grads)
}

func builtModel(name string, o models.Options) func(t *testing.T) *onnx.Model {
	return func(t *testing.T) *onnx.Model {
		m, err := models.New(name, o)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
}

// modern is a model of PyTorch's exporter, where the data are present.
func modern(name string) func(t *testing.T) *onnx.Model {
	return func(t *testing.T) *onnx.Model {
		m, err := onnx.ReadFile(filepath.Join("..", "..", "shared", "data", "modern", name, "model.onnx"))
		if err != nil {
			t.Skip("the model is not here: ", err)
		}
		return m
	}
}

// ids are n numbers of words.
func ids(n, from int, shape ...int) *tensor.Tensor {
	x := make([]int64, n)
	for i := range x {
		x[i] = int64(from + i*7%90)
	}
	return tensor.From(x, shape...)
}

// classes are n labels of k classes for each example.
func classes(k, examples, n int) *tensor.Tensor {
	x := make([]int64, examples*n)
	for i := range x {
		x[i] = int64(i / 5 % k)
	}
	return tensor.From(x, examples, n)
}

var stepCases = []stepCase{
	{
		name: "mlp, momentum", model: builtModel("mlp", models.Options{Seed: 3, Classes: 4}), rule: "sgd", lr: 0.05,
		c:     optim.Config{ClipNorm: new(0.5), WeightDecay: new(0.01), Options: optim.Values{"momentum": 0.9, "dampening": 0.1}},
		feeds: map[string]*tensor.Tensor{"input": testkit.RandN(1, 6, 1, 8, 8), "gtk.labels": tensor.From([]int64{0, 1, 2, 3, 1, 2}, 6)},
	},
	{
		name: "lenet, adam", model: builtModel("lenet", models.Options{Seed: 3}), rule: "adam", lr: 1e-3,
		feeds: map[string]*tensor.Tensor{"input": testkit.RandN(2, 4, 1, 28, 28), "gtk.labels": tensor.From([]int64{7, 1, 2, 3}, 4)},
	},
	{
		name: "resnet8, nesterov, frozen statistics", model: builtModel("resnet8", models.Options{Seed: 3, ImageSize: 16}), rule: "sgd", lr: 0.01,
		c:     optim.Config{WeightDecay: new(0.001), Options: optim.Values{"momentum": 0.8, "nesterov": true}},
		feeds: map[string]*tensor.Tensor{"input": testkit.RandN(4, 4, 3, 16, 16), "gtk.labels": tensor.From([]int64{7, 1, 2, 3}, 4)},
	},
	{
		name: "resnet8, diffgrad, statistics of the batch", model: builtModel("resnet8", models.Options{Seed: 3, ImageSize: 16}),
		rule: "diffgrad", lr: 1e-3, bn: engine.BNTrain, c: optim.Config{WeightDecay: new(0.01)},
		feeds: map[string]*tensor.Tensor{"input": testkit.RandN(5, 4, 3, 16, 16), "gtk.labels": tensor.From([]int64{7, 1, 2, 3}, 4)},
	},
	{
		name: "lstm, adamw", model: builtModel("lstm", models.Options{Seed: 3, Classes: 5}), rule: "adamw", lr: 1e-3,
		feeds: map[string]*tensor.Tensor{"input": testkit.RandN(6, 3, 7, 6), "gtk.labels": tensor.From([]int64{4, 0, 2}, 3)},
	},
	{
		name: "vit, adamw", model: builtModel("vit_tiny", models.Options{Seed: 3, Classes: 5, ImageSize: 16, Layers: 1}), rule: "adamw", lr: 1e-4,
		c:     optim.Config{WeightDecay: new(0.05), ClipNorm: new(1.0)},
		feeds: map[string]*tensor.Tensor{"input": testkit.RandN(7, 3, 3, 16, 16), "gtk.labels": tensor.From([]int64{4, 0, 2}, 3)},
	},
	{
		name: "bert, diffgrad", model: modern("bert"), rule: "diffgrad", lr: 1e-4,
		feeds: map[string]*tensor.Tensor{"input_ids": ids(24, 1, 2, 12), "attention_mask": tensor.From(slices.Repeat([]int64{1}, 24), 2, 12),
			"gtk.labels": tensor.From([]int64{4, 0}, 2)},
	},
	{
		name: "gpt2, adam", model: modern("gpt2"), rule: "adam", lr: 1e-4,
		feeds: map[string]*tensor.Tensor{"input_ids": ids(24, 1, 2, 12), "gtk.labels": ids(24, 5, 2, 12),
			"gtk.weight": tensor.From([]float32{1. / 24, 1. / 24}, 2)},
	},
	{
		name: "unet, momentum", model: modern("unet"), rule: "sgd", lr: 1e-2, c: optim.Config{Options: optim.Values{"momentum": 0.9}},
		task: task.Options{Kind: "dense"},
		feeds: map[string]*tensor.Tensor{"x": testkit.RandN(9, 2, 3, 32, 32), "gtk.labels": classes(4, 2, 1024),
			"gtk.weight": tensor.From([]float32{1. / 2048, 1. / 2048}, 2)},
	},
	{
		name: "bidirectional lstm, adam with decay", model: modern("lstm2"), rule: "adam", lr: 1e-3,
		c:     optim.Config{WeightDecay: new(0.01)},
		feeds: map[string]*tensor.Tensor{"x": testkit.RandN(8, 3, 9, 7), "gtk.labels": tensor.From([]int64{3, 0, 2}, 3)},
	},
}

// TestStepModel trains 20 steps with the written step, in the engine and in ONNX Runtime where that is installed, and with a session and
// an optimiser: the gradients of the first step and all losses are the same.
func TestStepModel(t *testing.T) {
	for _, c := range slices.Concat(stepCases, ruleCases(), torchNets(t)) {
		t.Run(c.name, func(t *testing.T) {
			const steps = 20
			om := c.model(t)
			m, err := engine.Load(om, engine.WithThreads(1))
			if err != nil {
				t.Fatal(err)
			}
			what, err := task.OfModel(m, c.task)
			if err != nil {
				t.Fatal(err)
			}
			o, err := optim.New(c.rule, c.c)
			if err != nil {
				t.Fatal(err)
			}
			names, err := train.Select(m, nil, false)
			if err != nil {
				t.Fatal(err)
			}
			step, err := train.StepModel(m, what, train.StepConfig{Params: names, Optimizer: o, Rule: c.rule, LR: c.lr, BN: c.bn})
			if err != nil {
				t.Fatal(err)
			}
			if err := step.Check(); err != nil {
				t.Fatal(err)
			}
			losses, grads := trained(t, m, what, names, o, c, steps)
			x, err := train.NewStepper(step, nil, engine.WithThreads(1))
			if err != nil {
				t.Fatal(err)
			}
			for i := range steps {
				r, err := x.Step(t.Context(), c.feeds)
				if err != nil {
					t.Fatal(err)
				}
				closeTo(t, "loss", r.Value(x.Info.Loss).Float64s(), losses[i:i+1], 0)
				for p, out := range x.Info.Grads {
					if i == 0 {
						closeTo(t, out, r.Value(out).Float64s(), grads[p], c.least(grads, grads[p]))
					}
				}
			}
			if len(x.Info.Grads) != len(grads) {
				t.Errorf("%d gradients, want %d", len(x.Info.Grads), len(grads))
			}
			for _, p := range names {
				v, err := m.Param(p)
				if err != nil {
					t.Fatal(err)
				}
				if w := x.State[p]; w != nil && largest(grads[p]) > 10*noise(grads) {
					if ok, rep := tensor.AllClose(w, v.Value, 1e-3, 1e-4); !ok {
						t.Errorf("%s after %d steps: %v", p, steps, rep)
					}
				}
			}
			inRuntime(t, step, c, losses, grads)
		})
	}
}

// ruleCases are all rules that can be written down and are not among stepCases, on lenet, with the options that change their form.
func ruleCases() []stepCase {
	own := map[string][]optim.Values{
		"adam": {{"amsgrad": true}}, "adagrad": {{"initial-sum": 0.1, "lr-decay": 0.1}}, "rmsprop": {{"centered": true, "momentum": 0.5}, {}},
		"radam": {{"beta2": 0.9}, {}}, "signsgd": {{"momentum": 0.9}},
	}
	var cs []stepCase
	for name, r := range optim.Rules() {
		if !r.Symbolic || slices.ContainsFunc(stepCases, func(c stepCase) bool { return c.rule == name }) && own[name] == nil {
			continue
		}
		all := own[name]
		if all == nil {
			all = []optim.Values{{}}
		}
		for _, o := range all {
			lr := 1e-3
			switch name {
			case "adadelta":
				lr = 0.1
			case "lion", "rmsprop": // where a gradient is no more than its error, these step by its sign
				lr = 1e-5
			}
			cs = append(cs, stepCase{
				name: fmt.Sprint("lenet, ", name, " ", o), model: builtModel("lenet", models.Options{Seed: 3}), rule: name, lr: lr,
				c:     optim.Config{WeightDecay: new(0.01), Options: o},
				feeds: map[string]*tensor.Tensor{"input": testkit.RandN(2, 4, 1, 28, 28), "gtk.labels": tensor.From([]int64{7, 1, 2, 3}, 4)},
			})
		}
	}
	return cs
}

// trained is what a session and an optimiser give: the loss of each step and the gradients of the first.
func trained(t *testing.T, m *engine.Model, what *task.Task, names []string, o *optim.Optimizer, c stepCase, steps int) ([]float64,
	map[string][]float64) {
	t.Helper()
	m.Thaw()
	loss := what.Mean()
	if what.Uneven() {
		loss = what.Total()
	}
	s, err := m.Session(engine.Query{Loss: loss, Grad: names, BN: c.bn})
	if err != nil {
		t.Fatal(err)
	}
	var losses []float64
	grads := map[string][]float64{}
	for i := range steps {
		r, err := s.Run(t.Context(), c.feeds)
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, r.Loss().Float64s()[0])
		var ps []*optim.Param
		for _, name := range names {
			p, err := m.Param(name)
			if err != nil {
				t.Fatal(err)
			}
			if g := r.Grad(name); g != nil {
				ps = append(ps, &optim.Param{Name: name, W: p.Value, G: g, Decay: true})
				if i == 0 {
					grads[name] = slices.Clone(g.Float64s())
				}
			}
		}
		if err := o.Step(nil, optim.Step{N: i + 1, LR: c.lr}, ps); err != nil {
			t.Fatal(err)
		}
	}
	return losses, grads
}

// largest is the largest size of a number.
func largest(x []float64) float64 {
	top := 0.0
	for _, v := range x {
		top = max(top, math.Abs(v))
	}
	return top
}

// noise is what a gradient may be off by whatever its size: where the true one is zero, as that of the bias of the keys of an attention,
// it is what rounding leaves of sums of numbers as large as those of others.
func noise(grads map[string][]float64) float64 {
	top := 0.0
	for _, g := range grads {
		top = max(top, largest(g))
	}
	return 1e-7 * top
}

// closeTo wants numbers within 1e-5 of the largest, or within least.
func closeTo(t *testing.T, what string, got, want []float64, least float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	off := 0.0
	for i, w := range want {
		off = max(off, math.Abs(got[i]-w))
	}
	if top := largest(want); !(off <= max(1e-5*top, least)) {
		t.Errorf("%s: off by %.3g of %.3g", what, off, top)
	}
}

// inRuntime compares with 20 steps in ONNX Runtime, whose Node package is in the folder GTK_PEERS (default: gtk-peers in the user's cache
// folder); without it nothing is compared, which the log says.
func inRuntime(t *testing.T, step *onnx.Model, c stepCase, losses []float64, grads map[string][]float64) {
	t.Helper()
	peers := os.Getenv("GTK_PEERS")
	if cache, err := os.UserCacheDir(); peers == "" && err == nil {
		peers = filepath.Join(cache, "gtk-peers")
	}
	node, err := exec.LookPath("node")
	if _, missing := os.Stat(filepath.Join(peers, "node_modules", "onnxruntime-node")); missing != nil || err != nil {
		t.Log("ONNX Runtime is not installed: not compared with it")
		return
	}
	type fed struct {
		Type string    `json:"type"`
		Dims []int     `json:"dims"`
		Data []float64 `json:"data"`
	}
	feeds := map[string]fed{}
	for name, x := range c.feeds {
		feeds[name] = fed{x.DType().String(), x.Shape(), x.Float64s()}
	}
	raw, err := json.Marshal(feeds)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "feeds.json"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	loop, initial, err := train.SplitInitial(step)
	if err != nil {
		t.Fatal(err)
	}
	file, first := filepath.Join(dir, "step.onnx"), filepath.Join(dir, "initial.onnx")
	if err := errors.Join(loop.WriteFile(file, onnx.WriteOptions{}), initial.WriteFile(first, onnx.WriteOptions{})); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "testdata/steps.cjs", peers, file, first, filepath.Join(dir, "feeds.json"), "20")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Losses []float64
		Grads  map[string][]float64
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for i := range losses {
		// A cross-entropy near zero is the difference of numbers of some units, which float32 knows to 5e-7.
		closeTo(t, "loss in ONNX Runtime", got.Losses[i:i+1], losses[i:i+1], 2e-7)
	}
	for p, want := range grads {
		closeTo(t, "gradient in ONNX Runtime of "+p, got.Grads["grad:"+p], want, c.least(grads, want))
	}
}

// TestStepModelRefuses names the operator whose gradient has no form in ONNX's operators, and models whose names are in the way.
func TestStepModelRefuses(t *testing.T) {
	step := func(g *onnxpb.GraphProto) error {
		g.Output = append(g.Output, onnx.ValueInfo("y", tensor.Float32, "N", 4))
		m, err := engine.Load(onnx.NewModel(g, 17), engine.WithThreads(1))
		if err != nil {
			t.Fatal(err)
		}
		what, err := task.OfModel(m, task.Options{})
		if err != nil {
			t.Fatal(err)
		}
		o, err := optim.New("adam", optim.Config{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = train.StepModel(m, what, train.StepConfig{Optimizer: o, Rule: "adam", LR: 1})
		return err
	}
	err := step(&onnxpb.GraphProto{
		Name:  new("g"),
		Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, "N", 1, 2, 2)},
		Initializer: []*onnxpb.TensorProto{onnx.TensorToProto("w", testkit.RandN(1, 1, 4, 2, 2)),
			onnx.TensorToProto("u", testkit.RandN(1, 4, 4, 1, 1)), onnx.TensorToProto("v", testkit.RandN(1, 64, 4))},
		Node: []*onnxpb.NodeProto{
			onnx.NewNode("ConvTranspose", "up", []string{"x", "w"}, []string{"z"}, onnx.AttrInts("strides", 2, 2), onnx.AttrInts("output_shape",
				4, 4)),
			onnx.NewNode("Relu", "", []string{"z"}, []string{"r"}),
			onnx.NewNode("ConvTranspose", "again", []string{"r", "u"}, []string{"q"}, onnx.AttrInts("output_shape", 4, 4)),
			onnx.NewNode("Flatten", "", []string{"q"}, []string{"f"}),
			onnx.NewNode("MatMul", "", []string{"f", "v"}, []string{"y"}),
		},
	})
	var unsupported *engine.UnsupportedError
	if !errors.As(err, &unsupported) || unsupported.Missing[0].Node != "again" {
		t.Errorf("error %v, want the ConvTranspose by name", err)
	}
	err = step(&onnxpb.GraphProto{
		Name:        new("g"),
		Input:       []*onnxpb.ValueInfoProto{onnx.ValueInfo("loss", tensor.Float32, "N", 3)},
		Initializer: []*onnxpb.TensorProto{onnx.TensorToProto("v", testkit.RandN(1, 3, 4))},
		Node:        []*onnxpb.NodeProto{onnx.NewNode("MatMul", "", []string{"loss", "v"}, []string{"y"})},
	})
	if err == nil || !strings.Contains(err.Error(), `input "loss"`) {
		t.Errorf("error %v for an input of the name of an output", err)
	}
	// Names of its own for what a step takes and gives are no hindrance.
	err = step(&onnxpb.GraphProto{
		Name:        new("g"),
		Input:       []*onnxpb.ValueInfoProto{onnx.ValueInfo("lr", tensor.Float32, "N", 3)},
		Initializer: []*onnxpb.TensorProto{onnx.TensorToProto("step", testkit.RandN(1, 3, 4))},
		Node: []*onnxpb.NodeProto{
			onnx.NewNode("MatMul", "", []string{"lr", "step"}, []string{"loss"}),
			onnx.NewNode("Relu", "", []string{"loss"}, []string{"y"}),
		},
	})
	if err != nil {
		t.Error(err)
	}
}
