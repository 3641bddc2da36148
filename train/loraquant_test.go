package train

import (
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

// quantisedModels are products with a weight of few bits, by what they are.
func quantisedModels(t *testing.T) map[string]*onnx.Model {
	node := onnx.NewNode
	small := func(n int, d tensor.DType, shape ...int) *tensor.Tensor {
		x := tensor.New(tensor.Float32, shape...)
		for i := range x.F32() {
			x.F32()[i] = float32((i*7+3)%n - n/2)
		}
		if d == tensor.Uint8 {
			for i := range x.F32() {
				x.F32()[i] = float32((i*37 + 11) % 256)
			}
		}
		return as(t, d, x)
	}
	positive := func(shape ...int) *tensor.Tensor {
		x := testkit.RandN(4, shape...)
		for i := range x.F32() {
			x.F32()[i] = 0.05 + 0.01*x.F32()[i]*x.F32()[i]
		}
		return x
	}
	in, out := []any{"N", 32}, []any{"N", 8}
	perAxis := graphModel(in, out, []*onnxpb.NodeProto{
		node("DequantizeLinear", "dq", []string{"q", "s", "z"}, []string{"w"}, onnx.AttrInt("axis", 0)),
		node("Transpose", "t", []string{"w"}, []string{"wt"}), node("MatMul", "m", []string{"x", "wt"}, []string{"y"}),
	}, map[string]*tensor.Tensor{"q": small(15, tensor.Int8, 8, 32), "s": positive(8), "z": small(3, tensor.Int8, 8)})
	blocks := graphModel(in, out, []*onnxpb.NodeProto{
		node("DequantizeLinear", "dq", []string{"q", "s"}, []string{"w"}, onnx.AttrInt("axis", 0), onnx.AttrInt("block_size", 16)),
		node("Gemm", "m", []string{"x", "w", "b"}, []string{"y"}, onnx.AttrFloat("alpha", 0.5)),
	}, map[string]*tensor.Tensor{"q": small(15, tensor.Int4, 32, 8), "s": positive(2, 8), "b": testkit.RandN(2, 8)})
	blocks.Proto.OpsetImport[0].Version = new(int64(21))
	bits := node("MatMulNBits", "m", []string{"x", "q", "s", "", "", "b"}, []string{"y"}, onnx.AttrInt("K", 32), onnx.AttrInt("N", 8),
		onnx.AttrInt("bits", 4), onnx.AttrInt("block_size", 16))
	bits.Domain = new(fusedDomain)
	nbits := graphModel(in, out, []*onnxpb.NodeProto{bits}, map[string]*tensor.Tensor{"q": small(1, tensor.Uint8, 8, 2, 8),
		"s": positive(8, 2), "b": testkit.RandN(2, 8)})
	nbits.Proto.OpsetImport = append(nbits.Proto.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: new(fusedDomain), Version: new(int64(1))})
	return map[string]*onnx.Model{"int8 per axis": perAxis, "int4 in blocks": blocks, "MatMulNBits": nbits}
}

// Adapters train beside a quantised weight, which stays; it takes them in as real numbers only.
func TestLoRAQuantised(t *testing.T) {
	x := testkit.RandN(9, 12, 32)
	for name, base := range quantisedModels(t) {
		t.Run(name, func(t *testing.T) {
			with, a, err := (LoRA{Rank: 2, Alpha: 4, Seed: 1}).Add(load(t, base))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(a.Quantised(), []string{"q"}) {
				t.Fatalf("adapters %v", a.List)
			}
			before := loraRun(t, base, x)
			testkit.Close(t, "at the start", loraRun(t, with, x), before, 1e-6, 1e-6)
			want := testkit.RandN(11, 12, 8)
			m := load(t, with)
			res, err := Fit(t.Context(), m, regression{x, want}, Config{Params: a.Params(), Loss: "mse", Epochs: 40, BatchSize: -1,
				Optimizer: rule(t, "adam", optim.Config{}), Schedule: optim.Constant(0.05), Val: data.Dataset(regression{x, want})})
			if err != nil {
				t.Fatal(err)
			}
			if !(res.After.Loss < 0.8*res.Before.Loss) {
				t.Errorf("loss %.4g after %.4g", res.After.Loss, res.Before.Loss)
			}
			trained, err := m.Save()
			if err != nil {
				t.Fatal(err)
			}
			if q, _ := trained.Tensor(trained.Initializer("q")); q == nil || string(q.Bytes()) != string(initial(t, base, "q").Bytes()) {
				t.Error("the quantised weight has changed")
			}
			if _, err := a.Merge(trained, false); err == nil || !strings.Contains(err.Error(), `the weight "q" (of 1) is quantised`) {
				t.Errorf("merged into a quantised weight: %v", err)
			}
			real, err := a.Merge(trained, true)
			if err != nil {
				t.Fatal(err)
			}
			testkit.Close(t, "dequantised", loraRun(t, real, x), loraRun(t, trained, x), 1e-5, 1e-5)
			for _, x := range real.Proto.GetGraph().GetInitializer() {
				if readers(real, x.GetName()) == 0 {
					t.Errorf("%s is left", x.GetName())
				}
			}
			for _, n := range real.Proto.GetGraph().GetNode() {
				if n.GetOpType() == "DequantizeLinear" || isNBits(n) {
					t.Errorf("%s is left", label(n))
				}
			}
		})
	}
}

func initial(t *testing.T, m *onnx.Model, name string) *tensor.Tensor {
	t.Helper()
	x, err := m.Tensor(m.Initializer(name))
	if err != nil {
		t.Fatal(err)
	}
	return x
}
