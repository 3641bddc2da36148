package engine_test

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
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

// net builds small models for the tests of freezing. Each method adds a layer behind the last and names its output.
type net struct {
	g    *onnxpb.GraphProto
	x    string
	seed uint64
}

func newNet(dims ...any) *net {
	in := onnx.ValueInfo("input", tensor.Float32, dims...)
	return &net{g: &onnxpb.GraphProto{Name: new("net"), Input: []*onnxpb.ValueInfoProto{in}}, x: "input"}
}

func (b *net) param(name string, scale, shift float32, shape ...int) string {
	b.seed++
	t := testkit.RandN(b.seed, shape...)
	for i, v := range t.F32() {
		t.F32()[i] = v*scale + shift
	}
	b.g.Initializer = append(b.g.Initializer, onnx.TensorToProto(name, t))
	return name
}

func (b *net) node(op, out string, in []string, attrs ...*onnxpb.AttributeProto) *net {
	b.g.Node = append(b.g.Node, onnx.NewNode(op, out, in, []string{out}, attrs...))
	b.x = out
	return b
}

func (b *net) conv(out string, from, to, k, group int, bias bool, attrs ...*onnxpb.AttributeProto) *net {
	in := []string{b.x, b.param(out+".w", 0.4, 0, to, from/group, k, k)}
	if bias {
		in = append(in, b.param(out+".b", 0.3, 0, to))
	}
	p := int64(k / 2)
	return b.node("Conv", out, in, append(attrs, onnx.AttrInt("group", int64(group)), onnx.AttrInts("pads", p, p, p, p))...)
}

func (b *net) bn(out string, c int) *net {
	in := []string{b.x, b.param(out+".scale", 0.3, 1, c), b.param(out+".shift", 0.3, 0, c), b.param(out+".mean", 0.3, 0, c)}
	v := b.param(out+".var", 0.1, 1, c)
	return b.node("BatchNormalization", out, append(in, v))
}

func (b *net) relu(out string) *net { return b.node("Relu", out, []string{b.x}) }

func (b *net) clip(out string) *net {
	for _, c := range []struct {
		name string
		v    float32
	}{{"lo", 0}, {"hi", 6}} {
		if !slices.ContainsFunc(b.g.Initializer, func(t *onnxpb.TensorProto) bool { return t.GetName() == c.name }) {
			b.g.Initializer = append(b.g.Initializer, onnx.TensorToProto(c.name, tensor.Scalar(c.v)))
		}
	}
	return b.node("Clip", out, []string{b.x, "lo", "hi"})
}

func (b *net) linear(out string, from, to int) *net {
	return b.node("Gemm", out, []string{b.x, b.param(out+".w", 0.4, 0, to, from), b.param(out+".b", 0.3, 0, to)},
		onnx.AttrInt("transB", 1))
}

// head pools and adds the last layer, which gives "logits".
func (b *net) head(c int) *onnx.Model {
	b.node("GlobalAveragePool", "pool", []string{b.x}).node("Flatten", "flat", []string{b.x}).linear("logits", c, 3)
	return b.model(3)
}

func (b *net) model(classes int) *onnx.Model {
	b.g.Output = []*onnxpb.ValueInfoProto{onnx.ValueInfo(b.x, tensor.Float32, "N", classes)}
	return onnx.NewModel(b.g, 17)
}

func stack() *onnx.Model {
	return newNet("N", 2, 6, 6).conv("c1", 2, 4, 3, 1, false).bn("n1", 4).relu("r1").
		conv("c2", 4, 5, 3, 1, true).bn("n2", 5).relu("r2").head(5)
}

func residual() *onnx.Model {
	b := newNet("N", 2, 6, 6).conv("c0", 2, 4, 1, 1, true).relu("r0").
		conv("c1", 4, 4, 3, 1, false).bn("n1", 4).relu("r1").conv("c2", 4, 4, 3, 1, false).bn("n2", 4)
	return b.node("Add", "sum", []string{"n2", "r0"}).relu("r2").head(4)
}

