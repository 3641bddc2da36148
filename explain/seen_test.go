package explain

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// recurrent are nodes that bring x [N,T,C] through a GRU with the weights w, r of three units: out [N,T,3].
func recurrent(x, w, r, out string) []*onnxpb.NodeProto {
	return []*onnxpb.NodeProto{
		nodeOf("Transpose", x, "t"+out, onnx.AttrInts("perm", 1, 0, 2)), nodeOf("GRU", "t"+out+" "+w+" "+r, "g"+out,
			onnx.AttrInt("hidden_size", 3)),
		nodeOf("Squeeze", "g"+out+" one", "s"+out), nodeOf("Transpose", "s"+out, out, onnx.AttrInts("perm", 1, 0, 2)),
	}
}

// TestAutoSeesThePositions: auto takes the last layer at half of whose positions there is a gradient, and not the scores of positions at
// another size.
func TestAutoSeesThePositions(t *testing.T) {
	series := []*onnxpb.ValueInfoProto{reals("x", 9, 4)}
	score := []*onnxpb.ValueInfoProto{reals("y", 2)}
	weights := map[string][]int{"w": {1, 9, 4}, "r": {1, 9, 3}, "w2": {1, 9, 3}, "f": {3, 2}}
	at := func(i int64) []*onnxpb.NodeProto {
		return []*onnxpb.NodeProto{nodeOf("Constant", "", "last", onnx.AttrInts("value_ints", i)),
			nodeOf("Gather", "h last", "p", onnx.AttrInt("axis", 1)), nodeOf("Squeeze", "p one", "q"), nodeOf("MatMul", "q f", "y")}
	}
	part := func(from, to int64) []*onnxpb.NodeProto {
		return []*onnxpb.NodeProto{nodeOf("Constant", "", "from", onnx.AttrInts("value_ints", from)),
			nodeOf("Constant", "", "to", onnx.AttrInts("value_ints", to)), nodeOf("Slice", "h from to one", "p"),
			nodeOf("ReduceMean", "p", "q", onnx.AttrInts("axes", 1), onnx.AttrInt("keepdims", 0)), nodeOf("MatMul", "q f", "y")}
	}
	two := slices.Concat(recurrent("x", "w", "r", "a"), recurrent("a", "w2", "r", "h"))
	one := recurrent("x", "w", "r", "h")
	pads := onnx.AttrInts("pads", 1, 1, 1, 1)
	for name, tc := range map[string]struct {
		in, out []*onnxpb.ValueInfoProto
		weights map[string][]int
		nodes   []*onnxpb.NodeProto
		x       *tensor.Tensor
		auto    string
		note    string
	}{
		"last step of two layers":  {series, score, weights, slices.Concat(two, at(-1)), double(1, 2, 9, 4), "ga", ""},
		"first step of two layers": {series, score, weights, slices.Concat(two, at(0)), double(1, 2, 9, 4), "ga", ""},
		"last step of one layer":   {series, score, weights, slices.Concat(one, at(-1)), double(1, 2, 9, 4), "gh", "reads one position"},
		"two of nine steps":        {series, score, weights, slices.Concat(two, part(3, 5)), double(1, 2, 9, 4), "ga", ""},
		"two of nine steps of one": {series, score, weights, slices.Concat(one, part(3, 5)), double(1, 2, 9, 4), "p", ""},
		"the second half of two":   {series, score, weights, slices.Concat(two, part(4, 9)), double(1, 2, 9, 4), "p", ""},
		"last step of convolutions": {series, score, map[string][]int{"k": {5, 4, 3}, "k2": {3, 5, 3}, "k1": {3, 3, 1}, "f": {3, 2}},
			slices.Concat([]*onnxpb.NodeProto{nodeOf("Transpose", "x", "t", onnx.AttrInts("perm", 0, 2, 1)),
				nodeOf("Conv", "t k", "c1", onnx.AttrInts("pads", 1, 1)), nodeOf("Relu", "c1", "r1"),
				nodeOf("Conv", "r1 k2", "c2", onnx.AttrInts("pads", 1, 1)), nodeOf("Relu", "c2", "r2"), nodeOf("Conv", "r2 k1", "c3"),
				nodeOf("Transpose", "c3", "h", onnx.AttrInts("perm", 0, 2, 1))}, at(-1)),
			double(1, 2, 9, 4), "r1", ""},
		"a segmentation made larger": {[]*onnxpb.ValueInfoProto{reals("x", 3, 8, 8)}, []*onnxpb.ValueInfoProto{reals("y", 2, 8, 8)},
			map[string][]int{"k": {5, 3, 3, 3}, "c": {2, 5, 1, 1}, "b": {2, 1, 1}},
			[]*onnxpb.NodeProto{nodeOf("Conv", "x k", "h", pads), nodeOf("Relu", "h", "a"), nodeOf("MaxPool", "a", "p",
				onnx.AttrInts("kernel_shape", 2, 2), onnx.AttrInts("strides", 2, 2)), nodeOf("Conv", "p c", "z"), nodeOf("Add", "z b", "zb"),
				nodeOf("Concat", "zb zb zb zb", "zz", onnx.AttrInt("axis", 1)), nodeOf("DepthToSpace", "zz", "y", onnx.AttrInt("blocksize", 2))},
			double(1, 2, 3, 8, 8), "a", ""},
	} {
		m := graphOf(t, tc.in, tc.out, tc.weights, tc.nodes...)
		var notes []string
		c := Config{Requests: []Request{{"gradcam", nil}}, Warn: func(s string) { notes = append(notes, s) }}
		if _, err := explainer(t, m, c).Explain(context.Background(), only(m, tc.x)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		layers, err := ListLayers(m, shapesOf(m, tc.x.Shape()), Config{})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(layers, func(l Layer) bool { return l.Auto })
		if i < 0 || layers[i].Name != tc.auto {
			t.Errorf("%s: auto is %v, want %s", name, layers[max(i, 0)].Name, tc.auto)
		}
		if said := slices.ContainsFunc(notes, func(s string) bool { return strings.Contains(s, "reads one position") }); said != (tc.note != "") {
			t.Errorf("%s: notes %q", name, notes)
		}
	}
}
