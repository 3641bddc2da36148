package engine_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

type tensors = map[string]*tensor.Tensor

// sumOf is the loss Σ w·y of the first output, with w made of sines so that all of it matters.
func sumOf(m *engine.Model) engine.Loss {
	return func(b *engine.Build) (graph.Value, error) {
		y, err := b.Value(m.Outputs()[0].Name)
		if err != nil {
			return 0, err
		}
		return b.Add(ops.ReduceSum, ops.KeepDims(false), b.Add(ops.Mul, nil, y, y)), nil
	}
}

func loadText(t *testing.T, s testkit.Text, opts ...engine.Option) *engine.Model {
	t.Helper()
	m, err := engine.Load(&onnx.Model{Proto: s.Model(t)}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// placed has weights in every place that a gradient reaches today: initializers, Constant nodes of all forms, behind views, as float16
// behind a Cast, and in a function that is called twice.
func placed(t *testing.T) *onnx.Model {
	half, err := testkit.RandN(3, 4, 3).Convert(tensor.Float16)
	if err != nil {
		t.Fatal(err)
	}
	m := testkit.Text{
		In: []string{"x[N,3]"}, Out: []string{"y[N,2]"},
		Init: tensors{
			"W1": testkit.RandN(1, 3, 4), "b1": testkit.RandN(2, 4), "W2": half, "W3": testkit.RandN(4, 2, 3), "c": testkit.RandN(5, 1, 3),
			"shape": tensor.From([]int64{3, 2}, 2),
			"axes":  tensor.From([]int64{0}, 1),
		},
		Order: []string{"W1", "b1", "W2", "W3", "c", "shape", "axes"}, Consts: []string{"W1", "b1"},
		Nodes: []string{
			"a = MatMul(x, W1)", "b = Add(a, b1)", "r = Tanh(b)", // a layer in Constant nodes
			// float16 behind a Cast, a bias behind a Squeeze
			"w2 = Cast(W2; to=1)", "d = MatMul(r, w2)", "c2 = Squeeze(c, axes)", "d2 = Add(d, c2)",
			"e = pkg:layer(d2)", "e2 = pkg:layer(e)",
			"fs = Constant(; value_floats=[0.5,-0.25,0.75])", "g = Add(e2, fs)", // a bias in an attribute, behind no layer
			"w3 = Transpose(W3; perm=[1,0])", "i = Identity(w3)", "w3r = Reshape(i, shape)", "y = MatMul(g, w3r)",
		},
	}.Model(t)
	inner := testkit.Text{Init: tensors{"w": testkit.RandN(7, 3, 3)}, Consts: []string{"w"}, Nodes: []string{"q = MatMul(v, w)",
		"o = Tanh(q)"}}.Graph(t)
	m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: new("pkg"), Version: new(int64(1))})
	m.Functions = []*onnxpb.FunctionProto{{Domain: new("pkg"), Name: new("layer"), Input: []string{"v"}, Output: []string{"o"},
		Node: inner.Node, OpsetImport: m.OpsetImport}}
	return &onnx.Model{Proto: m}
}

