package engine_test

import (
	"math"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// What operators without a kernel read is told apart as what reads it after they were lowered: rotary tables are no weights, and a mask of
// any numbers is a bias that is learned.
func TestLearnedThroughLowering(t *testing.T) {
	g := &onnxpb.GraphProto{Name: new("net"), Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, "N", 5, 8)},
		Output: []*onnxpb.ValueInfoProto{{Name: new("y")}}}
	ids := tensor.From([]int64{0, 1, 2, 3, 4}, 1, 5)
	for n, v := range map[string]*tensor.Tensor{"Q": testkit.RandN(1, 8, 8), "K": testkit.RandN(2, 8, 8), "mask": testkit.RandN(5, 5, 5),
		"gn": testkit.RandN(7, 5), "bn": testkit.RandN(8, 5), "ids": ids} {
		g.Initializer = append(g.Initializer, onnx.TensorToProto(n, v))
	}
	for n, f := range map[string]func(float64) float64{"cos": math.Cos, "sin": math.Sin} {
		v := tensor.New(tensor.Float32, 32, 2)
		for i := range 32 {
			for j := range 2 {
				v.F32()[i*2+j] = float32(f(float64(i) * math.Pow(10000, -float64(j)/2)))
			}
		}
		g.Initializer = append(g.Initializer, onnx.TensorToProto(n, v))
	}
	g.Node = []*onnxpb.NodeProto{
		onnx.NewNode("MatMul", "mq", []string{"x", "Q"}, []string{"q"}), onnx.NewNode("MatMul", "mk", []string{"x", "K"}, []string{"k"}),
		onnx.NewNode("RotaryEmbedding", "rope", []string{"q", "cos", "sin", "ids"}, []string{"qr"}, onnx.AttrInt("num_heads", 2)),
		onnx.NewNode("RotaryEmbedding", "rope2", []string{"k", "cos", "sin", "ids"}, []string{"kr"}, onnx.AttrInt("num_heads", 2)),
		onnx.NewNode("Attention", "att", []string{"qr", "kr", "x", "mask"}, []string{"a"}, onnx.AttrInt("q_num_heads", 2),
			onnx.AttrInt("kv_num_heads", 2)),
		onnx.NewNode("GroupNormalization", "gnorm", []string{"a", "gn", "bn"}, []string{"y"}, onnx.AttrInt("num_groups", 1)),
	}
	m, err := engine.Load(onnx.NewModel(g, 23))
	if err != nil {
		t.Fatal(err)
	}
	for p := range m.Params() {
		if table := p.Name == "cos" || p.Name == "sin"; p.Trainable == table {
			t.Errorf("%s is trained: %v (%s)", p.Name, p.Trainable, p.Why)
		}
	}
}
