package engine_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// The programs of testdata/gen/control_golden.py.

type proto = onnxpb.GraphProto

var (
	op   = onnx.NewNode
	in   = func(s string) []string { return strings.Fields(s) }
	attr = onnx.AttrInt
)

// body is a subgraph; its inputs and outputs are written "name:type", followed by a dot, or a star for each axis, where the rank is
// declared.
func body(inputs, outputs string, nodes ...*onnxpb.NodeProto) *proto {
	types := map[string]tensor.DType{"f": tensor.Float32, "i": tensor.Int64, "b": tensor.Bool}
	infos := func(s string) []*onnxpb.ValueInfoProto {
		var vs []*onnxpb.ValueInfoProto
		for _, f := range in(s) {
			name, d, _ := strings.Cut(f, ":")
			var dims []any
			for range strings.Count(d, "*") {
				dims = append(dims, "")
			}
			vi := onnx.ValueInfo(name, types[d[:1]], dims...)
			if len(d) == 1 {
				vi.GetType().GetTensorType().Shape = nil
			}
			vs = append(vs, vi)
		}
		return vs
	}
	return &proto{Name: new("body"), Input: infos(inputs), Output: infos(outputs), Node: nodes}
}

func scalarOf(name string, v any) *onnxpb.TensorProto {
	switch x := v.(type) {
	case float32:
		return onnx.TensorToProto(name, tensor.Scalar(x))
	case int64:
		return onnx.TensorToProto(name, tensor.Scalar(x))
	default:
		return onnx.TensorToProto(name, tensor.Scalar(v.(bool)))
	}
}

// controlModel is one of the programs, with the weights of its golden case.
func controlModel(kind string, v map[string]testkit.Vector, names []string) *onnx.Model {
	g := &proto{Name: new(kind), Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("logits", tensor.Float32, "N", 3)}}
	dims := []any{"N", 4}
	for _, n := range names {
		g.Initializer = append(g.Initializer, onnx.TensorToProto(n, v[kind+"/"+n].Tensor))
	}
	switch kind {
	case "then", "else":
		g.Initializer = append(g.Initializer, scalarOf("zero", float32(0)))
		g.Node = []*onnxpb.NodeProto{
			op("Gemm", "", in("x w0"), in("xw")), op("Tanh", "", in("xw"), in("h")),
			op("ReduceSum", "", in("x"), in("sum"), attr("keepdims", 0)), op("Greater", "", in("sum zero"), in("cond")),
			op("If", "choice", in("cond"), in("z aux"),
				onnx.AttrGraph("then_branch", body("", "z1:f h:f", op("Gemm", "", in("h a bias"), in("z1")))),
				onnx.AttrGraph("else_branch", body("", "z2:f s:f", op("Mul", "", in("h h"), in("hh")),
					op("Gemm", "", in("hh b"), in("z2")), op("Sin", "", in("h"), in("s")))),
			),
			op("Gemm", "", in("aux c"), in("auxc")), op("Add", "", in("z auxc"), in("logits")),
		}
	case "scan":
		dims = []any{"N", 4, 4}
		g.Initializer = append(g.Initializer, onnx.TensorToProto("s0", tensor.New(tensor.Float32, 3, 5)),
			onnx.TensorToProto("axes", tensor.From([]int64{0}, 1)))
		g.Node = []*onnxpb.NodeProto{
			op("Scan", "steps", in("s0 x"), in("last all"), attr("num_scan_inputs", 1), onnx.AttrInts("scan_input_axes", 1),
				onnx.AttrGraph("body", body("s:f** xt:f**", "s2:f** copy:f**", op("Concat", "", in("s xt"), in("both"), attr("axis", -1)),
					op("Gemm", "", in("both w bias"), in("lin")), op("Tanh", "", in("lin"), in("s2")),
					op("Identity", "", in("s2"), in("copy"))))),
			op("ReduceMean", "", in("all axes"), in("mean"), attr("keepdims", 0)), op("Add", "", in("last mean"), in("f")),
			op("Gemm", "", in("f head"), in("logits")),
		}
	case "loop":
		g.Initializer = append(g.Initializer, scalarOf("true", true), scalarOf("zero", int64(0)), scalarOf("one", int64(1)),
			scalarOf("three", int64(3)),
			onnx.TensorToProto("axes", tensor.From([]int64{0}, 1)))
		g.Node = []*onnxpb.NodeProto{
			op("Gemm", "", in("x w0"), in("a0")),
			op("Loop", "while", []string{"", "true", "zero", "a0"}, in("n last all"),
				onnx.AttrGraph("body", body("i:i. c:b. k:i. a:f**", "more:b. k2:i. a2:f** sq:f**",
					op("Add", "", in("k one"), in("k2")), op("Gemm", "", in("a w"), in("aw")), op("Tanh", "", in("aw"), in("t")),
					op("Cast", "", in("k2"), in("kf"), attr("to", int64(tensor.Float32))), op("Mul", "", in("t kf"), in("a2")),
					op("Mul", "", in("a2 a2"), in("sq")),
					op("Less", "", in("k2 three"), in("more"))))),
			op("ReduceSum", "", in("all axes"), in("sum"), attr("keepdims", 0)), op("Add", "", in("last sum"), in("f")),
			op("Gemm", "", in("f head"), in("logits")),
		}
	}
	g.Input = []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, dims...)}
	return onnx.NewModel(g, 18)
}

