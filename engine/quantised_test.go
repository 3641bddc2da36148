package engine_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// quantFile is a model of float32 x [N,…] to y from nodes and initializers.
func quantFile(t *testing.T, nodes []*onnxpb.NodeProto, inits map[string]*tensor.Tensor, shape ...int) *onnx.Model {
	t.Helper()
	dims := make([]any, len(shape))
	for i, n := range shape {
		dims[i] = n
	}
	g := &onnxpb.GraphProto{Name: new("g"), Node: nodes, Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, dims...)},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float32, "N", "M")}}
	for name, c := range inits {
		g.Initializer = append(g.Initializer, onnx.TensorToProto(name, c))
	}
	slices.SortFunc(g.Initializer, func(a, b *onnxpb.TensorProto) int { return strings.Compare(a.GetName(), b.GetName()) })
	return onnx.NewModel(g, 21)
}

func seqF32(n int, f func(i int) float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(f(i))
	}
	return v
}

// squares is the loss Σ y²/2.
func squares(b *engine.Build) (graph.Value, error) {
	y, err := b.Value("y")
	if err != nil {
		return 0, err
	}
	return b.Add(ops.Mul, nil, b.Add(ops.ReduceSum, nil, b.Add(ops.Mul, nil, y, y)), b.Scalar(tensor.Float32, 0.5)), nil
}

func gradients(t *testing.T, file *onnx.Model, x *tensor.Tensor, by ...string) (*engine.Result, error) {
	t.Helper()
	m, err := engine.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Session(engine.Query{Loss: squares, Grad: by})
	if err != nil {
		return nil, err
	}
	r, err := s.Run(context.Background(), map[string]*tensor.Tensor{"x": x})
	if err != nil {
		t.Fatal(err)
	}
	return r, nil
}

// TestQuantisedTraining: in a model between QuantizeLinear and DequantizeLinear, of activations and of weights that the file holds in
// float32, the gradient goes straight through, and is that of the rounded numbers.
func TestQuantisedTraining(t *testing.T) {
	const rows, in, out = 2, 5, 3
	x := tensor.From(seqF32(rows*in, func(i int) float64 { return math.Sin(float64(3*i)) * 2 }), rows, in)
	w := tensor.From(seqF32(in*out, func(i int) float64 { return math.Cos(float64(5 * i)) }), in, out)
	sx, sw := float32(0.012), []float32{0.007, 0.009, 0.002}
	file := quantFile(t, []*onnxpb.NodeProto{
		onnx.NewNode("QuantizeLinear", "qx", []string{"x", "sx", "zx"}, []string{"xq"}),
		onnx.NewNode("DequantizeLinear", "dx", []string{"xq", "sx", "zx"}, []string{"xd"}),
		onnx.NewNode("QuantizeLinear", "qw", []string{"w", "sw", "zw"}, []string{"wq"}, onnx.AttrInt("axis", 1)),
		onnx.NewNode("DequantizeLinear", "dw", []string{"wq", "sw", "zw"}, []string{"wd"}, onnx.AttrInt("axis", 1)),
		onnx.NewNode("MatMul", "product", []string{"xd", "wd"}, []string{"y"}),
	}, map[string]*tensor.Tensor{"sx": tensor.Scalar(sx), "zx": tensor.Scalar(uint8(128)), "w": w, "sw": tensor.From(sw, out),
		"zw": tensor.From([]int8{0, 0, 0}, out)}, rows, in)
	m, err := engine.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := m.Param("w"); err != nil || !p.Trainable {
		t.Errorf("the weight behind QuantizeLinear is not trained: %+v, %v", p, err)
	}
	for _, s := range []string{"sx", "sw"} {
		if p, err := m.Param(s); err != nil || p.Trainable {
			t.Errorf("the scale %s is trained: %+v, %v", s, p, err)
		}
	}
	r, err := gradients(t, file, x, "x", "w")
	if err != nil {
		t.Fatal(err)
	}
	fake := func(v, s float32, z, lo, hi float64) (y, keep float64) {
		q := math.RoundToEven(float64(v/s)) + z
		kept := min(max(q, lo), hi)
		if q == kept {
			keep = 1
		}
		return (kept - z) * float64(s), keep
	}
	var xd, xk [rows * in]float64
	var wd, wk [in * out]float64
	for i, v := range x.F32() {
		xd[i], xk[i] = fake(v, sx, 128, 0, 255)
	}
	for i, v := range w.F32() {
		wd[i], wk[i] = fake(v, sw[i%out], 0, -128, 127)
	}
	if slices.Min(xk[:]) != 0 || slices.Min(wk[:]) != 0 {
		t.Fatal("nothing is out of range")
	}
	dx, dw := make([]float32, rows*in), make([]float32, in*out)
	for n := range rows {
		for o := range out {
			y := 0.0
			for i := range in {
				y += xd[n*in+i] * wd[i*out+o]
			}
			for i := range in {
				dx[n*in+i] += float32(y * wd[i*out+o] * xk[n*in+i])
				dw[i*out+o] += float32(y * xd[n*in+i] * wk[i*out+o])
			}
		}
	}
	for name, want := range map[string]*tensor.Tensor{"x": tensor.From(dx, rows, in), "w": tensor.From(dw, in, out)} {
		if ok, report := tensor.AllClose(r.Grad(name), want, 1e-4, 1e-5); !ok {
			t.Errorf("gradient by %s: %v", name, report)
		}
	}
}

