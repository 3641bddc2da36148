package job_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// tuned is what a training of the digits gives, changed by change.
func tuned(t *testing.T, change func(*job.FinetuneConfig)) (*job.FinetuneReport, error) {
	t.Helper()
	c := job.FinetuneConfig{Model: "builtin:mlp", Data: "digits#train", Out: filepath.Join(t.TempDir(), "run"), Epochs: 2}
	change(&c)
	return job.Finetune(context.Background(), c, nil)
}

func TestRunFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "run")
	r, err := tuned(t, func(c *job.FinetuneConfig) {
		c.Out, c.ValSplit, c.Replay, c.Epochs, c.Optimizer = dir, 0.25, []byte("command: finetune\n"), 3, "diffgrad"
	})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"best.onnx", "checkpoint.npz", "events.out.tfevents.gtk", "metrics.csv", "metrics.jsonl", "model.onnx", "report.html",
		"run.json", "run.yaml", "steps.csv", "val-ids.txt"}; !slices.Equal(names, want) {
		t.Errorf("the folder has %v, want %v", names, want)
	}
	f, err := os.Open(filepath.Join(dir, "metrics.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != 4 || rows[3][0] != "3" || !slices.Contains(rows[0], "val_accuracy") ||
		!slices.Contains(rows[0], "diffgrad.xi") || !slices.Contains(rows[0], "lr") {
		t.Errorf("metrics.csv: %v, error %v", rows, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	var q job.EpochQuality
	if err := json.Unmarshal([]byte(lines[2]), &q); err != nil || len(lines) != 3 || q.Epoch != 3 || q.TrainLoss != r.TrainLoss ||
		q.Val.Loss != r.History[2].Val.Loss {
		t.Errorf("metrics.jsonl: %s, error %v", b, err)
	}
	ds, err := data.Open("keep:"+filepath.Join(dir, "val-ids.txt")+"@digits#train", data.Options{})
	if err != nil || ds.Len() != r.After.N {
		t.Errorf("the ids of the split are %v, error %v; %d were measured on", ds, err, r.After.N)
	}
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Loss by epoch", "Accuracy by epoch", "Loss by step", `class="matrix"`, "Learning rate",
		"<dt>optimizer</dt><dd>diffgrad</dd>", "10 scores for each example"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	// The best epoch is what best.onnx gives.
	e, err := job.Evaluate(context.Background(), job.EvaluateConfig{Model: r.Best.Path,
		Data: "keep:" + filepath.Join(dir, "val-ids.txt") + "@digits#train"}, nil)
	if err != nil || e.Accuracy != r.Best.Value || math.Abs(float64(e.Loss-r.Best.Loss)) > 1e-6 {
		t.Errorf("the best epoch read back: %+v, error %v; want %+v", e, err, r.Best)
	}
}

// What a run that died at once has left is in nobody's way; what a run has made, and files of other people, are.
func TestLeftOver(t *testing.T) {
	replay := []byte("args: [m]\ncommand: finetune\n")
	for name, c := range map[string]struct {
		there map[string]string
		says  string
	}{
		"a dead run":     {map[string]string{"run.yaml": string(replay), "val-ids.txt": "x"}, ""},
		"a checkpoint":   {map[string]string{"run.yaml": string(replay), "checkpoint.npz": ""}, "--resume"},
		"a model":        {map[string]string{"run.yaml": string(replay), "model.onnx": ""}, "model.onnx exists"},
		"the best epoch": {map[string]string{"best.onnx": ""}, "best.onnx exists"},
		"not ours":       {map[string]string{"report.html": "mine"}, "report.html exists"},
		"other work":     {map[string]string{"run.yaml": "args: [m]\ncommand: explain\n"}, "run.yaml exists"},
	} {
		dir := t.TempDir()
		for n, text := range c.there {
			if err := os.WriteFile(filepath.Join(dir, n), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		_, err := tuned(t, func(x *job.FinetuneConfig) { x.Out, x.ValSplit, x.MaxSteps, x.Replay = dir, 0.2, 1, replay })
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
		if _, err := tuned(t, func(x *job.FinetuneConfig) { x.Out, x.ValSplit, x.MaxSteps, x.Force = dir, 0.2, 1, true }); err != nil {
			t.Errorf("%s, forced: %v", name, err)
		}
	}
	dir := t.TempDir()
	model := filepath.Join(dir, "m.onnx")
	if err := linear(t, tensor.Float32, 4, 2).WriteFile(model, onnx.WriteOptions{ExternalData: true, Threshold: 1}); err != nil {
		t.Fatal(err)
	}
	y := tensor.From([]int64{0, 1, 0, 1}, 4)
	set := "npz:" + table(t, noise(4, 4), y)
	out := filepath.Join(dir, "o.onnx")
	if err := os.WriteFile(out+".data", []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, err := job.Finetune(context.Background(), job.FinetuneConfig{Model: model, Data: set, Out: out, Epochs: 1 << 30}, nil)
	if job.KindOf(err) != job.KindUsage || !strings.Contains(err.Error(), "o.onnx.data exists") {
		t.Errorf("weights of another model are there: %v", err)
	}
}

// A resume with other flags is refused by the name of each, whatever the flag.
func TestResumeFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.npz")
	same := func(c *job.FinetuneConfig) { c.Checkpoint, c.MaxSteps, c.ValSplit = file, 20, 0.2 }
	if _, err := tuned(t, same); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*job.FinetuneConfig){
		"--lr was 0.001, is 0.002":                   func(c *job.FinetuneConfig) { c.LR = 0.002 },
		"--batch-size was 32, is 16":                 func(c *job.FinetuneConfig) { c.BatchSize = 16 },
		"--optimizer was adam, is sgd":               func(c *job.FinetuneConfig) { c.Optimizer = "sgd" },
		"--seed was 0, is 1":                         func(c *job.FinetuneConfig) { c.Seed = 1 },
		"--schedule was cosine, is constant":         func(c *job.FinetuneConfig) { c.Schedule = "constant" },
		"--warmup was 0, is 3":                       func(c *job.FinetuneConfig) { c.Warmup = "3" },
		"--epochs was 2, is 3":                       func(c *job.FinetuneConfig) { c.Epochs = 3 },
		"--max-steps was 20, is 30":                  func(c *job.FinetuneConfig) { c.MaxSteps = 30 },
		"--data was 1154 examples, is 285":           func(c *job.FinetuneConfig) { c.Data = "digits#test" },
		"--val was 288 examples, is 355":             func(c *job.FinetuneConfig) { c.ValSplit, c.Val = 0, "digits#test" },
		"--loss was cross-entropy, is focal":         func(c *job.FinetuneConfig) { c.Loss = "focal" },
		"--bn was frozen, is train":                  func(c *job.FinetuneConfig) { c.BN = "train" },
		"--beta1 was not given, is 0.8":              func(c *job.FinetuneConfig) { c.Rule = map[string]string{"beta1": "0.8"} },
		"--weight-decay was not given, is 0.1":       func(c *job.FinetuneConfig) { c.Rule = map[string]string{"weight-decay": "0.1"} },
		"--freeze was not given, is fc1*":            func(c *job.FinetuneConfig) { c.Freeze = []string{"fc1*"} },
		"--last-layer was false, is true":            func(c *job.FinetuneConfig) { c.LastLayer = true },
		"--dropout was false, is true":               func(c *job.FinetuneConfig) { c.Dropout = true },
		"--shuffle was true, is false":               func(c *job.FinetuneConfig) { c.KeepOrder = true },
		"--augment was":                              func(c *job.FinetuneConfig) { c.Augment = "crop=1" },
		"--num-classes was not given, is 12":         func(c *job.FinetuneConfig) { c.NumClasses = "12" },
		"model was 6 nodes (content":                 func(c *job.FinetuneConfig) { c.Model = "builtin:digits" },
		"--patience was 0, is 2":                     func(c *job.FinetuneConfig) { c.Patience = 2 },
		"--loss was cross-entropy, is cross-entropy": func(c *job.FinetuneConfig) { c.LabelSmoothing = 0.1 },
	} {
		_, err := tuned(t, func(c *job.FinetuneConfig) {
			same(c)
			c.Resume = file
			change(c)
		})
		var usage *job.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--resume-anyway") {
			t.Errorf("want a UsageError with %q, got %v", want, err)
		}
	}
	r, err := tuned(t, func(c *job.FinetuneConfig) { same(c); c.Resume = file; c.Threads = 1 })
	if err != nil || r.Resumed != 20 || r.Steps != 20 || len(r.History) != 1 || r.Before == nil || r.Before.Loss == r.After.Loss {
		t.Errorf("the same flags: %+v, error %v", r, err)
	}
}

// A training that diverges leaves no model; what was good before is named, and the best epoch is written.
func TestDivergedJob(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(dir, "m.onnx")
	if err := linear(t, tensor.Float32, 4, 1).WriteFile(model, onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	x := noise(160, 4)
	y := tensor.New(tensor.Float32, 160, 1)
	for i := range y.F32() {
		y.F32()[i] = 2*x.F32()[4*i] - 1
	}
	set := "npz:" + table(t, x, y)
	dir = filepath.Join(dir, "run")
	// The rate grows from step to step until the weights explode.
	r, err := job.Finetune(context.Background(), job.FinetuneConfig{
		Model: model, Data: set, ValSplit: 0.2, Out: dir, Epochs: 200,
		TrainOptions: job.TrainOptions{Optimizer: "sgd", LR: 50, Schedule: "constant", Warmup: "800"},
	}, nil)
	if r != nil || err == nil || job.KindOf(err) != job.KindInput {
		t.Fatalf("%v (%v)", err, job.KindOf(err))
	}
	for _, want := range []string{"diverged", "step ", "lower the learning rate", filepath.Join(dir, "checkpoint.npz"),
		filepath.Join(dir, "best.onnx")} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "model.onnx")); err == nil {
		t.Error("a model was written")
	}
	if e, err := job.Evaluate(context.Background(), job.EvaluateConfig{Model: filepath.Join(dir, "best.onnx"), Data: set},
		nil); err != nil || !(float64(e.Loss) < 0.1) {
		t.Errorf("the best epoch: %+v, error %v", e, err)
	}
}

// linear is y = x·w + b with random weights, its types being d.
func linear(t *testing.T, d tensor.DType, in, out int) *onnx.Model {
	t.Helper()
	w := tensor.New(tensor.Float32, in, out)
	for i := range w.F32() {
		w.F32()[i] = float32(math.Sin(float64(3 * i)))
	}
	name := "linear"
	g := &onnxpb.GraphProto{
		Name: &name, Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", d, "N", in)},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", d, "N", out)},
		Node:   []*onnxpb.NodeProto{onnx.NewNode("Gemm", "fc", []string{"x", "w", "b"}, []string{"y"})},
	}
	for n, v := range map[string]*tensor.Tensor{"w": w, "b": tensor.New(tensor.Float32, out)} {
		c, err := v.Convert(d)
		if err != nil {
			t.Fatal(err)
		}
		g.Initializer = append(g.Initializer, onnx.TensorToProto(n, c))
	}
	return onnx.NewModel(g, 13)
}

