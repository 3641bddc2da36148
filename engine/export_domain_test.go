package engine_test

import (
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// What a model has of other domains is exported in them, each imported in a version that has all of it; nodes of versions that newer
// operator sets no longer have are written as these do; and what is known before running is an output all the same.
func TestExportOfOtherDomains(t *testing.T) {
	p := testkit.Text{
		In: []string{"x[1,3]"}, Out: []string{"y[1,3]", "c[2]", "d[2]"}, Opset: 9,
		Nodes: []string{"s = ai.onnx.ml:Binarizer(x; threshold=1.5)", "y = Softmax(s; axis=0)", "d = Neg(c)"},
		Init:  map[string]*tensor.Tensor{"c": tensor.From([]float32{4, 5}, 2)},
	}.Model(t)
	p.OpsetImport = append(p.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: new("ai.onnx.ml"), Version: new(int64(3))})
	m := load(t, &onnx.Model{Proto: p})
	out, err := m.Export(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if v, ml := out.Opset(""), out.Opset("ai.onnx.ml"); v != 17 || ml != 1 {
		t.Errorf("operator sets %d and %d of ai.onnx.ml, want 17 and 1", v, ml)
	}
	if err := out.Check(); err != nil {
		t.Fatal(err)
	}
	feeds := map[string]*tensor.Tensor{"x": tensor.From([]float32{1, 2, 3}, 1, 3)}
	outputs := func(m *engine.Model) results {
		s, err := m.Session(engine.Query{})
		if err != nil {
			t.Fatal(err)
		}
		return run(t, s, feeds)
	}
	want, got := outputs(m), outputs(load(t, out))
	for _, name := range []string{"y", "c", "d"} {
		same(t, name, got["v:"+name], want["v:"+name])
	}
	if d := want["v:d"].F32(); d[0] != -4 || d[1] != -5 {
		t.Errorf("d is %v", d)
	}
}
