package task_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// graph is a graph with one input and one output.
func graph(in, out *onnxpb.ValueInfoProto, nodes ...*onnxpb.NodeProto) *onnxpb.GraphProto {
	name := "test"
	return &onnxpb.GraphProto{Name: &name, Input: []*onnxpb.ValueInfoProto{in}, Output: []*onnxpb.ValueInfoProto{out}, Node: nodes}
}

// A label that is the token behind its position makes a language model, whose first metric is the perplexity.
func TestNextToken(t *testing.T) {
	g := graph(onnx.ValueInfo("ids", tensor.Int64, "N", 3), onnx.ValueInfo("y", tensor.Float32, "N", 3, 4),
		onnx.NewNode("Gather", "embed", []string{"table", "ids"}, []string{"y"}))
	g.Initializer = []*onnxpb.TensorProto{onnx.TensorToProto("table", tensor.New(tensor.Float32, 4, 4))}
	m := load(t, g)
	x := i64([]int{2, 3}, 0, 1, 2, 3, 2, 1)
	for _, c := range []struct {
		name, kind, metric string
		y                  *tensor.Tensor
	}{
		{"the next token", "", "perplexity", i64([]int{2, 3}, 1, 2, -100, 2, 1, 0)},
		{"other labels", "", "accuracy", i64([]int{2, 3}, 1, 1, -100, 2, 1, 0)},
		{"none but the last", "", "accuracy", i64([]int{2, 3}, -100, -100, 1, -100, -100, 0)},
		{"said", "language-model", "perplexity", i64([]int{2, 3}, -100, -100, 1, -100, -100, 0)},
	} {
		k, _, err := of(t, m, set{x: x, y: c.y}, task.Options{Kind: c.kind})
		if err != nil {
			t.Fatal(err)
		}
		if name, _ := k.Primary(); name != c.metric || k.Kind != task.Dense {
			t.Errorf("%s: %v, measured by %s", c.name, k, name)
		}
	}
}

// What shape inference leaves open is read from the file, and a row of two examples is none.
func TestDeclaredShapes(t *testing.T) {
	in := onnx.ValueInfo("x", tensor.Float32, "N", 4)
	pairs := graph(in, onnx.ValueInfo("y", tensor.Float32, "N", "N"), onnx.NewNode("Transpose", "t", []string{"x"}, []string{"u"}),
		onnx.NewNode("MatMul", "m", []string{"x", "u"}, []string{"y"}))
	var unknown *task.UnknownError
	if k, err := task.OfModel(load(t, pairs), task.Options{}); !errors.As(err, &unknown) ||
		!strings.Contains(err.Error(), "y float32[N,N]") {
		t.Errorf("similarities: %v, %v", k, err)
	}
	if k, _, err := of(t, load(t, pairs), set{x: f32(4, 4), labels: []int{0, 1, 1, 0}}, task.Options{}); err == nil {
		t.Errorf("similarities and classes: %v", k)
	}
	open := graph(in, onnx.ValueInfo("y", tensor.Float32, "N", 4),
		onnx.NewNode("ReduceMin", "r", []string{"x"}, []string{"low"}, onnx.AttrInts("axes", 0), onnx.AttrInt("keepdims", 0)),
		onnx.NewNode("Constant", "k", nil, []string{"least"}, onnx.AttrFloat("value_float", -1e30)),
		onnx.NewNode("Greater", "g", []string{"low", "least"}, []string{"all"}),
		onnx.NewNode("NonZero", "n", []string{"all"}, []string{"at"}),
		onnx.NewNode("Constant", "a", nil, []string{"axis"}, onnx.AttrInts("value_ints", 0)),
		onnx.NewNode("Squeeze", "s", []string{"at", "axis"}, []string{"columns"}),
		onnx.NewNode("Gather", "z", []string{"x", "columns"}, []string{"y"}, onnx.AttrInt("axis", 1)))
	if k, err := task.OfModel(load(t, open), task.Options{}); err != nil || k.Kind != task.Multiclass || k.K != 4 {
		t.Errorf("a shape that only a run can tell: %v, %v", k, err)
	}
}

// Without labels the numbers at the places of a text are scores where there are as many as words, and may be anything where there are not.
func TestWordsOfTheVocabulary(t *testing.T) {
	for _, c := range []struct {
		out  string
		want task.Kind
	}{{"y", task.Dense}, {"hidden", ""}} {
		k := map[string]int{"y": 7, "hidden": 4}[c.out]
		g := graph(onnx.ValueInfo("ids", tensor.Int64, "N", 3), onnx.ValueInfo(c.out, tensor.Float32, "N", 3, k),
			onnx.NewNode("Gather", "embed", []string{"table", "ids"}, []string{"hidden"}),
			onnx.NewNode("MatMul", "head", []string{"hidden", "w"}, []string{"y"}))
		g.Initializer = []*onnxpb.TensorProto{onnx.TensorToProto("table", tensor.New(tensor.Float32, 7, 4)),
			onnx.TensorToProto("w", tensor.New(tensor.Float32, 4, 7))}
		got, err := task.OfModel(load(t, g), task.Options{})
		var unknown *task.UnknownError
		if c.want == "" && !errors.As(err, &unknown) || c.want != "" && (err != nil || got.Kind != c.want) {
			t.Errorf("%s: %v, %v", c.out, got, err)
		}
	}
}