// Parameters are found wherever they lie, their gradients are right, and saving puts them back where they lay and changes nothing else.
func TestParametersWhereverTheyLie(t *testing.T) {
	file := placed(t)
	before, err := file.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	names := trainable(m)
	slices.Sort(names)
	if want := []string{"W1", "W2", "W3", "b1", "c", "w"}; !slices.Equal(names, want) {
		t.Fatalf("trained are %q, want %q", names, want)
	}
	same, err := m.Save()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := same.Bytes(); err != nil || string(b) != string(before) {
		t.Fatalf("saving an unchanged model changes the file (%v)", err)
	}
	m.Thaw()
	s, err := m.Session(engine.Query{Loss: sumOf(m), Grad: names})
	if err != nil {
		t.Fatal(err)
	}
	feeds := tensors{"x": testkit.RandN(9, 5, 3)}
	loss := func() float64 {
		r, err := s.Run(context.Background(), feeds)
		if err != nil {
			t.Fatal(err)
		}
		return r.Loss().Float64s()[0]
	}
	r, err := s.Run(context.Background(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	grads := tensors{}
	for _, n := range names {
		if r.Grad(n) == nil {
			t.Fatalf("%s has no gradient", n)
		}
		grads[n] = r.Grad(n).Clone()
	}
	for _, n := range names {
		p, err := m.Param(n)
		if err != nil {
			t.Fatal(err)
		}
		v, k := p.Value.F32(), p.Value.Len()/2
		const h = 1e-2
		old := v[k]
		v[k] = old + h
		up := loss()
		v[k] = old - h
		down := loss()
		v[k] = old
		if got, want := float64(grads[n].F32()[k]), (up-down)/(2*h); math.Abs(got-want) > 2e-2*(1+math.Abs(want)) {
			t.Errorf("%s: gradient %g, by differences %g", n, got, want)
		}
	}
	for i, n := range names {
		p, _ := m.Param(n)
		for k := range p.Value.F32() {
			p.Value.F32()[k] = float32(i) + float32(k)/64 // exact in float16
		}
	}
	saved, err := m.Save()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := file.Bytes(); err != nil || string(b) != string(before) {
		t.Errorf("training changed the file that was read")
	}
	// All that differs are the six tensors, and writing the old ones back gives the old file.
	again, err := engine.Load(saved)
	if err != nil {
		t.Fatal(err)
	}
	old, _ := engine.Load(file)
	for _, n := range names {
		p, err := again.Param(n)
		if err != nil {
			t.Fatal(err)
		}
		q, _ := m.Param(n)
		if !tensor.Equal(p.Value, q.Value) {
			t.Errorf("%s was saved as %v, want %v", n, p.Value, q.Value)
		}
		o, _ := old.Param(n)
		p.Value = o.Value
	}
	back, err := again.Save()
	if err != nil {
		t.Fatal(err)
	}
	if d := onnx.CompareModels(file, back); !d.Empty() {
		t.Errorf("the file with its old weights put back differs: %v", d)
	}
}

// Weights that bodies capture, and those that lie inside bodies, are parameters of the model; the constants there stay where shapes follow
// from them.
func TestParametersInBodies(t *testing.T) {
	branch := func(name string, s testkit.Text) *onnxpb.AttributeProto { return onnx.AttrGraph(name, s.Graph(t)) }
	cond := testkit.Node(t, "h = If(c)")
	cond.Attribute = append(cond.Attribute,
		branch("then_branch", testkit.Text{Out: []string{"r"}, Init: tensors{"w": testkit.RandN(2, 3, 3), "lo": tensor.Scalar(float32(0)),
			"hi": tensor.Scalar(float32(6))},
			Nodes: []string{"a = MatMul(x, w)", "b = MatMul(a, outer)", "r = Clip(b, lo, hi)"}}),
		branch("else_branch", testkit.Text{Out: []string{"r"},
			Init: tensors{"w": testkit.RandN(3, 3, 3), "scales": tensor.From([]float32{1,
				1}, 2)}, Consts: []string{"w"},
			Nodes: []string{"a = MatMul(x, w)", "r = Resize(a, , scales)"}}))
	p := testkit.Text{In: []string{"x[N,3]", "c bool[]"}, Out: []string{"y[N,3]"}, Init: tensors{"outer": testkit.RandN(1, 3, 3)}}.Model(t)
	p.Graph.Node = append(p.Graph.Node, cond, testkit.Node(t, "y = Relu(h)"))
	file := &onnx.Model{Proto: p}
	m, err := engine.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	names := trainable(m)
	slices.Sort(names)
	if want := []string{"h/node/else_branch/w", "outer", "w"}; !slices.Equal(names, want) {
		t.Fatalf("trained are %q, want %q", names, want)
	}
	var fixed []string
	for _, u := range m.Weights().NotTrained {
		fixed = append(fixed, u.Name)
	}
	slices.Sort(fixed)
	if want := []string{"hi", "lo", "scales"}; !slices.Equal(fixed, want) {
		t.Errorf("not trained are %q, want %q", fixed, want)
	}
	s, err := m.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	x := testkit.RandN(4, 2, 3)
	weights := map[string][]float32{}
	for _, n := range names {
		p, _ := m.Param(n)
		weights[n] = p.Value.F32()
	}
	for _, c := range []bool{true, false} {
		r, err := s.Run(context.Background(), tensors{"x": x, "c": tensor.Scalar(c)})
		if err != nil {
			t.Fatal(err)
		}
		var want []float32
		if c {
			want = product(product(x.F32(), weights["w"]), weights["outer"])
		} else {
			want = product(x.F32(), weights["h/node/else_branch/w"])
		}
		for i := range want {
			want[i] = max(0, want[i])
			if c {
				want[i] = min(6, want[i])
			}
		}
		testkit.Close(t, "branch", r.Value("y"), tensor.From(want, 2, 3), 1e-5, 1e-5)
	}
	// Another weight, saved, is in the branch that it came from.
	m.Thaw()
	q, _ := m.Param("h/node/else_branch/w")
	q.Value.F32()[0] = 42
	saved, err := m.Save()
	if err != nil {
		t.Fatal(err)
	}
	d := onnx.CompareModels(file, saved)
	if got := d.String(); strings.Count(got, "\n") > 2 || !strings.Contains(got, "else_branch") {
		t.Errorf("after changing one weight of the else branch, the files differ in %s", got)
	}
	again, err := engine.Load(saved)
	if err != nil {
		t.Fatal(err)
	}
	if q, _ := again.Param("h/node/else_branch/w"); q.Value.F32()[0] != 42 {
		t.Error("the weight in a branch was not saved")
	}
	// A gradient by a weight in a body is there, or is refused by the node's name; it is never zero without a word.
	g, err := m.Session(engine.Query{Loss: sumOf(m), Grad: names})
	if err != nil {
		if !strings.Contains(err.Error(), `"h/node" (If)`) {
			t.Errorf("the error does not name the node: %v", err)
		}
		return
	}
	r, err := g.Run(context.Background(), tensors{"x": x, "c": tensor.Scalar(true)})
	if err != nil {
		t.Fatal(err)
	}
	if r.Grad("outer") == nil || r.Grad("w") == nil {
		t.Error("the gradient by a weight in the branch taken is zero")
	}
}

// product is x·w for w [3,3].
func product(x, w []float32) []float32 {
	y := make([]float32, len(x))
	for i := 0; i < len(x); i += 3 {
		for k := range 3 {
			for l := range 3 {
				y[i+k] += x[i+l] * w[3*l+k]
			}
		}
	}
	return y
}

// WithTrainable trains what would be taken for a constant of the program, and refuses what nothing matches or no gradient reaches.
func TestWithTrainable(t *testing.T) {
	s := testkit.Text{
		In: []string{"x[N,3]"}, Out: []string{"y[N,3]"}, Init: tensors{
			"W": testkit.RandN(1, 3, 3), "half": tensor.Scalar(float32(0.5)), "lo": tensor.Scalar(float32(0)),
			"blocks/half": tensor.Scalar(float32(2)), "q": tensor.From([]int8{1, 2, 3}, 3),
		},
		Nodes: []string{"a = MatMul(x, W)", "b = Mul(a, half)", "c = Clip(b, lo)", "d = Div(c, blocks/half)", "q2 = Cast(q; to=1)",
			"y = Add(d, q2)"},
	}
	load := func(globs ...string) ([]string, error) {
		m, err := engine.Load(&onnx.Model{Proto: s.Model(t)}, engine.WithTrainable(globs...))
		if err != nil {
			return nil, err
		}
		names := trainable(m)
		slices.Sort(names)
		return names, nil
	}
	for _, c := range []struct {
		globs []string
		want  []string
		err   string
	}{
		{nil, []string{"W"}, ""},
		{[]string{"half"}, []string{"W", "half"}, ""},
		{[]string{"*half"}, []string{"W", "blocks/half", "half"}, ""},
		{[]string{"blocks"}, []string{"W", "blocks/half"}, ""},
		{[]string{"W"}, []string{"W"}, ""},
		{[]string{"lo"}, nil, "where no gradient goes"},
		{[]string{"hafl"}, nil, `did you mean "half"?`},
		{[]string{"q"}, nil, "stored as int8"},
		{[]string{"["}, nil, "syntax error"},
	} {
		got, err := load(c.globs...)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: error %v, want one with %q", c.globs, err, c.err)
			}
			continue
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, %v, want %q", c.globs, got, err, c.want)
		}
	}
}

