package task_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// torchLoss is a loss of PyTorch 1.13 in float64 with its gradient by the logits; testdata/gen/torch_losses.py.
type torchLoss struct {
	Name, Kind, Loss string
	Z, Y, Grad       []float64
	Shape, YShape    []int
	Value            float64
}

func TestLossesEqualPyTorch(t *testing.T) {
	b, err := os.ReadFile("testdata/losses.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []torchLoss
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 20 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, l := range task.Losses().Entries() {
		if !slices.ContainsFunc(cases, func(c torchLoss) bool { return c.Loss == l.Name || strings.HasPrefix(c.Loss, l.Name+":") }) {
			t.Errorf("loss %s has no case", l.Name)
		}
	}
	for _, c := range cases {
		for _, d := range []tensor.DType{tensor.Float64, tensor.Float32} {
			t.Run(c.Name+"/"+d.String(), func(t *testing.T) { c.check(t, d) })
		}
	}
}

func (c torchLoss) check(t *testing.T, d tensor.DType) {
	z, err := tensor.From(c.Z, c.Shape...).Convert(d)
	if err != nil {
		t.Fatal(err)
	}
	s, kind := set{x: z}, c.Kind
	switch c.Kind {
	case "classes", "binary":
		for _, y := range c.Y {
			s.labels = append(s.labels, int(y))
		}
		kind = "classification"
	case "dense", "multilabel":
		if s.y, err = tensor.From(c.Y, c.YShape...).Convert(tensor.Int64); err != nil {
			t.Fatal(err)
		}
	case "soft":
		s.y, kind = tensor.From(c.Y, c.YShape...), "multiclass"
	default:
		s.y = tensor.From(c.Y, c.YShape...)
	}
	dims := []any{"N"}
	for _, k := range c.Shape[1:] {
		dims = append(dims, k)
	}
	m := net(t, d, dims, out{name: "y", dims: dims})
	what, plan, err := of(t, m, s, task.Options{Kind: kind, Loss: c.Loss})
	if err != nil {
		t.Fatal(err)
	}
	tol := 1e-12
	if d == tensor.Float32 {
		tol = 1e-5
	}
	session, err := m.Session(engine.Query{Loss: what.Total(), Grad: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	for b, err := range data.Batches(context.Background(), s, data.Sequential(s.Len()), 0, data.BatchOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		truth, err := what.Truth(b)
		if err != nil {
			t.Fatal(err)
		}
		err = plan.Run(context.Background(), session, b, truth.Rows(truth.Mean()), func(p feed.Part) error {
			if got := p.Loss().Float64s()[0]; math.Abs(got-c.Value) > tol*max(1, math.Abs(c.Value)) {
				t.Errorf("loss %.12g, PyTorch gives %.12g", got, c.Value)
			}
			for i, g := range p.Grad("x").Float64s() {
				if math.Abs(g-c.Grad[i]) > tol {
					t.Fatalf("gradient[%d] is %.9g, PyTorch gives %.9g", i, g, c.Grad[i])
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestLossErrors(t *testing.T) {
	x := tensor.New(tensor.Float32, 4, 3)
	classes := set{x: x, labels: []int{0, 1, 2, 0}}
	m := net(t, tensor.Float32, []any{"N", 3}, out{name: "y", dims: []any{"N", 3}})
	for _, spec := range []string{
		"cross-entropi", "cross-entropy:smooth=1", "cross-entropy:smoothing=1", "cross-entropy:weights=1,2",
		"cross-entropy:weights=a,b,c", "kl", "bce:positive=0", "huber:delta=-1",
		"focal:gamma=-1", "cross-entropy:smoothing",
	} {
		if _, _, err := of(t, m, classes, task.Options{Loss: spec}); err == nil {
			t.Errorf("loss %s is taken", spec)
		}
	}
	real := set{x: x, y: tensor.From([]float32{-1, 2.5, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3}, 4, 3)}
	for _, spec := range []string{"cross-entropy", "bce", "focal"} {
		if _, _, err := of(t, m, real, task.Options{Loss: spec}); err == nil {
			t.Errorf("loss %s is taken for a regression", spec)
		}
	}
	// Weights by the frequency of classes: scikit-learn's compute_class_weight("balanced", …, [0,0,1,2]) is [2/3, 4/3, 4/3].
	k, _, err := of(t, m, classes, task.Options{Loss: "cross-entropy:weights=balanced"})
	if err != nil {
		t.Fatal(err)
	}
	if w := k.Loss.Terms(k, []int64{0, 1, 2, 0, task.Ignored}, nil); math.Abs(w-4) > 1e-12 {
		t.Errorf("weights of all labels sum to %v, want 4", w)
	}
	if w := k.Loss.Terms(k, []int64{1}, nil); math.Abs(w-4./3) > 1e-12 {
		t.Errorf("weight of class 1 is %v", w)
	}
}
