package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

func ints(x ...int64) *tensor.Tensor { return tensor.From(x, len(x)) }

// fixedBatches are models exported for a batch of a fixed size. batch is what Batch must say: 0 where examples can be fed in any number.
func fixedBatches() []struct {
	name  string
	in    []string
	out   string
	init  tensors
	nodes []string
	batch int
} {
	r := func(shape ...int) *tensor.Tensor { return testkit.RandN(uint64(7*len(shape)+shape[0]), shape...) }
	zeros := func(shape ...int) *tensor.Tensor { return tensor.New(tensor.Float32, shape...) }
	attention := tensors{
		"Wq": r(6, 6), "Wk": r(6, 6), "Wv": r(6, 6), "Wo": r(6, 6), "Wf": r(6, 3), "heads": ints(5, 2, 3), "back": ints(5, 6),
		"again": ints(5, 1, 6), "first": ints(0), "scale": tensor.Scalar(float32(0.57)),
	}
	return []struct {
		name  string
		in    []string
		out   string
		init  tensors
		nodes []string
		batch int
	}{
		{"convolution and Flatten", []string{"x[1,3,6,6]"}, "y[1,2]", tensors{"k": r(4, 3, 3, 3), "w": r(64, 2)},
			[]string{"a = Conv(x, k)", "b = Relu(a)", "f = Flatten(b)", "y = MatMul(f, w)"}, 0},
		{"Reshape to [1,64]", []string{"x[1,3,6,6]"}, "y[1,2]", tensors{"k": r(4, 3, 3, 3), "w": r(64, 2), "s": ints(1, 64)},
			[]string{"a = Conv(x, k)", "b = Relu(a)", "f = Reshape(b, s)", "y = MatMul(f, w)"}, 0},
		{"Reshape to [1,-1]", []string{"x[1,3,6,6]"}, "y[1,2]", tensors{"k": r(4, 3, 3, 3), "w": r(64, 2), "s": ints(1, -1)},
			[]string{"a = Conv(x, k)", "b = Relu(a)", "f = Reshape(b, s)", "y = MatMul(f, w)"}, 0},
		{"Reshape to [-1,64]", []string{"x[1,3,6,6]"}, "y[1,2]", tensors{"k": r(4, 3, 3, 3), "w": r(64, 2), "s": ints(-1, 64)},
			[]string{"a = Conv(x, k)", "b = Relu(a)", "f = Reshape(b, s)", "y = MatMul(f, w)"}, 0},
		{"GroupNorm by [1,2,-1]", []string{"x[1,4,5,5]"}, "y[1,4]", tensors{"s1": ints(1, 2, -1), "s2": ints(1, 4, 5, 5), "one": r(2),
			"zero": r(2), "s3": ints(1, 4)},
			[]string{"a = Reshape(x, s1)", "n = InstanceNormalization(a, one, zero)", "b = Reshape(n, s2)", "c = Sigmoid(b)",
				"p = GlobalAveragePool(c)", "y = Reshape(p, s3)"}, 0},
		{"Resize to sizes with the batch", []string{"x[1,2,4,4]"}, "y[1,2,8,8]", tensors{"s": ints(1, 2, 8, 8)}, []string{"a = Tanh(x)",
			"y = Resize(a, , , s; mode='nearest')"}, 0},
		{"Slice with the batch", []string{"x[1,6]"}, "y[1,3]", tensors{"b": ints(0, 2), "e": ints(1, 5)}, []string{"a = Tanh(x)",
			"y = Slice(a, b, e)"}, 0},
		{"Expand with the batch", []string{"x[1,1,4]"}, "y[1,3,4]", tensors{"s": ints(1, 3, 4)},
			[]string{"a = Tanh(x)", "y = Expand(a, s)"}, 0},
		{"class token", []string{"x[1,5,4]"}, "y[1,3]", tensors{"cls": r(1, 1, 4), "w": r(4, 3), "zero": tensor.Scalar(int64(0))},
			[]string{"a = Concat(cls, x; axis=1)", "m = Softmax(a; axis=1)", "g = Gather(m, zero; axis=1)", "y = MatMul(g, w)"}, 0},
		{"LSTM with states for one", []string{"x[1,5,3]"}, "y[1,4]", tensors{"W": r(1, 16, 3), "R": r(1, 16, 4), "h": zeros(1, 1, 4),
			"c": r(1, 1, 4), "ax": ints(0)},
			[]string{"t = Transpose(x; perm=[1,0,2])", ", s = LSTM(t, W, R, , , h, c; hidden_size=4)", "y = Squeeze(s, ax)"}, 0},
		{"GRU with a state for one", []string{"x[1,5,3]"}, "y[1,4]",
			tensors{"W": r(1, 12, 3), "R": r(1, 12, 4), "h": r(1, 1, 4), "ax": ints(0)},
			[]string{"t = Transpose(x; perm=[1,0,2])", ", s = GRU(t, W, R, , , h; hidden_size=4)", "y = Squeeze(s, ax)"}, 0},
		// What nn.MultiheadAttention writes for [T,1,E]: heads beside the batch, and Gemm over positions and batch merged.
		{"attention, sequence first", []string{"x[1,5,6]"}, "y[1,3]", attention, []string{
			"t = Transpose(x; perm=[1,0,2])", "q = MatMul(t, Wq)", "k = MatMul(t, Wk)", "v = MatMul(t, Wv)", "q1 = Reshape(q, heads)",
			"k1 = Reshape(k, heads)", "v1 = Reshape(v, heads)",
			"q2 = Transpose(q1; perm=[1,0,2])", "k2 = Transpose(k1; perm=[1,2,0])", "v2 = Transpose(v1; perm=[1,0,2])",
			"s = MatMul(q2, k2)",
			"ss = Mul(s, scale)", "p = Softmax(ss)", "o = MatMul(p, v2)",
			"o1 = Transpose(o; perm=[1,0,2])", "o2 = Reshape(o1, back)", "o3 = Gemm(o2, Wo)", "o4 = Reshape(o3, again)",
			"g = Gather(o4, first; axis=0)", "gs = Squeeze(g, first)", "y = MatMul(gs, Wf)"}, 0},
		{"windows, with a table for those of one picture", []string{"x[1,2,4,4]"}, "y[1,2]",
			tensors{"s": ints(1, 2, 2, 2, 2, 2), "w": ints(4,
				4, 2), "m": r(4, 1, 2), "b": ints(1, 4, 4, 2)}, []string{
				"a = Reshape(x, s)", "t = Transpose(a; perm=[0,2,4,3,5,1])", "w1 = Reshape(t, w)", "w2 = Add(w1, m)", "w3 = Tanh(w2)",
				"c = Reshape(w3, b)", "y = ReduceMean(c; axes=[1,2], keepdims=0)"}, 0},
		{"token numbers and a mask", []string{"ids int64[1,6]", "mask int64[1,6]"}, "y[1,3]", tensors{"emb": r(5, 4), "w": r(4, 3),
			"ax": ints(2)}, []string{
			"e = Gather(emb, ids)", "f = Cast(mask; to=1)", "u = Unsqueeze(f, ax)", "m = Mul(e, u)",
			"p = ReduceMean(m; axes=[1], keepdims=0)",
			"y = MatMul(p, w)"}, 0},
		{"batch of 4", []string{"x[4,3,2]"}, "y[4,2]", tensors{"s": ints(4, 6), "w": r(6, 2)}, []string{"a = Reshape(x, s)",
			"y = MatMul(a, w)"}, 0},
		{"batch of 4, class token", []string{"x[4,5,4]"}, "y[4,3]", tensors{"cls": r(1, 1, 4), "es": ints(4, 1, 4), "w": r(4, 3),
			"zero": tensor.Scalar(int64(0))},
			[]string{"c = Expand(cls, es)", "a = Concat(c, x; axis=1)", "m = Softmax(a; axis=1)", "g = Gather(m, zero; axis=1)",
				"y = MatMul(g, w)"}, 0},
		{"batch of 2, a mask for each example", []string{"x[2,3]"}, "y[2,3]", tensors{"b": tensor.From([]float32{1, 0, 1, 1, 0, 1}, 2, 3)},
			[]string{"a = Mul(x, b)", "y = Tanh(a)"}, 0},

		{"sequence first into one row", []string{"x[1,4,5]"}, "y[1,3]", tensors{"w": r(5, 6), "s": ints(1, 24), "v": r(24, 3)},
			[]string{"t = Transpose(x; perm=[1,0,2])", "a = MatMul(t, w)", "b = Reshape(a, s)", "y = MatMul(b, v)"}, 1},
		{"transposed vector", []string{"x[1,5]"}, "y[1,3]", tensors{"w": r(5, 3), "s": ints(1, 3)}, []string{"a = MatMul(x, w)",
			"b = Transpose(a; perm=[1,0])", "y = Reshape(b, s)"}, 1},
		{"maximum over all", []string{"x[1,5]"}, "y[1,3]", tensors{"w": r(5, 3)}, []string{"m = ReduceMax(x; keepdims=1)", "d = Div(x, m)",
			"y = MatMul(d, w)"}, 1},
		{"softmax over the batch", []string{"x[1,5]"}, "y[1,5]", tensors{"b": r(5)}, []string{"a = Add(x, b)", "p = Softmax(a; axis=0)",
			"y = Mul(p, a)"}, 1},
		{"normalised over the batch", []string{"x[1,5]"}, "y[1,5]", tensors{"b": r(5)}, []string{"m = ReduceMean(x; axes=[0])",
			"d = Sub(x, m)", "e = Mul(d, b)", "y = Add(e, x)"}, 1},
		{"mixing behind a scale of zero", []string{"x[1,5]"}, "y[1,5]", tensors{"alpha": zeros(1), "w": r(5, 5)},
			[]string{"v = MatMul(x, w)",
				"m = ReduceMean(v; keepdims=1)", "a = Mul(m, alpha)", "y = Add(v, a)"}, 1},
		{"a row for each example", []string{"x[2,3]"}, "y[2,3]", tensors{"b": tensor.From([]float32{1, 2, 3, 4, 5, 6}, 2, 3)},
			[]string{"a = Add(x, b)", "y = Tanh(a)"}, 2},
		{"the output is sequence first", []string{"x[1,4,5]"}, "y[4,1,3]", tensors{"w": r(5, 3)},
			[]string{"t = Transpose(x; perm=[1,0,2])",
				"y = MatMul(t, w)"}, 1},
		{"a result that depends on nothing", []string{"x[1,5]"}, "y[1,5]", tensors{"z": tensor.Scalar(float32(0))},
			[]string{"a = Clip(x, z, z)", "y = Tanh(a)"}, 1},
		{"the first example alone", []string{"x[1,5]"}, "y[1,5]", tensors{"i": ints(0), "w": r(5, 5)}, []string{"a = Gather(x, i)",
			"y = MatMul(a, w)"}, 1},
	}
}

