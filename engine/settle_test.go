package engine

import (
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Settled weights are those that the file holds, for both half types; a number that the type does not have is refused.
func TestSettle(t *testing.T) {
	for _, d := range []tensor.DType{tensor.Float16, tensor.BFloat16} {
		w, err := tensor.From([]float32{1, 2, 3, 4}, 2, 2).Convert(d)
		if err != nil {
			t.Fatal(err)
		}
		name := "settle"
		m, err := Load(onnx.NewModel(&onnxpb.GraphProto{
			Name: &name, Node: []*onnxpb.NodeProto{onnx.NewNode("MatMul", "mm", []string{"x", "w"}, []string{"y"})},
			Input:       []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", d, "N", 2)},
			Output:      []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", d, "N", 2)},
			Initializer: []*onnxpb.TensorProto{onnx.TensorToProto("w", w)},
		}, 13))
		if err != nil {
			t.Fatal(err)
		}
		m.Thaw()
		p, err := m.Param("w")
		if err != nil {
			t.Fatal(err)
		}
		p.Value.F32()[0] = 1.0001
		if some, err := m.Settle(); err != nil || !some || p.Value.F32()[0] != 1 {
			t.Errorf("%v: %v, settled %v, error %v", d, p.Value.F32(), some, err)
		}
		f, err := m.Save()
		if err != nil {
			t.Fatal(err)
		}
		saved, err := f.Tensor(f.Initializer("w"))
		if err != nil || saved.DType() != d || saved.Float64s()[0] != 1 {
			t.Errorf("%v: saved %v, error %v", d, saved, err)
		}
		p.Value.F32()[3] = 3.4e38
		if _, err := m.Settle(); err == nil || !strings.Contains(err.Error(), `"w": 3.4e+38 is too large for `+d.String()) {
			t.Errorf("%v: a weight of 3.4e38: %v", d, err)
		}
	}
}