func depthwise() *onnx.Model {
	return newNet("N", 4, 6, 6).conv("c1", 4, 6, 3, 2, false).bn("n1", 6).clip("k1").
		conv("c2", 6, 6, 3, 6, false, onnx.AttrInts("strides", 2, 2)).bn("n2", 6).clip("k2").conv("c3", 6, 4, 1, 1, false).bn("n3",
		4).head(4)
}

// shared uses one weight in two convolutions, each with its own normalisation, and reads one convolution twice.
func shared() *onnx.Model {
	b := newNet("N", 2, 5, 5).conv("c1", 2, 2, 3, 1, false).bn("n1", 2).relu("r1")
	b.node("Conv", "c2", []string{"r1", "c1.w"}, onnx.AttrInts("pads", 1, 1, 1, 1)).bn("n2", 2)
	return b.node("Mul", "m", []string{"n2", "c2"}).head(2)
}

func transposed() *onnx.Model {
	b := newNet("N", 2, 4, 4)
	in := []string{b.x, b.param("t1.w", 0.4, 0, 2, 3, 2, 2), b.param("t1.b", 0.4, 0, 3)}
	b.node("ConvTranspose", "t1", in, onnx.AttrInts("strides", 2, 2))
	return b.bn("n1", 3).relu("r1").conv("c1", 3, 4, 3, 1, true, onnx.AttrInts("dilations", 1, 1)).bn("n2", 4).head(4)
}

func dense() *onnx.Model {
	b := newNet("N", 6).linear("l1", 6, 8).relu("r1")
	b.node("MatMul", "m2", []string{b.x, b.param("m2.w", 0.4, 0, 8, 5)})
	b.node("Add", "a2", []string{"m2", b.param("m2.b", 0.3, 0, 5)}).relu("r2")
	return b.bn("n2", 5).linear("logits", 5, 3).model(3)
}

// affine has layers with what is affine in each channel behind them, in all its forms.
func affine() *onnx.Model {
	b := newNet("N", 2, 5, 5).conv("c1", 2, 4, 3, 2, true)
	b.node("Mul", "mul", []string{b.x, b.param("factor", 0.3, 1, 4, 1, 1)})
	b.node("Add", "add", []string{b.param("shift", 0.3, 0, 1, 4, 1, 1), b.x}).relu("r1")
	in := []string{b.x, b.param("t1.w", 0.4, 0, 4, 3, 2, 2)}
	b.node("ConvTranspose", "t1", in, onnx.AttrInt("group", 2), onnx.AttrInts("strides", 2, 2)).bn("n1", 6)
	b.node("Div", "div", []string{b.x, b.param("divisor", 0.1, 2, 6, 1, 1)}).relu("r2").conv("c2", 6, 3, 1, 1, false)
	b.node("Sub", "sub", []string{b.param("from", 0.3, 0, 1, 1, 1), b.x}).relu("r3")
	b.node("GlobalAveragePool", "pool", []string{b.x}).node("Flatten", "flat", []string{b.x})
	in = []string{b.x, b.param("g1.w", 0.4, 0, 3, 5), b.param("g1.c", 0.4, 0, 1, 5)}
	b.node("Gemm", "g1", in, onnx.AttrFloat("alpha", 0.5), onnx.AttrFloat("beta", 2))
	b.bn("n2", 5).node("Sub", "less", []string{b.x, b.param("less.c", 0.3, 0, 5)}).relu("r4")
	return b.linear("g2", 5, 3).node("Mul", "logits", []string{b.x, b.param("g2.f", 0.2, 1, 3)}).model(3)
}

// computed has weights that are computed from parameters.
func computed() *onnx.Model {
	b := newNet("N", 2, 5, 5)
	x := b.x
	b.node("Mul", "wn", []string{b.param("direction", 0.4, 0, 3, 2, 3, 3), b.param("length", 0.2, 1, 3, 1, 1, 1)})
	b.g.Initializer = append(b.g.Initializer, onnx.TensorToProto("half", tensor.Scalar(float32(0.5))))
	b.node("Mul", "wh", []string{"wn", "half"}).node("Conv", "c1", []string{x, "wh"}).bn("n1", 3).relu("r1")
	b.node("GlobalAveragePool", "pool", []string{b.x}).node("Flatten", "flat", []string{b.x})
	b.node("Transpose", "wt", []string{b.param("rows", 0.4, 0, 5, 3)}).node("MatMul", "mm", []string{"flat", "wt"})
	return b.node("Gemm", "g1", []string{"mm", b.param("w3", 0.4, 0, 5, 3)}).node("Add", "logits",
		[]string{"g1", b.param("b3", 0.3, 0, 3)}).model(3)
}

