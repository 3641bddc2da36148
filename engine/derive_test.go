package engine_test

import (
	"math"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// double is m with all its numbers in float64, so that differences of gradients can be taken.
func double(t *testing.T, m *onnx.Model) *onnx.Model {
	t.Helper()
	m = m.Clone()
	g := m.Proto.GetGraph()
	for i, tp := range g.GetInitializer() {
		if tensor.DType(tp.GetDataType()) != tensor.Float32 {
			continue
		}
		v, err := m.Tensor(tp)
		if err != nil {
			t.Fatal(err)
		}
		w, err := v.Convert(tensor.Float64)
		if err != nil {
			t.Fatal(err)
		}
		g.Initializer[i] = onnx.TensorToProto(tp.GetName(), w)
	}
	for _, vs := range [][]*onnxpb.ValueInfoProto{g.GetInput(), g.GetOutput()} {
		for _, vi := range vs {
			vi.GetType().GetTensorType().ElemType = new(int32(tensor.Float64))
		}
	}
	return m
}

func load(t *testing.T, m *onnx.Model) *engine.Model {
	t.Helper()
	em, err := engine.Load(m, engine.WithThreads(1))
	if err != nil {
		t.Fatal(err)
	}
	return em
}

// attention is one attention head with layer normalisation and a residual, on [N,T,d], and a linear layer on the mean of its tokens.
func attention(d int) *onnx.Model {
	b := func(name string, shape ...int) *onnxpb.TensorProto {
		x := testkit.RandN(uint64(len(name))+uint64(shape[0])*7, shape...)
		for i := range x.F32() {
			x.F32()[i] *= 0.4
		}
		return onnx.TensorToProto(name, x)
	}
	ones := tensor.New(tensor.Float32, d)
	for i := range ones.F32() {
		ones.F32()[i] = 1
	}
	g := &onnxpb.GraphProto{
		Name:  new("attention"),
		Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("input", tensor.Float32, "N", "T", d)},
		Initializer: []*onnxpb.TensorProto{
			b("wq", d, d), b("wkk", d, d), b("wvvv", d, d), b("wooooo", d, d), b("head", d, 3), onnx.TensorToProto("gain", ones),
			b("shift", d),
			onnx.TensorToProto("axes", tensor.From([]int64{1}, 1)),
		},
		Node: []*onnxpb.NodeProto{
			onnx.NewNode("LayerNormalization", "ln", []string{"input", "gain", "shift"}, []string{"n"}, onnx.AttrInt("axis", -1)),
			onnx.NewNode("MatMul", "q", []string{"n", "wq"}, []string{"q"}),
			onnx.NewNode("MatMul", "k", []string{"n", "wkk"}, []string{"k"}),
			onnx.NewNode("MatMul", "v", []string{"n", "wvvv"}, []string{"v"}),
			onnx.NewNode("Transpose", "kt", []string{"k"}, []string{"kt"}, onnx.AttrInts("perm", 0, 2, 1)),
			onnx.NewNode("MatMul", "s", []string{"q", "kt"}, []string{"s"}),
			onnx.NewNode("Softmax", "p", []string{"s"}, []string{"p"}, onnx.AttrInt("axis", -1)),
			onnx.NewNode("MatMul", "z", []string{"p", "v"}, []string{"z"}),
			onnx.NewNode("MatMul", "o", []string{"z", "wooooo"}, []string{"o"}),
			onnx.NewNode("Gelu", "a", []string{"o"}, []string{"a"}),
			onnx.NewNode("Add", "r", []string{"a", "input"}, []string{"r"}),
			onnx.NewNode("ReduceMean", "m", []string{"r", "axes"}, []string{"m"}, onnx.AttrInt("keepdims", 0)),
			onnx.NewNode("MatMul", "head", []string{"m", "head"}, []string{"logits"}),
		},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("logits", tensor.Float32, "N", 3)},
	}
	return onnx.NewModel(g, 20)
}

func trainable(m *engine.Model) []string {
	var names []string
	for p := range m.Params() {
		if p.Trainable {
			names = append(names, p.Name)
		}
	}
	return names
}

// crossEntropy is the mean softmax cross-entropy of the model's first output.
func crossEntropy(m *engine.Model) engine.Loss {
	return func(b *engine.Build) (graph.Value, error) {
		z, err := b.Value(m.Outputs()[0].Name)
		if err != nil {
			return 0, err
		}
		y := b.Input("labels", tensor.Int64, nil)
		return b.Add(ops.SoftmaxCrossEntropyLoss, ops.LossReduction("mean"), z, y), nil
	}
}

