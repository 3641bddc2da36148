package onnx_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// doubled is y = 2x of real type d, with a second output z = y + 1 that reads y, also inside a body.
func doubled(d tensor.DType) *onnx.Model {
	two, _ := tensor.From([]float32{2}, 1).Convert(d)
	one, _ := tensor.From([]float32{1}, 1).Convert(d)
	name, body := "doubled", "body"
	pass := &onnxpb.GraphProto{
		Name: &body, Node: []*onnxpb.NodeProto{onnx.NewNode("Add", "", []string{"y", "one"}, []string{"sum"})},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("sum", d, "N", 2)},
	}
	other := &onnxpb.GraphProto{Name: new("other"),
		Node:   []*onnxpb.NodeProto{onnx.NewNode("Identity", "", []string{"y"}, []string{"same"})},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("same", d, "N", 2)}}
	return onnx.NewModel(&onnxpb.GraphProto{
		Name: &name, Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", d, "N", 2)},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", d, "N", 2), onnx.ValueInfo("z", d, "N", 2)},
		Node: []*onnxpb.NodeProto{
			onnx.NewNode("Mul", "y.mul", []string{"x", "two"}, []string{"y"}),
			onnx.NewNode("If", "", []string{"yes"}, []string{"z"}, onnx.AttrGraph("then_branch", pass),
				onnx.AttrGraph("else_branch", other)),
		},
		Initializer: []*onnxpb.TensorProto{onnx.TensorToProto("two", two), onnx.TensorToProto("one", one),
			onnx.TensorToProto("yes", tensor.From([]bool{true}))},
		ValueInfo: []*onnxpb.ValueInfoProto{onnx.ValueInfo("y.raw", d, "N", 2)},
	}, 17)
}

func TestAppendAffine(t *testing.T) {
	for _, d := range []tensor.DType{tensor.Float32, tensor.Float64, tensor.Float16} {
		m := doubled(d)
		scale, _ := tensor.From([]float32{10, 100}, 2).Convert(d)
		shift, _ := tensor.From([]float32{3}, 1).Convert(d)
		if err := m.AppendAffine("y", scale, shift); err != nil {
			t.Fatal(err)
		}
		if err := m.Check(); err != nil {
			t.Fatal(err)
		}
		em, err := engine.Load(m)
		if err != nil {
			t.Fatal(err)
		}
		s, err := em.Session(engine.Query{})
		if err != nil {
			t.Fatal(err)
		}
		x, _ := tensor.From([]float32{1, 2, -1, 0.5}, 2, 2).Convert(d)
		r, err := s.Run(context.Background(), map[string]*tensor.Tensor{"x": x})
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string][]float64{"y": {23, 403, -17, 103}, "z": {3, 5, -1, 2}} {
			for i, v := range r.Value(name).Float64s() {
				if v != want[i] {
					t.Errorf("%v: %s[%d] = %v, want %v", d, name, i, v, want[i])
				}
			}
		}
		if o := em.Outputs()[0]; o.Name != "y" || o.DType != d || len(o.Dims) != 2 {
			t.Errorf("%v: the output is now %v", d, o)
		}
	}
	one := tensor.From([]float32{1}, 1)
	for says, err := range map[string]error{
		`no output "w"`:   doubled(tensor.Float32).AppendAffine("w", one, one),
		"scale and shift": doubled(tensor.Float64).AppendAffine("y", one, one),
		"not computed by ": onnx.NewModel(&onnxpb.GraphProto{Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, 1)}},
			17).AppendAffine("x", one, one),
	} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want an error with %q", err, says)
		}
	}
}