// sums is the loss of a model of any form: the sum of its first real output, weighted so that all its elements count.
func sums(m *engine.Model) engine.Loss {
	return func(b *engine.Build) (graph.Value, error) {
		for _, o := range m.Outputs() {
			if o.DType != tensor.Float32 && o.DType != tensor.Float64 {
				continue
			}
			z, err := b.Value(o.Name)
			if err != nil {
				return 0, err
			}
			return b.Add(ops.ReduceSum, nil, b.Add(ops.Mul, nil, z, b.Add(ops.Sigmoid, nil, z))), nil
		}
		return 0, errors.New("the model has no real output")
	}
}

// compare runs q as the engine does and with everything trainable and unfused, and says what differs by more than tol of the largest
// element; with a tol of 0, in any bit.
func compare(t *testing.T, m *engine.Model, q engine.Query, feeds map[string]*tensor.Tensor, tol float64) (wrong []string) {
	t.Helper()
	plain, err := m.PlainSession(q)
	s, got := m.Session(q)
	if err != nil || got != nil {
		if fmt.Sprint(err) != fmt.Sprint(got) {
			wrong = append(wrong, fmt.Sprintf("session: %v, as all trainable: %v", got, err))
		}
		return wrong
	}
	if len(plain.Slots()) != len(s.Slots()) {
		wrong = append(wrong, fmt.Sprintf("fetches %v, as all trainable %v", s.Slots(), plain.Slots()))
	}
	if q.Dropout {
		plain.SetSeed(7)
		s.SetSeed(7)
	}
	state := map[*engine.Param]*tensor.Tensor{} // running statistics
	for p := range m.Params() {
		if p.State {
			state[p] = p.Value.Clone()
		}
	}
	a, errA := plain.Run(t.Context(), feeds)
	for p, v := range state {
		copy(p.Value.Bytes(), v.Bytes())
	}
	b, errB := s.Run(t.Context(), feeds)
	if errA != nil || errB != nil {
		if errA == nil || errB == nil {
			wrong = append(wrong, fmt.Sprintf("run: %v, as all trainable: %v", errB, errA))
		}
		return wrong
	}
	largest := func(x []float64) float64 {
		top := 0.0
		for _, v := range x {
			top = max(top, math.Abs(v))
		}
		return top
	}
	// The gradient by the bias of keys before a softmax is zero, and what is computed the rounding of those that go into it.
	rounding := map[string]float64{}
	for key := range plain.Slots() {
		const eps = 0x1p-24
		switch kind := key[:2]; kind {
		case "g:":
			rounding[kind] = max(rounding[kind], eps*largest(a.Fetched(key)))
		case "n:":
			rounding[kind] = max(rounding[kind], eps*eps*largest(a.Fetched(key)))
		}
	}
	for key := range plain.Slots() {
		if _, ok := s.Slots()[key]; !ok {
			continue
		}
		want, have := a.Fetched(key), b.Fetched(key)
		if len(want) != len(have) {
			wrong = append(wrong, fmt.Sprintf("%s has %d elements, want %d", key, len(have), len(want)))
			continue
		}
		if r := rounding[key[:2]]; max(largest(want), largest(have)) <= r && tol > 0 {
			continue
		}
		top := largest(want)
		for i, v := range want {
			if d := math.Abs(have[i] - v); !(d <= tol*top) && math.Float64bits(have[i]) != math.Float64bits(v) {
				wrong = append(wrong, fmt.Sprintf("%s: element %d of %d is %v, want %v (largest %.3g)", key, i, len(want), have[i], v,
					top))
				break
			}
		}
	}
	return wrong
}