// controlCases yields the golden cases with the names of their weights.
func controlCases(t *testing.T, yield func(kind string, m *onnx.Model, names []string, v map[string]*tensor.Tensor)) {
	all := testkit.Vectors(t, "testdata/control.json.gz")
	for _, kind := range []string{"then", "else", "scan", "loop"} {
		v := map[string]*tensor.Tensor{}
		var names []string
		for key, x := range all {
			if name, ok := strings.CutPrefix(key, kind+"/"); ok {
				v[name] = x.Tensor
				if name, ok := strings.CutPrefix(name, "hv:"); ok {
					names = append(names, name)
				}
			}
		}
		slices.Sort(names)
		yield(kind, controlModel(kind, all, names), names, v)
	}
}

var controlLabels = tensor.From([]int64{0, 2, 1}, 3)

// zeroOr is d, or zeros like want when the loss does not depend on the value.
func zeroOr(d, want *tensor.Tensor) *tensor.Tensor {
	if d == nil {
		return tensor.New(want.DType(), want.Shape()...)
	}
	return d
}

// TestControlGradients compares the gradients through If, Scan and Loop, and Hessian-vector products, with PyTorch's.
func TestControlGradients(t *testing.T) {
	controlCases(t, func(kind string, om *onnx.Model, names []string, v map[string]*tensor.Tensor) {
		t.Run(kind, func(t *testing.T) {
			m := load(t, om)
			q := engine.Query{Loss: crossEntropy(m), Grad: append([]string{"x"}, names...),
				Derive: func(b *engine.Build) (engine.Outputs, error) {
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
						wrt, vs = append(wrt, w), append(vs, w)
					}
					hv, err := grad.HVP(b.G, loss, wrt, vs, grad.Options{})
					out := engine.Outputs{}
					for i, n := range names {
						if err == nil && hv[i] != 0 {
							out["hv:"+n] = hv[i]
						}
					}
					return out, err
				}}
			s, err := m.Session(q)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				r, err := s.Run(t.Context(), map[string]*tensor.Tensor{"x": v["x"], "labels": controlLabels})
				if err != nil {
					t.Fatal(err)
				}
				same(t, "loss", r.Loss(), v["loss"])
				for _, n := range q.Grad {
					same(t, "grad:"+n, zeroOr(r.Grad(n), v["grad:"+n]), v["grad:"+n])
				}
				for _, n := range names {
					same(t, "hv:"+n, zeroOr(r.Value("hv:"+n), v["hv:"+n]), v["hv:"+n])
				}
			}
		})
	})
}