// table writes x and y as .npz and returns its path.
func table(t *testing.T, x, y *tensor.Tensor) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "d.npz")
	if err := job.WriteFile(path, func(f io.Writer) error {
		return tensor.WriteNPZ(f, []tensor.Named{{Name: "x", Tensor: x}, {Name: "y", Tensor: y}})
	}); err != nil {
		t.Fatal(err)
	}
	return path
}

// noise is n×k numbers that look random.
func noise(n, k int) *tensor.Tensor {
	x := tensor.New(tensor.Float32, n, k)
	for i := range x.F32() {
		x.F32()[i] = float32(math.Mod(float64(i)*0.7548776662466927, 1)*2 - 1 + math.Mod(float64(i)*0.5698402909980532, 0.5))
	}
	return x
}

// What was trained in 32 bits and is stored in 16 is measured and compared as it is stored, with weights in the file and beside it.
func TestStoragePrecision(t *testing.T) {
	x := noise(120, 8)
	y := tensor.New(tensor.Int64, 120)
	for i := range y.I64() {
		if x.F32()[8*i] > 0.2 {
			y.I64()[i] = 1
		}
	}
	set := "npz:" + table(t, x, y)
	for _, d := range []tensor.DType{tensor.Float32, tensor.Float16, tensor.BFloat16} {
		for _, external := range []bool{false, true} {
			t.Run(fmt.Sprint(d, external), func(t *testing.T) {
				dir := t.TempDir()
				model := filepath.Join(dir, "m.onnx")
				if err := linear(t, d, 8, 2).WriteFile(model, onnx.WriteOptions{ExternalData: external, Threshold: 1}); err != nil {
					t.Fatal(err)
				}
				for _, best := range []bool{false, true} {
					r, err := job.Finetune(context.Background(), job.FinetuneConfig{
						Model: model, Data: set, Val: set, Epochs: 4, Out: filepath.Join(dir, fmt.Sprint(best), "out.onnx"), Best: best,
						TrainOptions: job.TrainOptions{LR: 0.05},
					}, nil)
					if err != nil || !r.Verify.Pass {
						t.Fatalf("%v", err)
					}
					if _, err := os.Stat(r.Out + ".data"); external != (err == nil) {
						t.Errorf("weights beside the model: %v", err)
					}
					for path, want := range map[string]job.Number{r.Out: r.After.Loss, r.Best.Path: r.Best.Loss} {
						e, err := job.Evaluate(context.Background(), job.EvaluateConfig{Model: path, Data: set}, nil)
						if err != nil || e.Loss != want {
							t.Errorf("%s: loss %v, error %v; reported was %v", filepath.Base(path), e, err, want)
						}
					}
				}
			})
		}
	}
}

