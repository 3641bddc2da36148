package job

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestCheck says no to a model whose nodes are in another order and that declares another shape; import reads it, and says so.
func TestCheck(t *testing.T) {
	v := onnx.ValueInfo
	m := onnx.NewModel(&onnxpb.GraphProto{Name: new("g"), Input: []*onnxpb.ValueInfoProto{v("x", tensor.Float32, 2, 3)},
		Output: []*onnxpb.ValueInfoProto{v("y", tensor.Float32, 2, 4)},
		Node: []*onnxpb.NodeProto{onnx.NewNode("Relu", "second", []string{"a"}, []string{"y"}),
			onnx.NewNode("Neg", "first", []string{"x"}, []string{"a"})}}, 17)
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := m.WriteFile(path, onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	r, err := Check(path, 1)
	var no *NoError
	if !errors.As(err, &no) || r == nil || r.Pass || len(r.Problems) != 2 || !strings.Contains(r.Problems[0], "sort the nodes") ||
		!strings.Contains(r.Problems[1], `value "y": is declared as float32[2,4] and is float32[2,3]`) {
		t.Errorf("%+v, %v", r, err)
	}
	im, err := Import(ImportConfig{Model: path})
	if err != nil || len(im.Problems) != 1 || !strings.Contains(im.Problems[0], "sort the nodes") {
		t.Errorf("%+v, %v", im, err)
	}
}
