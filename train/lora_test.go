package train

import (
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// loraRun is the output y of m for x.
func loraRun(t *testing.T, m *onnx.Model, x *tensor.Tensor) *tensor.Tensor {
	t.Helper()
	s, err := load(t, m).Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(t.Context(), map[string]*tensor.Tensor{"x": x})
	if err != nil {
		t.Fatal(err)
	}
	return r.Value("y").Clone()
}

// filled is a model with adapters whose B are not zero.
func filled(t *testing.T, m *onnx.Model, a *Adapters) *onnx.Model {
	t.Helper()
	out := m.Clone()
	for i, x := range a.List {
		_, sb := x.shapes()
		b, err := testkit.RandN(uint64(50+i), sb...).Convert(x.dtype)
		if err != nil {
			t.Fatal(err)
		}
		if err := out.SetInitializer(x.B, b); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// Beside every form of layer an adapter begins as nothing, and merged it gives what it gives beside the weight.
func TestLoRAForms(t *testing.T) {
	node := onnx.NewNode
	ints := onnx.AttrInts
	conv := []any{"N", 4, 6, 6}
	for _, c := range []struct {
		name    string
		in, out []any
		x       []int
		nodes   []*onnxpb.NodeProto
		w       map[string]*tensor.Tensor
		adapts  []string
	}{
		{"matmul", []any{"N", 5, 8}, []any{"N", 5, 6}, []int{2, 5, 8}, []*onnxpb.NodeProto{
			node("MatMul", "m", []string{"x", "w"}, []string{"y"})},
			map[string]*tensor.Tensor{"w": testkit.RandN(1, 8, 6)}, []string{"w"}},
		{"experts", []any{3, 5, 8}, []any{3, 5, 6}, []int{3, 5, 8}, []*onnxpb.NodeProto{node("MatMul", "m", []string{"x", "w"}, []string{"y"})},
			map[string]*tensor.Tensor{"w": testkit.RandN(1, 3, 8, 6)}, []string{"w"}},
		{"left", []any{"N", 8, 5}, []any{"N", 6, 5}, []int{2, 8, 5}, []*onnxpb.NodeProto{node("MatMul", "m", []string{"w", "x"}, []string{"y"})},
			map[string]*tensor.Tensor{"w": testkit.RandN(1, 6, 8)}, []string{"w"}},
		{"transposed", []any{"N", 5, 8}, []any{"N", 5, 6}, []int{2, 5, 8}, []*onnxpb.NodeProto{
			node("Identity", "i", []string{"w"}, []string{"wi"}),
			node("Transpose", "t", []string{"wi"}, []string{"wt"}, ints("perm", 1, 0)), node("MatMul", "m", []string{"x", "wt"}, []string{"y"})},
			map[string]*tensor.Tensor{"w": testkit.RandN(1, 6, 8)}, []string{"w"}},
		{"reshaped", []any{"N", 5, 8}, []any{"N", 5, 6}, []int{2, 5, 8}, []*onnxpb.NodeProto{
			node("Squeeze", "q", []string{"w", "axes"}, []string{"wq"}),
			node("Reshape", "r", []string{"wq", "s"}, []string{"wr"}), node("MatMul", "m", []string{"x", "wr"}, []string{"y"})},
			map[string]*tensor.Tensor{"w": testkit.RandN(1, 1, 48), "axes": tensor.From([]int64{0}, 1), "s": tensor.From([]int64{8, 6}, 2)},
			[]string{"w"}},
		{"cast", []any{"N", 5, 8}, []any{"N", 5, 6}, []int{2, 5, 8}, []*onnxpb.NodeProto{
			node("Cast", "c", []string{"w"}, []string{"wc"}, onnx.AttrInt("to", 1)), node("MatMul", "m", []string{"x", "wc"}, []string{"y"})},
			map[string]*tensor.Tensor{"w": as(t, tensor.Float64, testkit.RandN(1, 8, 6))}, []string{"w"}},
		{"gemm", []any{"N", 8}, []any{"N", 6}, []int{3, 8}, []*onnxpb.NodeProto{node("Gemm", "g", []string{"x", "w", "b"}, []string{"y"},
			onnx.AttrFloat("alpha", 0.5), onnx.AttrFloat("beta", 2))},
			map[string]*tensor.Tensor{"w": testkit.RandN(1, 8, 6), "b": testkit.RandN(2, 6)}, []string{"w"}},
		{"gemm transposed", []any{8, 3}, []any{3, 6}, []int{8, 3}, []*onnxpb.NodeProto{node("Gemm", "", []string{"x", "w", "b"}, []string{"y"},
			onnx.AttrInt("transA", 1), onnx.AttrInt("transB", 1), onnx.AttrFloat("alpha", 3))},
			map[string]*tensor.Tensor{"w": testkit.RandN(1, 6, 8), "b": testkit.RandN(2, 6)}, []string{"w"}},
		{"conv", conv, []any{"N", 5, 3, 3}, []int{2, 4, 6, 6}, []*onnxpb.NodeProto{node("Conv", "c", []string{"x", "w", "b"}, []string{"y"},
			ints("pads", 1, 1, 1, 1), ints("strides", 2, 2), ints("kernel_shape", 3, 3))},
			map[string]*tensor.Tensor{"w": testkit.RandN(1, 5, 4, 3, 3), "b": testkit.RandN(2, 5)}, []string{"w"}},
		{"conv same, dilated", conv, []any{"N", 5, 6, 6}, []int{2, 4, 6, 6}, []*onnxpb.NodeProto{
			node("Conv", "c", []string{"x", "w"}, []string{"y"},
				onnx.AttrString("auto_pad", "SAME_UPPER"), ints("dilations", 2, 2))},
			map[string]*tensor.Tensor{"w": testkit.RandN(1, 5, 4, 2, 2)}, []string{"w"}},
		{"conv 1d", []any{"N", 4, 9}, []any{"N", 5, 7}, []int{2, 4, 9},
			[]*onnxpb.NodeProto{node("Conv", "c", []string{"x", "w"}, []string{"y"})},
			map[string]*tensor.Tensor{"w": testkit.RandN(1, 5, 4, 3)}, []string{"w"}},
		{"conv in groups", conv, []any{"N", 6, 4, 4}, []int{2, 4, 6, 6}, []*onnxpb.NodeProto{node("Conv", "c", []string{"x", "w"}, []string{"y"},
			onnx.AttrInt("group", 2))}, map[string]*tensor.Tensor{"w": testkit.RandN(1, 6, 2, 3, 3)}, []string{"w"}},
		{"shared by two layers", []any{"N", 8}, []any{"N", 8}, []int{3, 8}, []*onnxpb.NodeProto{
			node("MatMul", "m1", []string{"x", "w"}, []string{"h"}),
			node("Tanh", "a", []string{"h"}, []string{"ha"}), node("MatMul", "m2", []string{"ha", "w"}, []string{"y"})},
			map[string]*tensor.Tensor{"w": testkit.RandN(1, 8, 8)}, []string{"w"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := graphModel(c.in, c.out, c.nodes, c.w)
			if c.name == "cast" {
				base.Proto.Graph.Initializer[0] = onnx.TensorToProto("w", c.w["w"])
			}
			x := testkit.RandN(9, c.x...)
			with, a, err := (LoRA{Rank: 2, Alpha: 3, Seed: 1}).Add(load(t, base))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, x := range a.List {
				got = append(got, x.Weight)
			}
			if !slices.Equal(got, c.adapts) || len(a.Skipped) > 0 {
				t.Fatalf("adapters beside %v, want %v; skipped %v", got, c.adapts, a.Skipped)
			}
			before := loraRun(t, base, x)
			testkit.Close(t, "at the start", loraRun(t, with, x), before, 1e-6, 1e-6)
			em := load(t, with)
			for _, name := range a.Params() {
				if p, err := em.Param(name); err != nil || !p.Trainable {
					t.Errorf("%s is not trained: %v", name, err)
				}
			}
			trained := filled(t, with, a)
			after := loraRun(t, trained, x)
			if ok, _ := tensor.AllClose(after, before, 1e-2, 1e-2); ok {
				t.Error("the adapter changes nothing")
			}
			merged, err := a.Merge(trained, false)
			if err != nil {
				t.Fatal(err)
			}
			testkit.Close(t, "merged", loraRun(t, merged, x), after, 1e-5, 1e-5)
			if d := onnx.CompareModels(base, merged); len(d.Nodes) > 0 {
				t.Errorf("the graph has changed: %v", d.Nodes)
			}
		})
	}
}

func as(t *testing.T, d tensor.DType, x *tensor.Tensor) *tensor.Tensor {
	t.Helper()
	y, err := x.Convert(d)
	if err != nil {
		t.Fatal(err)
	}
	return y
}

// What cannot have an adapter is left out with the reason, and refused where it was asked for by name.
func TestLoRALeftOut(t *testing.T) {
	node := onnx.NewNode
	base := graphModel([]any{"N", 8}, []any{"N", 2}, []*onnxpb.NodeProto{
		node("MatMul", "first", []string{"x", "w"}, []string{"h"}), node("Transpose", "t", []string{"w"}, []string{"wt"}),
		node("MatMul", "tied", []string{"h", "wt"}, []string{"h2"}),
		node("MatMul", "good", []string{"h2", "g"}, []string{"h3"}),
		node("MatMul", "table", []string{"h3", "e"}, []string{"h4"}), node("Add", "sum", []string{"h4", "e"}, []string{"h5"}),
		node("MatMul", "small", []string{"h5", "s"}, []string{"y"}),
	}, map[string]*tensor.Tensor{"w": testkit.RandN(1, 8, 8), "s": testkit.RandN(2, 8, 2), "g": testkit.RandN(3, 8, 40),
		"e": testkit.RandN(4, 40, 8)})
	_, a, err := (LoRA{Rank: 2}).Add(load(t, base))
	if err != nil {
		t.Fatal(err)
	}
	if len(a.List) != 1 || a.List[0].Weight != "g" || a.Scale != 1 {
		t.Errorf("adapters %v, scale %v", a.List, a.Scale)
	}
	said := map[string]string{}
	for _, s := range a.Skipped {
		said[s.Name] = s.Why
	}
	for name, want := range map[string]string{"w": "different forms", "s": "no smaller", "e": "tied"} {
		if !strings.Contains(said[name], want) {
			t.Errorf("%s: %q, want %q", name, said[name], want)
		}
	}
	for _, c := range []struct {
		l    LoRA
		want string
	}{
		{LoRA{Rank: 2, Target: []string{"tied"}}, `no layer that "tied" matches can have an adapter: w: node "first"`},
		{LoRA{Rank: 2, Target: []string{"goood"}}, `did you mean "good"`},
		{LoRA{Rank: 2, Exclude: []string{"g"}}, "no layer can have an adapter"},
		{LoRA{Rank: 0}, "must be positive"},
		{LoRA{Rank: 2, Alpha: -1}, "must be positive"},
	} {
		if _, _, err := c.l.Add(load(t, base)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.l, err, c.want)
		}
	}
}

// Weights that functions are given, and weights inside them, which all calls share, have adapters; the merged model keeps its functions.
func TestLoRAFunctions(t *testing.T) {
	node := onnx.NewNode
	call := func(op, name string, in ...string) *onnxpb.NodeProto {
		n := node(op, name, in, []string{name})
		n.Domain = new("own")
		return n
	}
	base := graphModel([]any{"N", 8}, []any{"N", 8}, []*onnxpb.NodeProto{call("Given", "a", "x", "w"), call("Inside", "b", "a"),
		node("Tanh", "t", []string{"b"}, []string{"h"}), call("Inside", "c", "h"), node("Identity", "last", []string{"c"}, []string{"y"})},
		map[string]*tensor.Tensor{"w": testkit.RandN(1, 8, 8)})
	base.Proto.OpsetImport = append(base.Proto.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: new("own"), Version: new(int64(1))})
	function := func(name string, in []string, nodes ...*onnxpb.NodeProto) *onnxpb.FunctionProto {
		return &onnxpb.FunctionProto{Name: &name, Domain: new("own"), Input: in, Output: []string{"out"}, Node: nodes,
			OpsetImport: []*onnxpb.OperatorSetIdProto{{Domain: new(""), Version: new(int64(13))}}}
	}
	base.Proto.Functions = []*onnxpb.FunctionProto{
		function("Given", []string{"in", "weight"}, node("MatMul", "product", []string{"in", "weight"}, []string{"out"})),
		function("Inside", []string{"in"}, node("Constant", "", nil, []string{"own"}, onnx.AttrTensor("value", testkit.RandN(2, 8, 8))),
			node("Transpose", "", []string{"own"}, []string{"turned"}), node("MatMul", "product", []string{"in", "turned"}, []string{"out"})),
	}
	x := testkit.RandN(9, 3, 8)
	with, a, err := (LoRA{Rank: 2}).Add(load(t, base))
	if err != nil {
		t.Fatal(err)
	}
	if len(a.List) != 2 || len(a.List[0].Nodes) != 1 || len(a.List[1].Nodes) != 2 {
		t.Fatalf("adapters %+v, skipped %v", a.List, a.Skipped)
	}
	testkit.Close(t, "at the start", loraRun(t, with, x), loraRun(t, base, x), 1e-6, 1e-6)
	trained := filled(t, with, a)
	merged, err := a.Merge(trained, false)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Close(t, "merged", loraRun(t, merged, x), loraRun(t, trained, x), 1e-5, 1e-5)
	if d := onnx.CompareModels(base, merged); len(d.Nodes) > 0 || len(merged.Proto.GetFunctions()) != 2 {
		t.Errorf("the graph has changed: %v", d.Nodes)
	}
}