// The model that is trained on standardised targets gives values in the unit of the targets, to any runtime.
func TestStandardiseTargets(t *testing.T) {
	x := noise(200, 3)
	y := tensor.New(tensor.Float32, 200, 2)
	for i := range 200 {
		a, b, c := x.F32()[3*i], x.F32()[3*i+1], x.F32()[3*i+2]
		y.F32()[2*i], y.F32()[2*i+1] = 5000+300*a-100*b, 0.01*c-3
	}
	set := "npz:" + table(t, x, y)
	for _, d := range []tensor.DType{tensor.Float32, tensor.Float64} {
		dir := t.TempDir()
		model := filepath.Join(dir, "m.onnx")
		if err := linear(t, d, 3, 2).WriteFile(model, onnx.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		r, err := job.Finetune(context.Background(), job.FinetuneConfig{
			Model: model, Data: set, ValSplit: 0.2, Epochs: 80, Out: filepath.Join(dir, "run"), StandardiseTargets: true,
			TrainOptions: job.TrainOptions{LR: 0.1},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if rmse := float64(r.After.Metrics["rmse"]); rmse > 1 || float64(r.Before.Metrics["rmse"]) < 100 || float64(r.After.Loss) > 1e-4 {
			t.Errorf("%v: rmse %v, loss %v; before %v", d, rmse, r.After.Loss, r.Before.Metrics)
		}
		e, err := job.Evaluate(context.Background(), job.EvaluateConfig{Model: r.Out, Data: set}, nil)
		if err != nil || !(float64(e.Metrics["rmse"]) < 1) {
			t.Errorf("%v: the model that was written: %+v, error %v", d, e, err)
		}
		again := job.FinetuneConfig{Model: r.Out, Data: set, Out: filepath.Join(dir, "again"), StandardiseTargets: true}
		if _, err := job.Finetune(context.Background(), again, nil); err == nil || !strings.Contains(err.Error(), "already") {
			t.Errorf("%v: twice: %v", d, err)
		}
		m, err := job.OpenModel(r.Out, job.ModelOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := m.Session(engine.Query{})
		if err != nil {
			t.Fatal(err)
		}
		in, err := x.Convert(d)
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.Run(context.Background(), map[string]*tensor.Tensor{"x": in})
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range res.Value("y").Float64s() {
			if math.Abs(v-y.Float64s()[i]) > 0.01*math.Abs(y.Float64s()[i]) {
				t.Fatalf("%v: y[%d] = %v, want about %v", d, i, v, y.Float64s()[i])
			}
		}
	}
	if _, err := tuned(t, func(c *job.FinetuneConfig) { c.StandardiseTargets = true }); err == nil ||
		!strings.Contains(err.Error(), "--standardise-targets") {
		t.Errorf("classes: %v", err)
	}
}

// What is not a number is null.
func TestReportJSON(t *testing.T) {
	nan := job.Number(math.NaN())
	b, err := json.Marshal(job.FinetuneReport{
		TrainLoss: nan, History: []job.EpochQuality{{TrainLoss: job.Number(math.Inf(1)), TrainAccuracy: nan, LR: nan,
			Measures: map[string]job.Number{"a": nan}}},
		Before: &job.Quality{Loss: nan, Metrics: job.Metrics{"r2": nan}}, Best: &job.BestEpoch{Value: nan},
		Verify: &job.ReadBack{MaxAbs: job.Number(math.Inf(1))},
	})
	if err != nil || strings.Count(string(b), "null") < 9 {
		t.Errorf("%s, error %v", b, err)
	}
}

// With an average, the weights of the last step are there too: those of a run without, as an average changes no step.
func TestUnaveraged(t *testing.T) {
	dir := t.TempDir()
	train := func(name, ema string) {
		if _, err := tuned(t, func(c *job.FinetuneConfig) {
			c.Out, c.ValSplit, c.Rule = filepath.Join(dir, name), 0.25, map[string]string{"ema": ema}
		}); err != nil {
			t.Fatal(err)
		}
	}
	train("with", "0.9")
	train("without", "0")
	file := func(run, name string) string {
		b, err := os.ReadFile(filepath.Join(dir, run, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if file("with", "last.onnx") != file("without", "model.onnx") {
		t.Error("the weights of the last step are others than without an average")
	}
	if file("with", "last.onnx") == file("with", "model.onnx") {
		t.Error("the average is the last step")
	}
	if _, err := os.Stat(filepath.Join(dir, "without", "last.onnx")); err == nil {
		t.Error("there is a last.onnx without an average")
	}
}
