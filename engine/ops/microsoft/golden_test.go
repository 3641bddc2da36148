package microsoft_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/ops/microsoft"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"google.golang.org/protobuf/proto"
)

// golden is a case of testdata/cases.zip, which testdata/gen/ort_golden.py makes: a model of one node, its inputs and what ONNX Runtime
// gives.
type golden struct {
	name    string
	model   *onnxpb.ModelProto
	in, out map[string]*tensor.Tensor
}

func goldens(t *testing.T) []*golden {
	t.Helper()
	z, err := zip.OpenReader("testdata/cases.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	byName := map[string]*golden{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		name, part, _ := strings.Cut(f.Name, "/")
		g := byName[name]
		if g == nil {
			g = &golden{name: name, in: map[string]*tensor.Tensor{}, out: map[string]*tensor.Tensor{}}
			byName[name] = g
		}
		if part == "model.onnx" {
			m, err := onnx.Read(bytes.NewReader(data))
			if err != nil {
				t.Fatal(name, err)
			}
			g.model = m.Proto
			continue
		}
		x, err := tensor.ReadNPY(bytes.NewReader(data))
		if err != nil {
			t.Fatal(f.Name, err)
		}
		into := g.in
		if strings.HasPrefix(part, "out_") {
			into = g.out
		}
		into[strings.TrimSuffix(part[strings.Index(part, "_")+1:], ".npy")] = x
	}
	var all []*golden
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, byName[name])
	}
	return all
}

// forms are the forms in which a case is given to the engine.
var forms = []struct {
	name   string
	change func(t *testing.T, g *onnxpb.GraphProto)
}{
	{"as it is", func(*testing.T, *onnxpb.GraphProto) {}},
	{"ranks not declared", func(_ *testing.T, g *onnxpb.GraphProto) {
		for _, in := range g.Input {
			in.GetType().GetTensorType().Shape = nil
		}
	}},
	{"behind other nodes", func(_ *testing.T, g *onnxpb.GraphProto) { // every other input is computed
		for i, x := range g.Node[0].Input {
			if x != "" && i%2 == 0 {
				g.Node = append(g.Node, onnx.NewNode("Identity", "", []string{x}, []string{x + "/computed"}))
				g.Node[0].Input[i] = x + "/computed"
			}
		}
	}},
	{"in a body", inBody},
}

// inBody moves the node of g into both branches of an If, which capture what it reads.
func inBody(_ *testing.T, g *onnxpb.GraphProto) {
	branch := func(name string) *onnxpb.AttributeProto {
		n := proto.Clone(g.Node[0]).(*onnxpb.NodeProto)
		b := &onnxpb.GraphProto{Name: &name, Node: []*onnxpb.NodeProto{n}}
		for i, y := range n.Output {
			if y != "" {
				n.Output[i] = y + "/" + name
				b.Output = append(b.Output, &onnxpb.ValueInfoProto{Name: &n.Output[i]})
			}
		}
		return onnx.AttrGraph(name, b)
	}
	var outs []string
	for _, y := range g.Output {
		outs = append(outs, y.GetName())
	}
	g.Initializer = append(g.Initializer, onnx.TensorToProto("cond", tensor.Scalar(true)))
	g.Node = []*onnxpb.NodeProto{onnx.NewNode("If", "if", []string{"cond"}, outs, branch("then_branch"), branch("else_branch"))}
}

// typed is the model with real numbers of type d.
func typed(t *testing.T, p *onnxpb.ModelProto, d tensor.DType) {
	t.Helper()
	g := p.GetGraph()
	for _, v := range append(slices.Clone(g.Input), g.Output...) {
		if tt := v.GetType().GetTensorType(); tt.GetElemType() == int32(tensor.Float32) {
			tt.ElemType = new(int32(d))
		}
	}
	m := onnx.Model{Proto: p}
	for i, w := range g.Initializer {
		x, err := m.Tensor(w)
		if err != nil {
			t.Fatal(err)
		}
		if x.DType() == tensor.Float32 {
			if x, err = x.Convert(d); err != nil {
				t.Fatal(err)
			}
			g.Initializer[i] = onnx.TensorToProto(w.GetName(), x)
		}
	}
}

