package optim

import (
	"encoding/json"
	"iter"
	"math"
	"os"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// readJSON reads a file of testdata.
func readJSON[T any](t *testing.T, name string) T {
	t.Helper()
	var v T
	raw, err := os.ReadFile("testdata/" + name)
	if err == nil {
		err = json.Unmarshal(raw, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func cast[T, S Float](x []S) []T {
	y := make([]T, len(x))
	for i, v := range x {
		y[i] = T(v)
	}
	return y
}

// param is a parameter with the weights w and a gradient of zeros.
func param[T Float](name string, w []T) *Param {
	w = append([]T{}, w...)
	return &Param{Name: name, W: tensor.From(w, len(w)), G: tensor.From(make([]T, len(w)), len(w)), Decay: true}
}

func mustNew(t *testing.T, name string, c Config) *Optimizer {
	t.Helper()
	o, err := New(name, c)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func mustStep(t *testing.T, o *Optimizer, p *parallel.Pool, s Step, ps ...*Param) {
	t.Helper()
	if err := o.Step(p, s, ps); err != nil {
		t.Fatal(err)
	}
}

// near fails unless |got − want| ≤ tol·max(1, |want|) for each element.
func near[T Float](t *testing.T, what string, got []T, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	for i := range want {
		if d := math.Abs(float64(got[i]) - want[i]); !(d <= tol*max(1, math.Abs(want[i]))) {
			t.Errorf("%s: element %d is %.10g, want %.10g (off by %.2g)", what, i, got[i], want[i], d)
		}
	}
}

// data is the weights and the gradient of p.
func data[T Float](p *Param) (w, g []T) {
	return tensor.Data[T](p.W), tensor.Data[T](p.G)
}

// handed are the rules that are handed a gradient.
func handed() iter.Seq2[string, Info] {
	return func(yield func(string, Info) bool) {
		for name, i := range Rules() {
			if i.Evaluates == "" && !yield(name, i) {
				return
			}
		}
	}
}