// TestControlGradientOfConstant asks for the gradient by a captured value that no training changes: it is a constant of the file, and
// still what the loss depends on.
func TestControlGradientOfConstant(t *testing.T) {
	g := &proto{
		Name: new("constant"), Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, "N", 3),
			onnx.ValueInfo("c", tensor.Bool)},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("logits", tensor.Float32, "N", 3)},
		Node: []*onnxpb.NodeProto{
			op("Constant", "", nil, in("scale"), onnx.AttrTensor("value", tensor.From([]float32{1, 2, 3}, 3))),
			op("If", "choice", in("c"), in("logits"),
				onnx.AttrGraph("then_branch", body("", "y:f", op("Mul", "", in("x scale"), in("y")))),
				onnx.AttrGraph("else_branch", body("", "x:f"))),
		},
	}
	m := load(t, onnx.NewModel(g, 18))
	s, err := m.Session(engine.Query{Loss: crossEntropy(m), Grad: []string{"scale", "x"}})
	if err != nil {
		t.Fatal(err)
	}
	x := testkit.RandN(4, 3, 3)
	for _, c := range []bool{true, false} {
		r, err := s.Run(t.Context(), map[string]*tensor.Tensor{"x": x, "c": tensor.Scalar(c), "labels": controlLabels})
		if err != nil {
			t.Fatal(err)
		}
		d := r.Grad("scale")
		if d == nil {
			t.Fatal("no gradient by the constant that the branch multiplies by")
		}
		for k := range 3 { // dz = softmax(z) - onehot over N; d scale = Σ x dz, d x = scale dz
			want := 0.0
			for i := range 3 {
				z := []float64{1, 1, 1}
				if c {
					z = []float64{1, 2, 3}
				}
				sum := 0.0
				for j := range 3 {
					sum += math.Exp(z[j] * float64(x.F32()[3*i+j]))
				}
				dz := math.Exp(z[k]*float64(x.F32()[3*i+k])) / sum
				if controlLabels.I64()[i] == int64(k) {
					dz--
				}
				dz /= 3
				if got := float64(r.Grad("x").F32()[3*i+k]); math.Abs(got-z[k]*dz) > 1e-5 {
					t.Errorf("condition %v: gradient by x[%d,%d] is %v, want %v", c, i, k, got, z[k]*dz)
				}
				if c {
					want += float64(x.F32()[3*i+k]) * dz
				}
			}
			if got := float64(d.F32()[k]); math.Abs(got-want) > 1e-5 {
				t.Errorf("condition %v: gradient by scale[%d] is %v, want %v", c, k, got, want)
			}
		}
	}
}

// TestExportedControlGradients writes the training graphs as ONNX, with bodies in ONNX's own operators, and runs them here and, where it
// is installed, in ONNX Runtime.
func TestExportedControlGradients(t *testing.T) {
	controlCases(t, func(kind string, om *onnx.Model, names []string, v map[string]*tensor.Tensor) {
		t.Run(kind, func(t *testing.T) {
			em := load(t, om)
			m, err := em.Export(engine.Query{Loss: crossEntropy(em), Grad: append([]string{"x"}, names...)})
			if err != nil {
				t.Fatal(err)
			}
			m.Walk(func(_ *onnxpb.GraphProto, n *onnxpb.NodeProto) {
				if n.GetDomain() != "" {
					t.Errorf("node %s has domain %q", n.GetOpType(), n.GetDomain())
				}
			})
			if err := m.Check(); err != nil {
				t.Fatal(err)
			}
			want := map[string]*tensor.Tensor{"loss": v["loss"]}
			for _, o := range m.Proto.GetGraph().GetOutput() {
				if n := o.GetName(); n != "loss" {
					want[n] = v[n]
				}
			}
			feeds := map[string]*tensor.Tensor{"x": v["x"], "labels": controlLabels}
			s, err := load(t, m).Session(engine.Query{})
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.Run(t.Context(), feeds)
			if err != nil {
				t.Fatal(err)
			}
			for name, w := range want {
				same(t, name, r.Value(name), w)
			}
			t.Run("onnxruntime", func(t *testing.T) {
				got := inONNXRuntime(t, m, feeds)
				for name, w := range want {
					same(t, name, got[name], w)
				}
			})
		})
	})
}