// load is the model and its inputs with real numbers of type d.
func (g *golden) load(t *testing.T, d tensor.DType, change func(*testing.T, *onnxpb.GraphProto)) (*engine.Model,
	map[string]*tensor.Tensor) {
	t.Helper()
	m := (&onnx.Model{Proto: g.model}).Clone()
	change(t, m.Proto.GetGraph())
	feeds := maps.Clone(g.in)
	typed(t, m.Proto, d)
	for name, x := range feeds {
		if x.DType() == tensor.Float32 {
			var err error
			if feeds[name], err = x.Convert(d); err != nil {
				t.Fatal(err)
			}
		}
	}
	em, err := engine.Load(m, engine.WithThreads(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(em.Close)
	return em, feeds
}

// TestGoldens compares every case with ONNX Runtime, in single, double and half precision.
func TestGoldens(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			for _, form := range forms {
				for _, d := range []tensor.DType{tensor.Float32, tensor.Float64, tensor.Float16} {
					m, feeds := g.load(t, d, form.change)
					s, err := m.Session(engine.Query{})
					if err != nil {
						t.Fatalf("%s: %v", form.name, err)
					}
					r, err := s.Run(t.Context(), feeds)
					if err != nil {
						t.Fatalf("%s: %v", form.name, err)
					}
					rtol, atol := 2e-5, 2e-6
					if d == tensor.Float16 {
						rtol, atol = 2e-2, 2e-2 // the inputs are rounded
					}
					for name, want := range g.out {
						got := r.Value(name)
						if got == nil {
							t.Fatalf("%s: no output %s", form.name, name)
						}
						if got.DType() == d {
							if got, err = got.Convert(tensor.Float32); err != nil {
								t.Fatal(err)
							}
						}
						testkit.Close(t, fmt.Sprintf("%s, %v: %s", form.name, d, name), got, want, rtol, atol)
					}
				}
			}
		})
	}
}

// TestGradients compares the gradient of a random sum of the outputs, by each input and weight of real numbers, with central differences.
func TestGradients(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			for _, form := range forms[:2] {
				g.gradients(t, form.change)
			}
		})
	}
}