// queries are ways to differentiate m: by its last layer, by inner values, by the input, by all weights, by each alone, and per example.
func queries(m *engine.Model, loss engine.Loss) map[string]engine.Query {
	qs := map[string]engine.Query{}
	names := trainable(m)
	if len(names) > 0 {
		last := names[max(0, len(names)-2):]
		qs["last layer"] = engine.Query{Loss: loss, Grad: last}
		qs["all"] = engine.Query{Loss: loss, Grad: names}
		qs["all, fixed"] = engine.Query{Loss: loss, Grad: names, Fixed: true}
		qs["per example"] = engine.Query{Loss: loss, PerExample: names}
		qs["per example by the first"] = engine.Query{Loss: loss, PerExample: names[:1]}
		qs["last layer, batch statistics"] = engine.Query{Loss: loss, Grad: last, BN: engine.BNTrain}
		for _, n := range names {
			qs["by "+n] = engine.Query{Loss: loss, Grad: []string{n}}
		}
	}
	for _, in := range m.Inputs() {
		if in.DType == tensor.Float32 {
			qs["input "+in.Name] = engine.Query{Loss: loss, Grad: []string{in.Name}}
			qs["guided "+in.Name] = engine.Query{Loss: loss, Grad: []string{in.Name}, Override: guided}
		}
	}
	g := m.Graph()
	var inner []string
	for _, n := range g.Nodes {
		for _, v := range n.Out {
			if v != 0 && g.Info(v).DType == tensor.Float32 {
				inner = append(inner, g.Info(v).Name)
			}
		}
	}
	step := max(1, (len(inner)+10)/11)
	for i := 0; i < len(inner); i += step {
		qs["at "+inner[i]] = engine.Query{Loss: loss, Fetch: inner[i : i+1], Grad: inner[i : i+1]}
		qs["unseen at "+inner[i]] = engine.Query{Loss: loss, Grad: inner[i : i+1]}
		qs["through "+inner[i]] = engine.Query{Loss: loss, Fetch: inner[i : i+1], Grad: []string{inner[0]}}
	}
	if g.Lookup("half") != 0 {
		qs["by a constant"] = engine.Query{Loss: loss, Grad: []string{"half"}}
	}
	qs["forward"] = engine.Query{}
	return qs
}

func guided(n *graph.Node) grad.Rule {
	if n.Op != ops.Relu {
		return nil
	}
	return func(b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
		return []graph.Value{b.Add(ops.Relu, nil, b.Add(ops.ReluGrad, nil, n.Out[0], dy[0]))}, nil
	}
}

// TestFrozen compares what sessions compute that freeze, fold and fuse with what they compute when they do not.
func TestFrozen(t *testing.T) {
	built := func(name string, o models.Options) *onnx.Model {
		m, err := models.New(name, o)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, c := range []struct {
		name string
		m    *onnx.Model
		x    *tensor.Tensor
		tol  float64 // 0 where nothing can be folded
	}{
		{"stack", stack(), testkit.RandN(1, 3, 2, 6, 6), 2e-5},
		{"residual", residual(), testkit.RandN(2, 3, 2, 6, 6), 2e-5},
		{"depthwise", depthwise(), testkit.RandN(3, 3, 4, 6, 6), 2e-5},
		{"shared", shared(), testkit.RandN(4, 3, 2, 5, 5), 2e-5},
		{"transposed", transposed(), testkit.RandN(5, 3, 2, 4, 4), 2e-5},
		{"dense", dense(), testkit.RandN(6, 3, 6), 2e-5},
		{"affine", affine(), testkit.RandN(12, 3, 2, 5, 5), 2e-5},
		{"computed", computed(), testkit.RandN(13, 3, 2, 5, 5), 2e-5},
		{"attention", attention(6), testkit.RandN(7, 3, 4, 6), 0},
		{"lenet", built("lenet", models.Options{ImageSize: 16}), testkit.RandN(8, 3, 1, 16, 16), 0},
		{"vit", built("vit_tiny", models.Options{ImageSize: 32, Layers: 1}), testkit.RandN(9, 3, 3, 32, 32), 0},
		{"lstm", built("lstm", models.Options{Hidden: 5, Layers: 1}), nil, 0},
		{"resnet8", built("resnet8", models.Options{ImageSize: 8}), testkit.RandN(10, 3, 3, 8, 8), 2e-5},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := load(t, c.m)
			if c.x == nil {
				c.x = testkit.RandN(11, m.Sizes(3)[0]...)
			}
			for name, q := range queries(m, crossEntropyEach(m)) {
				t.Run(name, func(t *testing.T) {
					for _, w := range compare(t, m, q,
						map[string]*tensor.Tensor{"input": c.x, "labels": tensor.From([]int64{0, 2, 1}, 3)}, c.tol) {
						t.Error(w)
					}
				})
			}
		})
	}
}