// TestDynamicallyQuantisedGradient: through numbers that are quantised as they come and multiplied in integers, the gradient is that of the
// product of real ones.
func TestDynamicallyQuantisedGradient(t *testing.T) {
	const rows, in, out = 3, 4, 2
	w := []int8{5, -70, 0, 127, -128, 33, 12, 9}
	x := tensor.From(seqF32(rows*in, func(i int) float64 { return math.Sin(float64(7*i)) * 2 }), rows, in)
	sw := float32(0.01)
	file := quantFile(t, []*onnxpb.NodeProto{
		onnx.NewNode("DynamicQuantizeLinear", "q", []string{"x"}, []string{"xq", "sx", "zx"}),
		onnx.NewNode("MatMulInteger", "product", []string{"xq", "w", "zx", "zw"}, []string{"sum"}),
		onnx.NewNode("Cast", "cast", []string{"sum"}, []string{"real"}, onnx.AttrInt("to", 1)),
		onnx.NewNode("Mul", "scales", []string{"sx", "sw"}, []string{"s"}),
		onnx.NewNode("Mul", "scaled", []string{"real", "s"}, []string{"y"}),
	}, map[string]*tensor.Tensor{"w": tensor.From(w, in, out), "sw": tensor.Scalar(sw), "zw": tensor.Scalar(int8(3))}, rows, in)
	m, err := engine.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := s.Run(context.Background(), map[string]*tensor.Tensor{"x": x})
	if err != nil {
		t.Fatal(err)
	}
	y := plain.Value("y").Clone().F32()
	r, err := gradients(t, file, x, "x")
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float32, rows*in)
	for n := range rows {
		for i := range in {
			for o := range out {
				want[n*in+i] += y[n*out+o] * (float32(w[i*out+o]) - 3) * sw
			}
		}
	}
	if ok, report := tensor.AllClose(r.Grad("x"), tensor.From(want, rows, in), 1e-4, 1e-5); !ok {
		t.Errorf("gradient by x: %v", report)
	}
}

// TestSeveredGradient: where quantised numbers are computed with as they are, a gradient is refused, by the name of the node.
func TestSeveredGradient(t *testing.T) {
	file := quantFile(t, []*onnxpb.NodeProto{
		onnx.NewNode("QuantizeLinear", "q", []string{"x", "s"}, []string{"xq"}),
		onnx.NewNode("DequantizeLinear", "d", []string{"xq", "t"}, []string{"y"}),
	}, map[string]*tensor.Tensor{"s": tensor.Scalar(float32(0.1)), "t": tensor.Scalar(float32(0.2))}, 2, 3)
	_, err := gradients(t, file, tensor.New(tensor.Float32, 2, 3), "x")
	if err == nil || !strings.Contains(err.Error(), `"q" (QuantizeLinear)`) {
		t.Errorf("error %v, want one that names the node", err)
	}
	if r, err := gradients(t, file, tensor.New(tensor.Float32, 2, 3), "t"); err != nil || r.Grad("t") == nil {
		t.Errorf("gradient by what follows: %v", err)
	}
}

// TestQuantisedWeightsAreListed: weights and biases of few bits behind DequantizeLinear are not trained, and are listed with the reason.
func TestQuantisedWeightsAreListed(t *testing.T) {
	file := quantFile(t, []*onnxpb.NodeProto{
		onnx.NewNode("DequantizeLinear", "dw", []string{"w", "s"}, []string{"wd"}),
		onnx.NewNode("DequantizeLinear", "db", []string{"b", "s"}, []string{"bd"}),
		onnx.NewNode("Gemm", "layer", []string{"x", "wd", "bd"}, []string{"y"}),
	}, map[string]*tensor.Tensor{"w": tensor.From([]int8{1, 2, 3, 4, 5, 6}, 3, 2), "b": tensor.From([]int32{7, 8}, 2),
		"s": tensor.Scalar(float32(0.1))}, 2, 3)
	m, err := engine.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	found, err := m.Inspect(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range found.NotTrained {
		left = append(left, fmt.Sprintf("%s: %s", u.Name, u.Why))
	}
	slices.Sort(left)
	if len(left) != 3 || !strings.HasPrefix(left[0], "b: it is stored as int32") || !strings.HasPrefix(left[2], "w: it is stored as int8") ||
		!strings.Contains(left[1], "scale of quantised numbers") {
		t.Errorf("not trained: %q", left)
	}
}