// feedsOf are random inputs for n examples.
func feedsOf(m *engine.Model, n int) tensors {
	out := tensors{}
	for i, in := range m.Inputs() {
		s := []int{n}
		for _, d := range in.Dims[1:] {
			s = append(s, d.Size)
		}
		if in.DType == tensor.Int64 {
			out[in.Name] = testkit.RandInts(uint64(i+1), int64(i), 2+int64(1-i)*3, s...)
			continue
		}
		out[in.Name] = testkit.RandN(uint64(i+1), s...)
	}
	return out
}

func part(feeds tensors, lo, hi int) tensors {
	out := tensors{}
	for name, t := range feeds {
		s := slices.Clone(t.Shape())
		row := len(t.Bytes()) / s[0]
		s[0] = hi - lo
		x, err := tensor.FromBytes(t.DType(), s, t.Bytes()[lo*row:hi*row])
		if err != nil {
			panic(err)
		}
		out[name] = x
	}
	return out
}

// A model that was exported for a fixed batch takes any where that gives each example its own result, in training too, and refuses others.
func TestBatch(t *testing.T) {
	for _, c := range fixedBatches() {
		t.Run(c.name, func(t *testing.T) {
			file := &onnx.Model{Proto: testkit.Text{Opset: 13, In: c.in, Out: []string{c.out}, Init: c.init, Nodes: c.nodes}.Model(t)}
			before, err := file.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			m, err := engine.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			declared := m.Inputs()[0].Dims[0].Size
			const n = 12
			feeds := feedsOf(m, n)
			s, err := m.Session(engine.Query{})
			if err != nil {
				t.Fatal(err)
			}
			ctx := context.Background()
			r, err := s.Run(ctx, feeds)
			if got := m.Batch(); got != c.batch {
				t.Fatalf("Batch is %d, want %d (%v)", got, c.batch, err)
			}
			if c.batch != 0 {
				if !errors.Is(err, engine.ErrShape) || !strings.Contains(err.Error(), fmt.Sprintf("feed %d at a time", c.batch)) {
					t.Errorf("feeding %d examples to a model for %d: %v", n, c.batch, err)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			saved, err := m.Save()
			if err != nil {
				t.Fatal(err)
			}
			if b, err := saved.Bytes(); err != nil || string(b) != string(before) {
				t.Errorf("the saved file is another (%v)", err)
			}
			if c.batch != 0 {
				return
			}
			y := r.Value("y").Clone()
			names := trainable(m)
			m.Thaw()
			g, err := m.Session(engine.Query{Loss: sumOf(m), Grad: names})
			if err != nil {
				t.Fatal(err)
			}
			if r, err = g.Run(ctx, feeds); err != nil {
				t.Fatal(err)
			}
			whole, sum := tensors{}, tensors{}
			for _, name := range names {
				whole[name] = r.Grad(name).Clone()
			}
			for lo := 0; lo+declared <= n; lo += declared {
				p := part(feeds, lo, lo+declared)
				one, err := s.Run(ctx, p)
				if err != nil {
					t.Fatal(err)
				}
				testkit.Close(t, fmt.Sprintf("example %d", lo), part(tensors{"y": y}, lo, lo+declared)["y"], one.Value("y"), 1e-5, 1e-6)
				if n%declared != 0 {
					continue
				}
				d, err := g.Run(ctx, p)
				if err != nil {
					t.Fatal(err)
				}
				for _, name := range names {
					if sum[name] == nil {
						sum[name] = tensor.New(tensor.Float32, d.Grad(name).Shape()...)
					}
					for i, v := range d.Grad(name).F32() {
						sum[name].F32()[i] += v
					}
				}
			}
			for name := range sum {
				testkit.Close(t, "gradient of "+name, whole[name], sum[name], 1e-4, 1e-4)
			}
		})
	}
}

// Batch may be asked from several goroutines, and before any session.
func TestBatchAtOnce(t *testing.T) {
	c := fixedBatches()[0]
	m := loadText(t, testkit.Text{Opset: 13, In: c.in, Out: []string{c.out}, Init: c.init, Nodes: c.nodes})
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if m.Batch() != 0 {
				t.Error("not free")
			}
			s, err := m.Session(engine.Query{})
			if err == nil {
				_, err = s.Run(context.Background(), feedsOf(m, 3))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

// Where only a run can tell the shapes, as behind an If, values alone decide.
func TestBatchBehindIf(t *testing.T) {
	for tail, want := range map[string]int{"y = Relu(h)": 0, "m = ReduceMax(h; keepdims=1)|y = Sub(h, m)": 1} {
		cond := testkit.Node(t, "h = If(c)")
		branch := func(name, node string) {
			g := testkit.Text{Out: []string{"r"}, Init: tensors{"w": testkit.RandN(2, 3, 3)}, Nodes: []string{node}}.Graph(t)
			cond.Attribute = append(cond.Attribute, onnx.AttrGraph(name, g))
		}
		branch("then_branch", "r = MatMul(x, w)")
		branch("else_branch", "r = Add(x, x)")
		p := testkit.Text{Opset: 13, In: []string{"c bool[]", "x[1,3]"}, Out: []string{"y[1,3]"}, Nodes: strings.Split(tail, "|")}.Model(t)
		p.Graph.Node = append(p.Graph.Node, cond)
		m, err := engine.Load(&onnx.Model{Proto: p})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Batch(); got != want {
			t.Errorf("%s: Batch is %d, want %d", tail, got, want)
		}
	}
}

// Trying out whether a model takes other batches ends, also when the model does not.
func TestBatchOfEndless(t *testing.T) {
	p, err := onnx.Parse(testkit.Endless().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range p.Proto.Graph.Input[0].Type.GetTensorType().Shape.Dim[:1] {
		d.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: 2}
	}
	m, err := engine.Load(p)
	if err != nil {
		t.Fatal(err)
	}
	if b := m.Batch(); b != 2 {
		t.Errorf("the batch is %d, want the declared 2", b)
	}
}