// Values and nodes inside a function have the name of the call before theirs, its outputs those that the call gives them; a model with its
// functions put in the place of their calls has the same names and results.
func TestNamesInFunctions(t *testing.T) {
	file := placed(t)
	flat := file.Clone()
	for i := 0; i < len(flat.Proto.Graph.Node); i++ {
		if n := flat.Proto.Graph.Node[i]; n.GetDomain() == "pkg" {
			if err := flat.Inline(n); err != nil {
				t.Fatal(err)
			}
		}
	}
	feeds := tensors{"x": testkit.RandN(9, 5, 3)}
	fetch := []string{"e", "e/node/q", "e2", "e2/node/q", "y"}
	var got []tensors
	for _, f := range []*onnx.Model{file, flat} {
		m, err := engine.Load(f)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := m.NodeOf("e2"); err != nil || n.Name != "e2/node/o/node" {
			t.Errorf("e2 is made by %v (%v)", n, err)
		}
		s, err := m.Session(engine.Query{Fetch: fetch})
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Run(context.Background(), feeds)
		if err != nil {
			t.Fatal(err)
		}
		out := tensors{}
		for _, name := range fetch {
			out[name] = r.Value(name).Clone()
		}
		got = append(got, out)
	}
	for _, name := range fetch {
		if !tensor.Equal(got[0][name], got[1][name]) {
			t.Errorf("%s differs with the functions put in the place of their calls", name)
		}
	}
}

