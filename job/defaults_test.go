package job

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestDefaultFed runs a model with the default of an input, and with another value for it.
func TestDefaultFed(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) *onnxpb.ValueInfoProto { return onnx.ValueInfo(name, tensor.Float32, 2) }
	m := onnx.NewModel(&onnxpb.GraphProto{Name: new("g"), Input: []*onnxpb.ValueInfoProto{in("x"), in("k")},
		Output:      []*onnxpb.ValueInfoProto{in("y")},
		Node:        []*onnxpb.NodeProto{onnx.NewNode("Mul", "", []string{"x", "k"}, []string{"y"})},
		Initializer: []*onnxpb.TensorProto{onnx.TensorToProto("k", tensor.From([]float32{2, 3}, 2))}}, 17)
	model := filepath.Join(dir, "m.onnx")
	if err := m.WriteFile(model, onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	file := func(name string, v ...float32) string {
		path := filepath.Join(dir, name+".pb")
		if err := onnx.WriteValueFile(path, name, tensor.From(v, len(v)), onnx.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		return name + "=" + path
	}
	x, k := file("x", 1, 1), file("k", 10, 20)
	for _, c := range []struct {
		files []string
		want  []float32
	}{{[]string{x}, []float32{2, 3}}, {[]string{x, k}, []float32{10, 20}}} {
		r, err := Run(context.Background(), RunConfig{Model: model, Files: c.files}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Values[0].Tensor.F32(); !slices.Equal(got, c.want) {
			t.Errorf("%d inputs: %v, want %v", len(c.files), got, c.want)
		}
	}
}