// TestHessianVectorProduct compares Reverse applied twice with central differences of the gradient.
func TestHessianVectorProduct(t *testing.T) {
	lenet, err := models.New("lenet", models.Options{ImageSize: 16, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		m    *onnx.Model
		x    *tensor.Tensor
	}{
		{"lenet", lenet, testkit.RandN(5, 3, 1, 16, 16)},
		{"attention", attention(6), testkit.RandN(6, 3, 4, 6)},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := load(t, double(t, c.m))
			m.Thaw()
			names := trainable(m)
			x, err := c.x.Convert(tensor.Float64)
			if err != nil {
				t.Fatal(err)
			}
			feeds := map[string]*tensor.Tensor{"input": x, "labels": tensor.From([]int64{0, 2, 1}, 3)}
			dir := map[string]*tensor.Tensor{}
			for i, n := range names {
				p, err := m.Param(n)
				if err != nil {
					t.Fatal(err)
				}
				v, err := testkit.RandN(uint64(100+i), p.Value.Shape()...).Convert(tensor.Float64)
				if err != nil {
					t.Fatal(err)
				}
				dir[n] = v
			}
			hvp, err := m.Session(engine.Query{Loss: crossEntropy(m), Derive: func(b *engine.Build) (engine.Outputs, error) {
				loss, err := crossEntropy(m)(b)
				if err != nil {
					return nil, err
				}
				var wrt, vs []graph.Value
				for _, n := range names {
					w, err := b.Value(n)
					if err != nil {
						return nil, err
					}
					wrt, vs = append(wrt, w), append(vs, b.Const(dir[n]))
				}
				hv, err := grad.HVP(b.G, loss, wrt, vs, grad.Options{})
				if err != nil {
					return nil, err
				}
				out := engine.Outputs{}
				for i, n := range names {
					out["hv:"+n] = hv[i]
				}
				return out, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			r, err := hvp.Run(t.Context(), feeds)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][]float64{}
			for _, n := range names {
				got[n] = r.Value("hv:" + n).Clone().Float64s()
			}

			s, err := m.Session(engine.Query{Loss: crossEntropy(m), Grad: names})
			if err != nil {
				t.Fatal(err)
			}
			const h = 1e-6
			shift := func(k float64) map[string][]float64 {
				for _, n := range names {
					p, _ := m.Param(n)
					w, v := tensor.Data[float64](p.Value), tensor.Data[float64](dir[n])
					for i := range w {
						w[i] += k * v[i]
					}
				}
				r, err := s.Run(t.Context(), feeds)
				if err != nil {
					t.Fatal(err)
				}
				g := map[string][]float64{}
				for _, n := range names {
					g[n] = append([]float64(nil), tensor.Data[float64](r.Grad(n))...)
				}
				return g
			}
			plus := shift(h)
			minus := shift(-2 * h)
			for _, n := range names {
				num, den := 0.0, 0.0
				for i := range got[n] {
					want := (plus[n][i] - minus[n][i]) / (2 * h)
					num += (got[n][i] - want) * (got[n][i] - want)
					den += want * want
				}
				if e := math.Sqrt(num / (den + 1e-20)); e > 1e-6 {
					t.Errorf("Hessian-vector product by %s is off by %.2g relative", n, e)
				}
			}
		})
	}
}

// TestGuidedBackprop is the override mechanism in use: guided backpropagation in five lines.
func TestGuidedBackprop(t *testing.T) {
	m := load(t, readModel(t, "../explain/testdata/netB.onnx"))
	v := testkit.Vectors(t, "../explain/testdata/netB.json.gz")
	x := testkit.Vectors(t, "../explain/testdata/common.json.gz")["input"].Tensor

	guided := func(n *graph.Node) grad.Rule {
		if n.Op != ops.Relu {
			return nil
		}
		return func(b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(ops.Relu, nil, b.Add(ops.ReluGrad, nil, n.Out[0], dy[0]))}, nil
		}
	}

	target := int(v["target_argmax"].Tensor.Float64s()[0])
	s, err := m.Session(engine.Query{Grad: []string{"input"}, Override: guided, Loss: func(b *engine.Build) (graph.Value, error) {
		z, err := b.Value("logits")
		if err != nil {
			return 0, err
		}
		pick := tensor.New(tensor.Float32, 1, 5)
		pick.F32()[target] = 1
		return b.Add(ops.ReduceSum, nil, b.Add(ops.Mul, nil, z, b.Const(pick))), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(t.Context(), map[string]*tensor.Tensor{"input": x})
	if err != nil {
		t.Fatal(err)
	}
	want := v["input/guided_backprop"].Tensor
	top := 0.0
	for _, w := range want.Float64s() {
		top = max(top, math.Abs(w))
	}
	for i, w := range want.Float64s() {
		if g := float64(r.Grad("input").F32()[i]); math.Abs(g-w) > 1e-4*top+1e-6 {
			t.Fatalf("element %d is %v, want %v", i, g, w)
		}
	}
}

func readModel(t *testing.T, path string) *onnx.Model {
	t.Helper()
	m, err := onnx.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
