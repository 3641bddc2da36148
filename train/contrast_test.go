package train

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// contrastive is an encoder of digits with a projection, and the configuration of its training.
func contrastive(t *testing.T, objective string, global, local int) (*engine.Model, data.Dataset, Config) {
	t.Helper()
	ctx := context.Background()
	tr := open(t, "digits#train")
	pre := data.Suggested(tr)
	from := load(t, built(t, "mlp", models.Options{Seed: 1}))
	plan, err := feed.For(from, tr, feed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	x, err := FindFeatures(from.File(), "")
	if err != nil {
		t.Fatal(err)
	}
	shape, d, err := x.Form(ctx, plan, tr, &pre)
	if err != nil {
		t.Fatal(err)
	}
	enc, features, err := x.Encoder(shape, d)
	if err != nil {
		t.Fatal(err)
	}
	file, projection, err := Projection{Layers: 2, Width: 16, Norm: true, Seed: 3}.Add(enc, features, shape[1], d)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Check(); err != nil {
		t.Fatal(err)
	}
	m := load(t, file)
	if plan, err = plan.With(m); err != nil {
		t.Fatal(err)
	}
	name, o, err := task.NewObjective(objective)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		Task: task.ForObjective(o, name, task.Views{N: global + local, Global: global}, features, projection, true), Feed: plan,
		Epochs: 2, BatchSize: 64, Optimizer: rule(t, "adam", optim.Config{}), Schedule: optim.Cosine{Max: 0.003}, BN: engine.BNTrain,
		Preprocess: &pre, Shuffle: true, Val: open(t, "digits#test"), Seed: 5, Contrast: &Contrast{Neighbours: 5},
	}
	for range global {
		c.Contrast.Views = append(c.Contrast.Views, augmented(t, "affine:degrees=10:translate=0.1:low=0.9:high=1.1"))
	}
	for range local {
		c.Contrast.Views = append(c.Contrast.Views, augmented(t, "resized=0.3:0.6"))
	}
	return m, tr, c
}

func TestContrastLearns(t *testing.T) {
	for _, objective := range []string{"groco:steepness=5", "nt-xent"} {
		m, tr, c := contrastive(t, objective, 2, 1)
		r, err := Fit(context.Background(), m, tr, c)
		if err != nil {
			t.Fatal(err)
		}
		if want := 2 * (tr.Len() / 64); r.Steps != want || r.History[1].Examples != want*64 {
			t.Errorf("%d steps, %d examples; want %d steps of 64", r.Steps, r.History[1].Examples, want)
		}
		was, is := r.Before.Metric("knn"), r.After.Metric("knn")
		if !(is > was) || !(r.After.Loss < r.Before.Loss) || r.Best == nil || r.Best.Metric != "knn" {
			t.Errorf("%s: knn %.3f → %.3f, loss %.4f → %.4f", objective, was, is, r.Before.Loss, r.After.Loss)
		}
		if a := r.After.Metric("linear_probe"); !(a > 0.8 && a <= 1) || len(r.After.PerClass) != 10 {
			t.Errorf("%s: linear probe %.3f, %d classes", objective, a, len(r.After.PerClass))
		}
		t.Logf("%s: knn %.3f → %.3f, linear %.3f → %.3f", objective, was, is, r.Before.Metric("linear_probe"), r.After.Metric("linear_probe"))
	}
}

// A run that stops in the middle of an epoch ends with the very weights of one that does not.
func TestContrastResumes(t *testing.T) {
	whole, tr, c := contrastive(t, "groco", 2, 2)
	if _, err := Fit(context.Background(), whole, tr, c); err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	m, _, c := contrastive(t, "groco", 2, 2)
	var kept *Checkpoint
	path := t.TempDir() + "/k.npz"
	c.SaveEvery = 7
	c.Save = func(k *Checkpoint) error {
		if k.Step > 14 {
			return stop
		}
		return k.Write(path)
	}
	if _, err := Fit(context.Background(), m, tr, c); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	kept, err := ReadCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	m, _, c = contrastive(t, "groco", 2, 2)
	c.Resume = kept
	r, err := Fit(context.Background(), m, tr, c)
	if err != nil {
		t.Fatal(err)
	}
	if r.Resumed != 14 {
		t.Errorf("resumed at step %d", r.Resumed)
	}
	for p := range whole.Params() {
		if !tensor.Equal(p.Value, param(t, m, p.Name)) {
			t.Errorf("%s differs after the resume", p.Name)
		}
	}
	m, _, c = contrastive(t, "nt-xent", 2, 2)
	c.Resume = kept
	var refused *ResumeError
	if _, err := Fit(context.Background(), m, tr, c); !errors.As(err, &refused) {
		t.Errorf("another objective resumes: %v", err)
	}
}

