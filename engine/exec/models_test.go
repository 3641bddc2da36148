package exec_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestLayoutOfModels plans inference, and training where there is a gradient, of the models that this module builds and of those in the
// shared folder: no two live values may share memory, and the arena may be little larger than what is needed at once.
func TestLayoutOfModels(t *testing.T) {
	for name := range models.Builders().All() {
		t.Run(name, func(t *testing.T) {
			file, err := models.New(name, models.Options{})
			if err != nil {
				t.Fatal(err)
			}
			layout(t, file, nil)
		})
	}
	t.Run("shared", func(t *testing.T) {
		dir := filepath.Join(testkit.Shared(t), "data")
		for _, pattern := range []string{"models/*.onnx", "modern/*/model.onnx"} {
			files, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil || len(files) == 0 {
				t.Fatalf("no %s in the shared folder: %v", pattern, err)
			}
			for _, f := range files {
				t.Run(strings.TrimPrefix(f, dir), func(t *testing.T) {
					file, err := onnx.ReadFile(f)
					if err != nil {
						t.Fatal(err)
					}
					feeds := map[string]*tensor.Tensor{}
					if io, err := tensor.ReadFile(filepath.Join(filepath.Dir(f), "io.npz")); err == nil {
						for _, x := range io {
							feeds[strings.TrimPrefix(x.Name, "in_")] = x.Tensor
						}
					}
					layout(t, file, feeds)
				})
			}
		}
	})
}

// layout checks the plans of a model for inputs of the shapes of feeds, and for batches of two where there are none.
func layout(t *testing.T, file *onnx.Model, feeds map[string]*tensor.Tensor) {
	m, err := engine.Load(file, engine.WithThreads(2))
	if missing, ok := errors.AsType[*engine.UnsupportedError](err); ok {
		t.Skip(missing)
	}
	if err != nil {
		t.Fatal(err)
	}
	var shapes []tensor.Shape
	for i, s := range m.Sizes(2) {
		if x := feeds[m.Inputs()[i].Name]; x != nil {
			s = x.Shape()
		}
		shapes = append(shapes, s)
	}
	check := func(what string, g *graph.Graph, fetch []graph.Value) {
		g.Outputs = nil
		rewrite.Dead(g, fetch)
		p, err := exec.Compile(g, fetch, m.Pool())
		if err == nil {
			err = exec.CheckPlanFor(t, p, shapes)
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	g := m.Graph().Clone()
	fetch := g.Outputs
	rewrite.Freeze(g, nil)
	if err := rewrite.Fold(g); err != nil {
		t.Fatal(err)
	}
	if err := rewrite.Fuse(g, fetch); err != nil {
		t.Fatal(err)
	}
	check("inference", g, fetch)

	g = m.Graph().Clone()
	b := graph.NewBuilder(g)
	var seeds []grad.Seed
	for _, y := range g.Outputs {
		if graph.Differentiable(g.Info(y).DType) {
			seeds = append(seeds, grad.Seed{Y: y, DY: ops.Fill(b, y, 1)})
		}
	}
	var wrt []graph.Value
	for p := range m.Params() {
		if p.Trainable {
			wrt = append(wrt, g.Lookup(p.Name))
		}
	}
	fetch = g.Outputs
	ds, err := grad.Reverse(g, seeds, wrt, grad.Options{})
	if err != nil {
		t.Logf("no training: %v", err)
		return
	}
	for _, d := range ds {
		if d != 0 {
			fetch = append(fetch, d)
		}
	}
	if err := rewrite.Fuse(g, fetch); err != nil {
		t.Fatal(err)
	}
	check("training", g, fetch)
}
