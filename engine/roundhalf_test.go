package engine_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// rounded16 is x in half precision and back.
func rounded16(t *testing.T, x []float32) []float32 {
	t.Helper()
	h, err := tensor.From(slices.Clone(x), len(x)).Convert(tensor.Float16)
	if err != nil {
		t.Fatal(err)
	}
	w, err := h.Convert(tensor.Float32)
	if err != nil {
		t.Fatal(err)
	}
	return w.F32()
}

// TestRoundHalf: a model in half precision rounds where two nodes beside each other hand on what they are given, and nowhere else: not what
// a Cast of its input narrows, nor at a lone Reshape. The gradient is that of the model without rounding.
func TestRoundHalf(t *testing.T) {
	half := tensor.Float16
	nodes := func(moves ...*onnxpb.NodeProto) []*onnxpb.NodeProto {
		list := append([]*onnxpb.NodeProto{onnx.NewNode("Cast", "narrow", []string{"x"}, []string{"h"}, onnx.AttrInt("to", int64(half))),
			onnx.NewNode("Mul", "first", []string{"h", "w"}, []string{"a"})}, moves...)
		return append(list, onnx.NewNode("Mul", "second", []string{"b", "w"}, []string{"c"}),
			onnx.NewNode("Cast", "widen", []string{"c"}, []string{"y"}, onnx.AttrInt("to", int64(tensor.Float32))))
	}
	w, err := tensor.From([]float32{0.3}, 1).Convert(half)
	if err != nil {
		t.Fatal(err)
	}
	wide := rounded16(t, []float32{0.3})[0]
	shape := onnx.TensorToProto("s", tensor.From([]int64{3, 2}, 2))
	x := tensor.New(tensor.Float32, 2, 3)
	r := rand.New(rand.NewPCG(1, 16))
	for i := range x.F32() {
		x.F32()[i] = float32(r.NormFloat64())
	}
	reshape := onnx.NewNode("Reshape", "", []string{"a", "s"}, []string{"b"})
	for name, c := range map[string]struct {
		nodes  []*onnxpb.NodeProto
		rounds bool
	}{
		"alone": {nodes(reshape), false},
		"two": {nodes(onnx.NewNode("Reshape", "", []string{"a", "s"}, []string{"m"}),
			onnx.NewNode("Identity", "", []string{"m"}, []string{"b"})), true},
	} {
		file := onnx.NewModel(&onnxpb.GraphProto{Name: new("g"), Node: c.nodes, Initializer: []*onnxpb.TensorProto{onnx.TensorToProto("w", w),
			shape},
			Input:  []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, 2, 3)},
			Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float32, 3, 2)}}, 17)
		m, err := engine.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := m.Session(engine.Query{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Run(context.Background(), map[string]*tensor.Tensor{"x": x})
		if err != nil {
			t.Fatal(err)
		}
		a := make([]float32, 6)
		for i, v := range x.F32() {
			a[i] = v * wide
		}
		if c.rounds {
			a = rounded16(t, a)
		}
		for i, v := range got.Value("y").F32() {
			if v != a[i]*wide {
				t.Errorf("%s: element %d is %v, want %v", name, i, v, a[i]*wide)
			}
		}
		q, err := m.Session(engine.Query{Grad: []string{"x"}, Loss: func(b *engine.Build) (graph.Value, error) {
			y, err := b.Value("y")
			return b.Add(ops.ReduceSum, ops.KeepDims(false), y), err
		}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err = q.Run(context.Background(), map[string]*tensor.Tensor{"x": x}); err != nil {
			t.Fatal(err)
		}
		for i, d := range got.Grad("x").F32() {
			if d != wide*wide {
				t.Errorf("%s: the gradient by element %d is %v, want %v", name, i, d, wide*wide)
			}
		}
	}
}
