package train

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

func heads(t *testing.T) map[string]*onnx.Model {
	t.Helper()
	node := onnx.NewNode
	random := func(seed uint64, shape ...int) *tensor.Tensor { return testkit.RandN(seed, shape...) }
	half, err := random(1, 5, 6).Convert(tensor.Float16)
	if err != nil {
		t.Fatal(err)
	}
	// The tail of CNTK's MNIST model: the weight is reshaped from an initializer.
	reshaped := graphModel([]any{1, 2, 2, 2}, []any{1, 10}, []*onnxpb.NodeProto{
		node("Reshape", "flat", []string{"x", "flat_shape"}, []string{"f"}),
		node("Reshape", "weight", []string{"w", "w_shape"}, []string{"w2"}),
		node("MatMul", "times", []string{"f", "w2"}, []string{"z"}),
		node("Add", "plus", []string{"z", "b"}, []string{"y"}),
	}, map[string]*tensor.Tensor{
		"w": random(2, 2, 2, 2, 10), "b": random(3, 1, 10), "flat_shape": tensor.From([]int64{1, 8}, 2),
		"w_shape": tensor.From([]int64{8, 10}, 2),
	})
	// The tail of SqueezeNet: 1×1 convolution, ReLU, global average pool, Softmax.
	squeeze := graphModel([]any{1, 4, 3, 3}, []any{1, 7, 1, 1}, []*onnxpb.NodeProto{
		node("Conv", "conv10", []string{"x", "w", "b"}, []string{"c"}, onnx.AttrInts("kernel_shape", 1, 1)),
		node("Relu", "relu", []string{"c"}, []string{"r"}),
		node("GlobalAveragePool", "pool", []string{"r"}, []string{"p"}),
		node("Softmax", "prob", []string{"p"}, []string{"y"}, onnx.AttrInt("axis", 1)),
	}, map[string]*tensor.Tensor{"w": random(4, 7, 4, 1, 1), "b": random(5, 7)})
	return map[string]*onnx.Model{
		"Gemm": built(t, "mlp", models.Options{}),
		"MatMul+Add": graphModel([]any{"N", 6}, []any{"N", 4}, []*onnxpb.NodeProto{
			node("MatMul", "mm", []string{"x", "w"}, []string{"z"}), node("Add", "add", []string{"b", "z"}, []string{"y"}),
		}, map[string]*tensor.Tensor{"w": random(6, 6, 4), "b": random(7, 4)}),
		"MatMul+Reshape(initializer)": reshaped,
		"Conv+Relu+GAP+Softmax":       squeeze,
		"fp16": graphModel([]any{"N", 6}, []any{"N", 5}, []*onnxpb.NodeProto{
			node("Cast", "half", []string{"x"}, []string{"h"}, onnx.AttrInt("to", int64(tensor.Float16))),
			node("Gemm", "fc", []string{"h", "w"}, []string{"g"}, onnx.AttrInt("transB", 1)),
			node("Cast", "single", []string{"g"}, []string{"y"}, onnx.AttrInt("to", int64(tensor.Float32))),
		}, map[string]*tensor.Tensor{"w": half}),
	}
}

func TestReplaceHead(t *testing.T) {
	for name, f := range heads(t) {
		t.Run(name, func(t *testing.T) {
			before, err := f.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			old, err := FindHead(f, "")
			if err != nil {
				t.Fatal(err)
			}
			g, h, err := ReplaceHead(f, 3, 1)
			if err != nil {
				t.Fatal(err)
			}
			if h.Classes != 3 || h.Op != old.Op || len(h.Params) != len(old.Params) {
				t.Errorf("head %+v after %+v", h, old)
			}
			if after, err := f.Bytes(); err != nil || !slices.Equal(before, after) {
				t.Errorf("the model itself was changed (%v)", err)
			}
			if err := g.Check(); err != nil {
				t.Fatal(err)
			}
			m := load(t, g)
			s, err := m.Session(engine.Query{})
			if err != nil {
				t.Fatal(err)
			}
			in := m.Inputs()[0]
			r, err := s.Run(context.Background(), map[string]*tensor.Tensor{in.Name: testkit.RandN(9, m.Sizes(1)[0]...)})
			if err != nil {
				t.Fatal(err)
			}
			out := r.Value(m.Outputs()[0].Name)
			if out.Len() != 3 {
				t.Errorf("output %v, want three classes", out)
			}
			for _, v := range out.Float64s() {
				if math.IsNaN(v) {
					t.Errorf("output %v", out.Float64s())
				}
			}
			if names, err := Select(m, nil, true); err != nil ||
				!slices.Equal(slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(h.Params))) {
				t.Errorf("the last layer is %q (%v), want %q", names, err, h.Params)
			}
			if g2, _, err := ReplaceHead(f, 3, 1); err != nil || !sameBytes(t, g, g2) {
				t.Errorf("the same seed gives another head (%v)", err)
			}
			if g2, _, err := ReplaceHead(f, 3, 2); err != nil || sameBytes(t, g, g2) {
				t.Errorf("another seed gives the same head (%v)", err)
			}
		})
	}
}