// Tensors that are no parameters are listed with the reason.
func TestNotTrained(t *testing.T) {
	p := testkit.Text{
		In: []string{"x[N,3]"}, Out: []string{"y[N,3]"}, Init: tensors{"w": testkit.RandN(1, 3, 3), "q": tensor.From([]int8{1, 2, 3}, 3),
			"hi": tensor.Scalar(float32(6))},
		Nodes: []string{"a = MatMul(x, w)", "f = Cast(q; to=1)", "b = Add(a, f)", "c = Clip(b, , hi)", "d = Add(c, s)",
			"y = pkg:f(d; k=2.5)"},
	}.Model(t)
	p.OpsetImport = append(p.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: new("pkg"), Version: new(int64(1))})
	inner := testkit.Text{Nodes: []string{"n = Constant(; value_float=@float:k)", "o = Mul(v, n)"}}.Graph(t)
	p.Functions = []*onnxpb.FunctionProto{{Domain: new("pkg"), Name: new("f"), Input: []string{"v"}, Output: []string{"o"},
		Attribute: []string{"k"}, Node: inner.Node,
		OpsetImport: p.OpsetImport[:1]}}
	p.Graph.SparseInitializer = []*onnxpb.SparseTensorProto{{
		Values: testkit.TensorProto("s", tensor.From([]float32{1}, 1)), Indices: testkit.TensorProto("", tensor.From([]int64{1}, 1)),
		Dims: []int64{3},
	}}
	m, err := engine.Load(&onnx.Model{Proto: p})
	if err != nil {
		t.Fatal(err)
	}
	in := m.Weights()
	got := map[string]string{}
	for _, u := range in.NotTrained {
		got[u.Name] = u.Why
	}
	for name, why := range map[string]string{"hi": "where no gradient goes", "q": "stored as int8", "s": "stored sparsely",
		"y/node/n": "attributes from the call"} {
		if !strings.Contains(got[name], why) {
			t.Errorf("%s is not trained because %q, want %q", name, got[name], why)
		}
	}
	if len(got) != 4 || in.Parameters != 9 || in.Fixed != 1 {
		t.Errorf("%d parameters, %d fixed numbers, not trained %q", in.Parameters, in.Fixed, got)
	}
	if _, err := engine.Load(&onnx.Model{Proto: p}, engine.WithTrainable("s")); err == nil || !strings.Contains(err.Error(), "sparsely") {
		t.Errorf("training a sparse tensor: %v", err)
	}
}
