package engine_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestNoContradiction finds that the shapes which ONNX's suite and the shared models declare are those that follow.
func TestNoContradiction(t *testing.T) {
	var files []string
	for _, c := range testkit.OfficialSuite(t) {
		files = append(files, c.Model)
	}
	for _, pattern := range []string{"models/*.onnx", "modern/*/*.onnx"} {
		f, _ := filepath.Glob(filepath.Join(testkit.Shared(t), "data", pattern))
		files = append(files, f...)
	}
	for _, f := range files {
		m, err := onnx.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range engine.Contradictions(m, engine.WithThreads(1)) {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// TestSymbolic follows a batch and a length through sums, products and what is neither.
func TestSymbolic(t *testing.T) {
	ints := func(v ...int64) *tensor.Tensor { return tensor.From(v, len(v)) }
	g := &onnxpb.GraphProto{
		Name:  new("g"),
		Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, "N", "T", 4), onnx.ValueInfo("y", tensor.Float32, "N", "", 4)},
		Output: []*onnxpb.ValueInfoProto{{Name: new("flat")}, {Name: new("same")}, {Name: new("half")}, {Name: new("both")},
			{Name: new("shape")}},
		Initializer: []*onnxpb.TensorProto{onnx.TensorToProto("rows", ints(-1, 4)), onnx.TensorToProto("starts", ints(0)),
			onnx.TensorToProto("ends", ints(1<<40)), onnx.TensorToProto("axes", ints(1)), onnx.TensorToProto("steps", ints(2))},
		Node: []*onnxpb.NodeProto{
			onnx.NewNode("Concat", "", []string{"x", "x"}, []string{"twice"}, onnx.AttrInt("axis", 1)),
			onnx.NewNode("Relu", "", []string{"x"}, []string{"same"}),
			onnx.NewNode("Reshape", "", []string{"twice", "rows"}, []string{"flat"}),
			onnx.NewNode("Slice", "", []string{"x", "starts", "ends", "axes", "steps"}, []string{"half"}),
			onnx.NewNode("Concat", "", []string{"x", "y"}, []string{"both"}, onnx.AttrInt("axis", 1)),
			onnx.NewNode("Shape", "", []string{"x"}, []string{"shape"}),
		},
	}
	types, err := engine.Types(onnx.NewModel(g, 17))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"twice": "float32[N,2*T,4]", "same": "float32[N,T,4]", "flat": "float32[2*N*T,4]",
		"half": "float32[N,unk__0,4]", "both": "float32[N,unk__1,4]", "shape": "int64[3]"} {
		if got := onnx.TypeString(types[name]); got != want && !strings.HasPrefix(want, "float32[N,unk") {
			t.Errorf("%s is %s, want %s", name, got, want)
		} else if got != want && !strings.HasPrefix(got, "float32[N,unk__") {
			t.Errorf("%s is %s, want an unknown axis 1", name, got)
		}
	}
	if len(engine.Contradictions(onnx.NewModel(g, 17))) > 0 {
		t.Error("a contradiction")
	}
	g.ValueInfo = []*onnxpb.ValueInfoProto{onnx.ValueInfo("same", tensor.Float32, "N", "T", 5)}
	if len(engine.Contradictions(onnx.NewModel(g, 17))) != 1 {
		t.Error("no contradiction")
	}
}
