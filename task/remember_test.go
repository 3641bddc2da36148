package task_test

import (
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// What a model was trained for travels in it: a reader that has no labels takes its word, options overrule it, and labels that contradict
// are refused with the way out.
func TestRemember(t *testing.T) {
	file := &onnx.Model{Proto: testkit.Text{In: []string{"x[N,3]"}, Out: []string{"y[N,3]", "z[N,3]"},
		Nodes: []string{"y = Neg(x)", "z = Exp(x)"}}.Model(t)}
	load := func() *engine.Model {
		m, err := engine.Load(file, engine.WithThreads(1))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	hot := set{x: tensor.From([]float32{1, 2, 3, 4, 5, 6}, 2, 3), y: tensor.From([]uint8{1, 1, 0, 0, 0, 1}, 2, 3)}
	what, _, err := of(t, load(), hot, task.Options{Output: "z"})
	if err != nil {
		t.Fatal(err)
	}
	what.Remember(file)
	if s, _ := file.Metadata(task.MetadataKey); s != `{"task":"multilabel","output":"z"}` {
		t.Fatal(s)
	}
	for _, c := range []struct {
		o    task.Options
		kind task.Kind
		out  string
	}{
		{task.Options{}, task.Multilabel, "z"},
		{task.Options{Kind: "regression"}, task.Regression, "y"},
		{task.Options{Output: "y"}, task.Multiclass, "y"},
	} {
		if got, err := task.OfModel(load(), c.o); err != nil || got.Kind != c.kind || got.Head.Output != c.out {
			t.Errorf("%+v: %v, %v", c.o, got, err)
		}
	}
	real := set{x: hot.x, y: tensor.From([]float32{.5, 1, 2, 3, -1, 1}, 2, 3)}
	if _, _, err = of(t, load(), real, task.Options{}); err == nil || !strings.Contains(err.Error(), "trained for a multilabel task") ||
		!strings.Contains(err.Error(), "--task auto") {
		t.Error(err)
	}
	if got, _, err := of(t, load(), real, task.Options{Kind: "auto"}); err != nil || got.Kind != task.Regression {
		t.Errorf("auto: %v, %v", got, err)
	}
	for _, odd := range []string{"", "{}", `{"task":"nonsense","output":"z"}`, `{"task":"multilabel","output":"gone"}`} {
		file.SetMetadata(task.MetadataKey, odd)
		if o := (task.Options{}).Remembered(file); o.Kind != "" || o.Output != "" {
			t.Errorf("%q: %+v", odd, o)
		}
	}
}