func sameBytes(t *testing.T, a, b *onnx.Model) bool {
	t.Helper()
	x, err := a.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	y, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Equal(x, y)
}

func TestReplaceHeadOfRealModels(t *testing.T) {
	for _, name := range []string{"mnist-7_cntk", "squeezenet1.1_fp16_opset7", "squeezenet1.1_fp32_opset7", "cifar10_resnet20",
		"mnist_bn_opset16", "mobilenet_v1_0.25_224"} {
		t.Run(name, func(t *testing.T) {
			f, err := onnx.ReadFile(testkit.SharedFile(t, "data", "models", name+".onnx"))
			if err != nil {
				t.Fatal(err)
			}
			g, h, err := ReplaceHead(f, 5, 0)
			if err != nil {
				t.Fatal(err)
			}
			if h.Classes != 5 {
				t.Errorf("%d classes", h.Classes)
			}
			m := load(t, g)
			if _, err := m.Session(engine.Query{}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestReinit(t *testing.T) {
	f := built(t, "resnet8", models.Options{Seed: 3})
	a, err := Reinit(f, 1)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Reinit(f, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !sameBytes(t, a, b) || sameBytes(t, a, f) {
		t.Error("fresh weights do not follow from the seed alone")
	}
	m := load(t, a)
	w := param(t, m, "layer3.0.conv2.weight").Float64s()
	square := 0.0
	for _, v := range w {
		square += v * v / float64(len(w))
	}
	if want := 2.0 / (64 * 9); math.Abs(square-want) > 0.05*want {
		t.Errorf("variance %g, want %g", square, want)
	}
	for name, want := range map[string]float64{"bn1.weight": 1, "bn1.bias": 0, "bn1.running_mean": 0, "bn1.running_var": 1, "fc.bias": 0} {
		for _, v := range param(t, m, name).Float64s() {
			if v != want {
				t.Fatalf("%s has %g, want %g", name, v, want)
			}
		}
	}
	if !FreshBatchNorm(m) {
		t.Error("the statistics of a fresh model do not look fresh")
	}
	if FreshBatchNorm(load(t, built(t, "mlp", models.Options{}))) {
		t.Error("a model without batch normalisation has fresh statistics")
	}
}

func TestSelect(t *testing.T) {
	m := load(t, built(t, "resnet8", models.Options{}))
	all, err := Select(m, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	names, err := Select(m, []string{"layer1", "conv*", "layer2.0.bn?.bias"}, false)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, n := range all {
		switch {
		case len(n) > 7 && n[:7] == "layer1.", n == "conv1.weight", n == "layer2.0.bn1.bias", n == "layer2.0.bn2.bias":
		default:
			want = append(want, n)
		}
	}
	if !slices.Equal(names, want) {
		t.Errorf("trained: %q, want %q", names, want)
	}
	for _, bad := range [][]string{{"layer9"}, {"*"}, {"["}} {
		if names, err := Select(m, bad, false); err == nil {
			t.Errorf("--freeze %q leaves %q", bad, names)
		}
	}
	if names, err := Select(m, []string{"layer1", "conv*"}, true, "layer1.0.bn1"); err != nil ||
		!slices.Equal(names, []string{"layer1.0.bn1.weight", "layer1.0.bn1.bias", "fc.weight", "fc.bias"}) {
		t.Errorf("the last layer and --trainable layer1.0.bn1: %q, %v", names, err)
	}
	if _, err := Select(m, nil, false, "layer9"); err == nil {
		t.Error("--trainable that matches nothing is no error")
	}
}