// TestExportedByPyTorch differentiates models that PyTorch 2.11 exported from torch.cond, scan and while_loop. The gradients of cond that
// came with the models are PyTorch's. Those of the weights in the loops are not the loss's: they hold the last trip alone, as if what is
// carried were detached. The same programs without a loop are the measure there.
func TestExportedByPyTorch(t *testing.T) {
	gemm := func(x, y string) *onnxpb.NodeProto {
		return op("Gemm", "", in(x+" m.w.weight m.w.bias"), in(y), attr("transB", 1))
	}
	head := op("Gemm", "", in("s m.h.weight m.h.bias"), in("logits"), attr("transB", 1))
	unrolled := map[string][]*onnxpb.NodeProto{
		"scan": {op("Split", "", in("x"), in("x0 x1 x2 x3 x4"), attr("axis", 0), attr("num_outputs", 5)),
			op("Sub", "", in("x0 x0"), in("z")), op("Squeeze", "", in("z axis"), in("s0"))},
		"whileloop": {gemm("x", "a0"), op("Tanh", "", in("a0"), in("a1")), gemm("a1", "a2"), op("Tanh", "", in("a2"), in("a3")),
			gemm("a3", "a4"), op("Tanh", "", in("a4"), in("s")), head},
	}
	for i, s := range in("s1 s2 s3 s4 s") {
		c := fmt.Sprint(i)
		unrolled["scan"] = append(unrolled["scan"], op("Squeeze", "", in("x"+c+" axis"), in("r"+c)),
			op("Concat", "", in([]string{"s0", "s1", "s2", "s3", "s4"}[i]+" r"+c), in("c"+c), attr("axis", -1)), gemm("c"+c, "l"+c),
			op("Tanh", "", in("l"+c), in(s)))
	}
	unrolled["scan"] = append(unrolled["scan"], head)
	for _, name := range []string{"cond", "scan", "whileloop"} {
		t.Run(name, func(t *testing.T) {
			read := func(file string) map[string]*tensor.Tensor {
				ts, err := tensor.ReadFile(testkit.SharedFile(t, "data", "modern", name, file))
				if err != nil {
					t.Fatal(err)
				}
				m := map[string]*tensor.Tensor{}
				for _, x := range ts {
					m[x.Name] = x.Tensor
				}
				return m
			}
			io, want := read("io.npz"), read("grad.npz")
			om := readModel(t, testkit.SharedFile(t, "data", "modern", name, "model.onnx"))
			var names []string
			for n := range want {
				if want["p:"+n] != nil {
					names = append(names, n)
				}
			}
			grads := func(om *onnx.Model) map[string]*tensor.Tensor {
				m := load(t, om)
				s, err := m.Session(engine.Query{Loss: crossEntropy(m), Grad: names})
				if err != nil {
					t.Fatal(err)
				}
				r, err := s.Run(t.Context(), map[string]*tensor.Tensor{"x": io["in_x"], "labels": want["labels"]})
				if err != nil {
					t.Fatal(err)
				}
				got := map[string]*tensor.Tensor{}
				for _, n := range names {
					got[n] = zeroOr(r.Grad(n), want[n]).Clone()
				}
				return got
			}
			got := grads(om)
			if nodes := unrolled[name]; nodes != nil {
				g := om.Clone().Proto.GetGraph()
				g.Node, g.Output[0].Name = nodes, new("logits")
				g.Initializer = append(g.Initializer, onnx.TensorToProto("axis", tensor.From([]int64{0}, 1)))
				for n, d := range grads(onnx.NewModel(g, 20)) {
					if strings.HasPrefix(n, "m.w.") {
						want[n] = d
					}
				}
			}
			for _, n := range names {
				same(t, n, got[n], want[n])
			}
		})
	}
}

// The inputs of a body that declare no type have that of what the node gives them. The first input of a Scan of version 8 is the lengths,
// which it does not.
func TestScan8BodyTypes(t *testing.T) {
	b := body("s:f** xt:i**", "s2:f** xt2:i**", op("Identity", "", in("s"), in("s2")), op("Identity", "", in("xt"), in("xt2")))
	for _, io := range append(b.Input, b.Output...) {
		io.Type = nil
	}
	g := &proto{Name: new("scan8"), Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("lengths", tensor.Int64, "N"),
		onnx.ValueInfo("s0", tensor.Float32, "N", 1, 2), onnx.ValueInfo("x", tensor.Int64, "N", 3, 1, 2)},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("last", tensor.Float32, "N", 1, 2), onnx.ValueInfo("all", tensor.Int64, "N", 3, 1, 2)},
		Node: []*onnxpb.NodeProto{op("Scan", "steps", in("lengths s0 x"), in("last all"), attr("num_scan_inputs", 1),
			onnx.AttrGraph("body", b))}}
	m, err := engine.Load(onnx.NewModel(g, 8))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]tensor.DType{"last": tensor.Float32, "all": tensor.Int64} {
		if got, err := m.DType(name); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want)
		}
	}
}