// TestFrozenModels does so on the models of the shared folder, as far as they can be differentiated. Folding rounds otherwise, and where
// that moves an element over the kink of a Relu, its gradient is another: each query has three inputs to agree on one.
func TestFrozenModels(t *testing.T) {
	if testing.Short() {
		t.Skip("seconds of work")
	}
	old := testkit.SharedFile(t, "data", "models")
	files, err := filepath.Glob(filepath.Join(old, "*.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(old, "..", "modern", "*", "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(files, more...) {
		t.Run(filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), func(t *testing.T) {
			file, err := onnx.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			m, err := engine.Load(file, engine.WithThreads(1))
			if missing := new(engine.UnsupportedError); errors.As(err, &missing) {
				t.Skip(err) // needs operators that there are not
			}
			if err != nil {
				t.Fatal(err)
			}
			cost, err := m.Inspect(nil)
			if err != nil {
				t.Fatal(err)
			}
			names := trainable(m)
			for name, q := range queries(m, sums(m)) {
				switch {
				case strings.HasPrefix(name, "unseen at "), strings.HasPrefix(name, "by ") && name != "by "+names[0] &&
					name != "by "+names[len(names)/2]:
					continue
				case cost.MACs > 3e8 && name != "last layer" && !strings.HasPrefix(name, "input "), cost.MACs > 3e9 &&
					name != "last layer":
					continue
				}
				t.Run(name, func(t *testing.T) {
					var wrong []string
					for seed := range uint64(3) {
						feeds, err := madeUp(m, path, seed)
						if err != nil {
							t.Fatal(err)
						}
						if wrong = compare(t, m, q, feeds, 5e-4); wrong == nil {
							return
						}
					}
					t.Error(strings.Join(wrong, "\n"))
				})
			}
		})
	}
}

// madeUp is an input for the model at path: what its file io.npz or its golden case holds, else random numbers.
func madeUp(m *engine.Model, path string, seed uint64) (map[string]*tensor.Tensor, error) {
	feeds := map[string]*tensor.Tensor{}
	if io, err := tensor.ReadFile(filepath.Join(filepath.Dir(path), "io.npz")); err == nil {
		for _, x := range io {
			if name, ok := strings.CutPrefix(x.Name, "in_"); ok {
				feeds[name] = x.Tensor
			}
		}
	}
	golden, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "golden", strings.TrimSuffix(filepath.Base(path), ".onnx"), "*",
		"input_*.pb"))
	for _, f := range golden {
		if name, x, err := onnx.ReadTensorFile(f); err == nil {
			feeds[name] = x
		}
	}
	for i, s := range m.Sizes(1) {
		in := m.Inputs()[i]
		if feeds[in.Name] != nil && (seed == 0 || in.DType != tensor.Float32) {
			continue
		}
		if feeds[in.Name] != nil {
			s = feeds[in.Name].Shape()
		}
		var err error
		if feeds[in.Name], err = testkit.RandN(100*seed+uint64(i), s...).Convert(in.DType); err != nil {
			return nil, err
		}
	}
	return feeds, nil
}

// crossEntropyEach is the cross-entropy of each example.
func crossEntropyEach(m *engine.Model) engine.Loss {
	return func(b *engine.Build) (graph.Value, error) {
		z, err := b.Value(m.Outputs()[0].Name)
		if err != nil {
			return 0, err
		}
		return b.Add(ops.SoftmaxCrossEntropyLoss, ops.LossReduction("none"), z, b.Input("labels", tensor.Int64, nil)), nil
	}
}