func (g *golden) gradients(t *testing.T, change func(*testing.T, *onnxpb.GraphProto)) {
	m, feeds := g.load(t, tensor.Float64, change)
	node := g.model.GetGraph().GetNode()[0]
	spec, _ := ops.Standard.Find(node.GetDomain(), node.GetOpType(), 1)
	if spec == nil {
		t.Fatalf("no operator %s", node.GetOpType())
	}
	r := rand.New(rand.NewPCG(1, uint64(len(g.name))))
	draw := func(like *tensor.Tensor) *tensor.Tensor {
		x := tensor.New(tensor.Float64, like.Shape()...)
		for i := range x.Float64s() {
			tensor.Data[float64](x)[i] = r.NormFloat64()
		}
		return x
	}
	// What can be moved: an input of the graph, or a weight.
	at := map[string]*tensor.Tensor{}
	for i, name := range node.GetInput() {
		f := spec.FormalIn(i)
		if name == "" || f.NoGrad {
			continue
		}
		if x := feeds[name]; x != nil && x.DType() == tensor.Float64 {
			at[name] = x
		} else if p, err := m.Param(name); err == nil && p.Value.DType() == tensor.Float64 {
			m.Thaw()
			at[name] = p.Value
		}
	}
	if len(at) == 0 {
		return
	}
	weights := map[string]*tensor.Tensor{}
	for name, out := range g.out {
		if out.DType() == tensor.Float32 {
			weights[name] = draw(out)
		}
	}
	names := slices.Sorted(maps.Keys(at))
	s, err := m.Session(engine.Query{Grad: names, Loss: func(b *engine.Build) (graph.Value, error) {
		sum := graph.Value(0)
		for _, name := range slices.Sorted(maps.Keys(weights)) {
			y, err := b.Value(name)
			if err != nil {
				return 0, err
			}
			y = b.Add(ops.ReduceSum, ops.KeepDims(false), b.Add(ops.Mul, nil, y, b.Const(weights[name])))
			if sum == 0 {
				sum = y
			} else {
				sum = b.Add(ops.Add, nil, sum, y)
			}
		}
		return sum, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	run := func() *engine.Result {
		t.Helper()
		r, err := s.Run(t.Context(), feeds)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, name := range names {
		x := tensor.Data[float64](at[name])
		u := tensor.Data[float64](draw(at[name]))
		d := run().Grad(name)
		if d == nil {
			d = tensor.New(tensor.Float64, at[name].Shape()...)
		}
		got, scale := 0.0, 0.0
		for i, v := range tensor.Data[float64](d) {
			got += v * u[i]
			scale += math.Abs(v * u[i])
		}
		old := slices.Clone(x)
		want, err := testkit.Difference(func(h float64) (float64, error) {
			for i := range x {
				x[i] = old[i] + h*u[i]
			}
			m.Changed()
			return run().Loss().Float64s()[0], nil
		}, 1e-5)
		copy(x, old)
		m.Changed()
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got-want) > 1e-6*(scale+math.Abs(want))+1e-7 {
			t.Errorf("gradient by %s: %.9g, want %.9g", name, got, want)
		}
	}
}

// TestWeights: what an operator keeps as weights is trained, and the tables that it reads are not, though what it is made of would.
func TestWeights(t *testing.T) {
	all := goldens(t)
	for name, want := range map[string]map[string]bool{
		"rotary": {"cos": false, "sin": false}, "gqa_rotary": {"cos": false, "sin": false}, "mha_bias": {"bias": true},
		"attention": {"weights": true, "bias": true}, "fusedconv_relu": {"W": true, "B": true}, "fusedgemm_relu": {"B": true, "C": true},
		"fusedmatmul": {"B": true}, "biasgelu": {"B": true}, "skip": {"gamma": true, "beta": true},
		"embed": {"word": true, "position": true, "segment": true, "gamma": true, "beta": true},
	} {
		i := slices.IndexFunc(all, func(g *golden) bool { return g.name == name })
		if i < 0 {
			t.Fatal("no case ", name)
		}
		for _, form := range []int{0, 1, 3} {
			form := forms[form]
			m, _ := all[i].load(t, tensor.Float32, func(t *testing.T, g *onnxpb.GraphProto) {
				form.change(t, g)
				for k, w := range g.Initializer { // tables that do not show what they are
					if w.GetName() == "cos" || w.GetName() == "sin" {
						g.Initializer[k] = onnx.TensorToProto(w.GetName(), testkit.RandN(uint64(k), int(w.Dims[0]), int(w.Dims[1])))
					}
				}
			})
			met := 0
			for p := range m.Params() {
				trained, ok := want[p.Name]
				if !ok || p.Trainable != trained {
					t.Errorf("%s, %s: %s is trainable: %v (%s)", name, form.name, p.Name, p.Trainable, p.Why)
				}
				met++
			}
			if met != len(want) {
				t.Errorf("%s, %s: %d parameters, want %d", name, form.name, met, len(want))
			}
		}
	}
}

// TestEveryOperatorHasACase: those with 8-bit inputs have tests of their own.
func TestEveryOperatorHasACase(t *testing.T) {
	have := map[string]bool{}
	for _, g := range goldens(t) {
		n := g.model.GetGraph().GetNode()[0]
		have[n.GetDomain()+"."+n.GetOpType()] = true
	}
	small := func(f graph.Formal) bool {
		return slices.Contains(f.Types, tensor.Int8) || slices.Contains(f.Types, tensor.Uint8)
	}
	for _, s := range ops.Standard.All() {
		twin := "." + s.Name // the same definition in ai.onnx
		if s.Domain == microsoft.Domain && !slices.ContainsFunc(s.In, small) && !have[s.Domain+"."+s.Name] && !have[twin] {
			t.Errorf("no case for %s", s.Name)
		}
	}
}
