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

// A model whose scores depend on later tokens is no language model, wherever its classes are; one that looks back is.
func TestLooksAhead(t *testing.T) {
	table := tensor.From([]float32{1, 0, 0, 0, 1, 1, 0, 2, 1, 3, 1, 0, 0, 1, 0, 2}, 4, 4)
	x, y := i64([]int{2, 5}, 0, 1, 2, 3, 3, 2, 1, 1, 0, 2), i64([]int{2, 5}, 1, 2, 3, 3, -100, 1, 1, 0, 2, -100)
	sum := func(reverse int64) []*onnxpb.NodeProto {
		return []*onnxpb.NodeProto{onnx.NewNode("Gather", "embed", []string{"table", "ids"}, []string{"e"}),
			onnx.NewNode("CumSum", "sum", []string{"e", "axis"}, []string{"y"}, onnx.AttrInt("reverse", reverse))}
	}
	first := func(nodes []*onnxpb.NodeProto) []*onnxpb.NodeProto {
		nodes[len(nodes)-1].Output[0] = "z"
		return append(nodes, onnx.NewNode("Transpose", "t", []string{"z"}, []string{"y"}, onnx.AttrInts("perm", 0, 2, 1)))
	}
	for _, c := range []struct {
		name  string
		nodes []*onnxpb.NodeProto
		shape []any
		kind  string
		ahead bool
	}{
		{"back", sum(0), []any{"N", "T", 4}, "", false},
		{"ahead", sum(1), []any{"N", "T", 4}, "", true},
		{"said to be one", sum(1), []any{"N", "T", 4}, "language-model", true},
		{"tokens", sum(1), []any{"N", "T", 4}, "tokens", false},
		{"back, classes first", first(sum(0)), []any{"N", 4, "T"}, "", false},
		{"ahead, classes first", first(sum(1)), []any{"N", 4, "T"}, "", true},
	} {
		g := graph(onnx.ValueInfo("ids", tensor.Int64, "N", "T"), onnx.ValueInfo("y", tensor.Float32, c.shape...), c.nodes...)
		g.Initializer = []*onnxpb.TensorProto{onnx.TensorToProto("table", table), onnx.TensorToProto("axis", tensor.Scalar(int64(1)))}
		k, _, err := of(t, load(t, g), set{x: x, y: y}, task.Options{Kind: c.kind})
		var ahead *task.AheadError
		switch {
		case c.ahead != errors.As(err, &ahead):
			t.Errorf("%s: %v, %v", c.name, k, err)
		case c.ahead && !strings.Contains(err.Error(), "causal mask"):
			t.Errorf("%s: %v", c.name, err)
		case !c.ahead && err != nil:
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