func TestContrastRefuses(t *testing.T) {
	for name, change := range map[string]func(c *Config){
		"it needs at least 11":        func(c *Config) { c.BatchSize = 8 },
		"are the same":                func(c *Config) { c.Contrast.Views = make([]data.Augment, 2) },
		"2 views, and 1 are given":    func(c *Config) { c.Contrast.Views = c.Contrast.Views[:1] },
		"needs views":                 func(c *Config) { c.Contrast = nil },
		"mixes examples":              func(c *Config) { c.Contrast.Views[1], _ = data.ParseAugment("mixup") },
		"the examples are pictures":   func(c *Config) { c.Contrast.Views[1], _ = data.ParseAugment("slice") },
		"views are for a contrastive": func(c *Config) { c.Task = nil },
	} {
		m, tr, c := contrastive(t, "groco", 2, 0)
		change(&c)
		if c.Task == nil {
			m, _, _, _ = digits(t)
			c.Feed = nil
		}
		if _, err := Fit(context.Background(), m, tr, c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestFindFeatures(t *testing.T) {
	weight := func(shape ...int) *tensor.Tensor { return tensor.New(tensor.Float32, shape...) }
	conv := graphModel([]any{"N", 3, 8, 8}, []any{"N", 4, 8, 8}, []*onnxpb.NodeProto{
		onnx.NewNode("Conv", "c", []string{"x", "w"}, []string{"y"}, onnx.AttrInts("pads", 1, 1, 1, 1))},
		map[string]*tensor.Tensor{"w": weight(4, 3, 3, 3)})
	if _, err := FindFeatures(conv, ""); err == nil || !strings.Contains(err.Error(), `--features "x" or --features "y"`) {
		t.Errorf("a convolution is taken for a last layer: %v", err)
	}
	if x, err := FindFeatures(conv, "y"); err != nil || x.Value != "y" {
		t.Errorf("%v %v", x, err)
	}
	if _, err := FindFeatures(conv, "nothing"); err == nil {
		t.Error("a value that is not there is taken")
	}
	// Features with positions are averaged over them; what they do not need is left out.
	x, _ := FindFeatures(conv, "y")
	enc, out, err := x.Encoder(tensor.Shape{2, 4, 8, 8}, tensor.Float32)
	if err != nil || out != "features" {
		t.Fatal(out, err)
	}
	if err := enc.Check(); err != nil {
		t.Fatal(err)
	}
	if again, err := FindFeatures(enc, ""); err != nil || again.Value != "features" {
		t.Errorf("an encoder has the features %v %v", again, err)
	}
	r, err := load(t, enc).Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	res, err := r.Run(context.Background(), map[string]*tensor.Tensor{"x": weight(5, 3, 8, 8)})
	if err != nil || !res.Value("features").Shape().Equal(tensor.Shape{5, 4}) {
		t.Errorf("%v %v", res, err)
	}
	tokens := graphModel([]any{"N", 6, 3}, []any{"N", 6, 5}, []*onnxpb.NodeProto{
		onnx.NewNode("MatMul", "m", []string{"x", "w"}, []string{"h"}), onnx.NewNode("Relu", "", []string{"h"}, []string{"r"}),
		onnx.NewNode("MatMul", "n", []string{"r", "v"}, []string{"y"})},
		map[string]*tensor.Tensor{"w": weight(3, 4), "v": weight(4, 5)})
	x, err = FindFeatures(tokens, "")
	if err != nil || x.Value != "r" {
		t.Fatal(x, err)
	}
	if enc, _, err = x.Encoder(tensor.Shape{2, 6, 4}, tensor.Float32); err != nil {
		t.Fatal(err)
	}
	if enc.Initializer("v") != nil || len(enc.Proto.GetGraph().GetNode()) != 5 {
		t.Errorf("the encoder keeps the last layer: %v", enc.Proto.GetGraph().GetNode())
	}
}

// The probe separates what is separable, and neighbours vote by their cosines.
func TestProbes(t *testing.T) {
	tab := func(n int) *table {
		v := &table{x: tensor.New(tensor.Float32, n, 3)}
		for i := range n {
			y := i % 3
			for j := range 3 {
				v.x.F32()[3*i+j] = float32(math.Sin(float64(7*i+j)) * 0.4)
			}
			v.x.F32()[3*i+y] += 1
			v.labels, v.index = append(v.labels, y), append(v.index, i)
		}
		return v
	}
	a, err := linearProbe(context.Background(), tab(90), tab(30), 1)
	if err != nil || a != 1 {
		t.Errorf("linear probe %v %v", a, err)
	}
	if y := elect([]float32{0.9, 0.95, 0.2, 0.94}, []int{0, 1, 2, 0}, 3, 3); y != 0 {
		t.Errorf("two near votes of class 0 lose to one of class %d", y)
	}
	if y := elect([]float32{0.5, 0.95, 0.2, 0.5}, []int{0, 1, 2, 0}, 3, 3); y != 1 {
		t.Errorf("two far votes win: %d", y)
	}
	if y := elect([]float32{0.5, 0.5, 0.5}, []int{2, 1, 1}, 3, 1); y != 2 {
		t.Errorf("of equally near rows the first does not vote: %d", y)
	}
}
