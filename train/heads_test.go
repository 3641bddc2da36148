package train

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// headCase is a model, the head that must be found in it, and the shapes of the output for 2 examples with 4 classes and with one.
type headCase struct {
	name    string
	opset   int64
	in      string
	init    map[string]*tensor.Tensor
	consts  []string
	nodes   []string
	classes int
	axis    int
	act     string
	params  string
	four    []int
	one     []int
	end     string // operator of the last node with 4 classes, and with one, where they differ from the file's
	end1    string
	funcs   []*onnxpb.FunctionProto
}

func headCases(t *testing.T) []headCase {
	r := func(shape ...int) *tensor.Tensor { return testkit.RandN(uint64(3*len(shape)+shape[0]), shape...) }
	half := func(x *tensor.Tensor) *tensor.Tensor {
		h, err := x.Convert(tensor.Float16)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	ints := func(x ...int64) *tensor.Tensor { return tensor.From(x, len(x)) }
	type in = map[string]*tensor.Tensor
	dense, image, tokens := "x[N,6]", "x[N,3,4,4]", "x[N,5,6]"
	imports := []*onnxpb.OperatorSetIdProto{{Domain: new(""), Version: new(int64(13))}, {Domain: new("pkg"), Version: new(int64(1))}}
	function := func(name string, inputs, outputs []string, s testkit.Text) *onnxpb.FunctionProto {
		return &onnxpb.FunctionProto{Domain: new("pkg"), Name: &name, Input: inputs, Output: outputs, Node: s.Graph(t).Node,
			OpsetImport: imports}
	}
	own := function("own", []string{"a"}, []string{"o"}, testkit.Text{Init: in{"w": r(6, 6), "b": r(6)}, Consts: []string{"w", "b"},
		Nodes: []string{"m = MatMul(a, w)", "s = Add(m, b)", "o = Tanh(s)"}})
	given := function("given", []string{"a", "w"}, []string{"o"}, testkit.Text{Nodes: []string{"m = MatMul(a, w)", "o = LeakyRelu(m)"}})
	outer := function("outer", []string{"a", "w"}, []string{"o"}, testkit.Text{Nodes: []string{"o = pkg:given(a, w)"}})
	return []headCase{
		{name: "Gemm", in: dense, init: in{"w": r(3, 6), "b": r(3)}, nodes: []string{"y = Gemm(x, w, b; transB=1)"}, classes: 3, axis: 1,
			params: "w b", four: []int{2, 4}, one: []int{2, 1}},
		{name: "MatMul, Add, Softmax", in: dense, init: in{"w": r(6, 3), "b": r(3)}, nodes: []string{"z = MatMul(x, w)", "a = Add(b, z)",
			"y = Softmax(a)"},
			classes: 3, axis: 1, act: "Softmax", params: "w b", four: []int{2, 4}, one: []int{2, 1}, end1: "Sigmoid"},
		{name: "Constant nodes", in: dense, init: in{"w": r(6, 3), "b": r(3)}, consts: []string{"w", "b"},
			nodes: []string{"z = MatMul(x, w)",
				"y = Add(z, b)"},
			classes: 3, axis: 1, params: "w b", four: []int{2, 4}, one: []int{2, 1}},
		{name: "numbers in an attribute", in: dense, init: in{"w": r(6, 3)}, nodes: []string{"b = Constant(; value_floats=[0.5,1.5,2.5])",
			"z = MatMul(x, w)", "y = Add(z, b)"},
			classes: 3, axis: 1, params: "w b", four: []int{2, 4}, one: []int{2, 1}},
		{name: "Transpose, Cast and float16", in: dense, init: in{"w": half(r(3, 6)), "b": half(r(3))},
			nodes: []string{"t = Transpose(w; perm=[1,0])", "wt = Cast(t; to=1)", "bt = Cast(b; to=1)", "z = MatMul(x, wt)",
				"y = Add(z, bt)"},
			classes: 3, axis: 1, params: "w b", four: []int{2, 4}, one: []int{2, 1}},
		{name: "Squeeze of the weight", in: dense, init: in{"w": r(1, 3, 6), "ax": ints(0)}, nodes: []string{"s = Squeeze(w, ax)",
			"y = Gemm(x, s; transB=1)"}, classes: 3, axis: 1, params: "w", four: []int{2, 4}, one: []int{2, 1}},
		{name: "weight behind Identity", in: dense, init: in{"w": r(6, 3), "u": r(6, 6)}, nodes: []string{"i = Identity(w)",
			"y = MatMul(x, i)"}, classes: 3, axis: 1, params: "i", four: []int{2, 4}, one: []int{2, 1}},
		{name: "tied to the embedding", in: "x int64[N,5]", init: in{"w": r(7, 6)}, nodes: []string{"e = Gather(w, x)",
			"t = Transpose(w; perm=[1,0])", "y = MatMul(e, t)"},
			classes: 7, axis: 2, params: "w", four: []int{2, 5, 4}, one: []int{2, 5, 1}},
		{name: "one number and Sigmoid", in: dense, init: in{"w": r(6, 1), "b": r(1)}, nodes: []string{"z = MatMul(x, w)", "a = Add(z, b)",
			"y = Sigmoid(a)"},
			classes: 1, axis: 1, act: "Sigmoid", params: "w b", four: []int{2, 4}, one: []int{2, 1}, end: "Softmax"},
		{name: "one number, Sigmoid, Squeeze", in: dense, init: in{"w": r(1, 6), "b": r(1), "ax": ints(1)},
			nodes:   []string{"z = Gemm(x, w, b; transB=1)", "a = Sigmoid(z)", "y = Squeeze(a, ax)"},
			classes: 1, axis: 1, act: "Sigmoid", params: "w b", four: []int{2, 4}, one: []int{2}, end: "Identity"},
		{name: "one number, Squeeze -1, Sigmoid", in: dense, init: in{"w": r(6, 1), "ax": ints(-1)}, nodes: []string{"z = MatMul(x, w)",
			"a = Squeeze(z, ax)", "y = Sigmoid(a)"},
			classes: 1, axis: 1, act: "Sigmoid", params: "w", four: []int{2, 4}, one: []int{2}, end: "Softmax"},
		{name: "one number, Reshape to [-1]", in: dense, init: in{"w": r(6, 1), "s": ints(-1)}, nodes: []string{"z = MatMul(x, w)",
			"y = Reshape(z, s)"}, classes: 1, axis: 1, params: "w", four: []int{2, 4}, one: []int{2}, end: "Identity"},
		{name: "one number, a sigmoid written out", in: dense, init: in{"w": r(6, 1), "i": tensor.Scalar(float32(1))},
			nodes: []string{"z = MatMul(x, w)", "n = Neg(z)", "e = Exp(n)", "p = Add(e, i)", "y = Div(i, p)"}, classes: 1, axis: 1,
			act: "Sigmoid", params: "w", four: []int{2, 4}, one: []int{2, 1}, end: "Softmax"},
		{name: "several labels", in: dense, init: in{"w": r(6, 3)}, nodes: []string{"z = MatMul(x, w)", "y = Sigmoid(z)"}, classes: 3,
			axis: 1, act: "Sigmoid", params: "w", four: []int{2, 4}, one: []int{2, 1}},
		{name: "a softmax written out", in: dense, init: in{"w": r(6, 3), "ax": ints(1)}, nodes: []string{"z = MatMul(x, w)",
			"m = ReduceMax(z; axes=[1])", "d = Sub(z, m)", "e = Exp(d)", "s = ReduceSum(e, ax)", "y = Div(e, s)"},
			classes: 3, axis: 1, act: "Softmax", params: "w", four: []int{2, 4}, one: []int{2, 1}, end1: "Sigmoid"},
		{name: "Softplus", in: dense, init: in{"w": r(6, 3)}, nodes: []string{"z = MatMul(x, w)", "y = Softplus(z)"}, classes: 3, axis: 1,
			params: "w", four: []int{2, 4}, one: []int{2, 1}},
		{name: "a temperature and a scale for each class", in: dense, init: in{"w": r(6, 3), "s": r(3),
			"temperature": tensor.From([]float32{1.5}, 1)},
			nodes: []string{"z = MatMul(x, w)", "a = Mul(z, s)", "b = Div(a, temperature)", "y = Softmax(b)"}, classes: 3, axis: 1,
			act: "Softmax", params: "w s", four: []int{2, 4}, one: []int{2, 1}, end1: "Sigmoid"},
		{name: "BatchNormalization", in: dense, init: in{"w": r(6, 3), "g": r(3), "b": r(3), "m": r(3),
			"v": testkit.RandUniform(1, 0.5, 1, 3)},
			nodes: []string{"z = MatMul(x, w)", "y = BatchNormalization(z, g, b, m, v)"}, classes: 3, axis: 1, params: "w g b",
			four: []int{2,
				4}, one: []int{2, 1}},
		{name: "segmentation", in: image, init: in{"w": r(3, 3, 1, 1), "b": r(3)}, nodes: []string{"y = Conv(x, w, b)"}, classes: 3,
			axis:   1,
			params: "w b", four: []int{2, 4, 4, 4}, one: []int{2, 1, 4, 4}},
		{name: "segmentation, Resize, Softmax", in: image, init: in{"w": r(3, 3, 1, 1), "b": r(1, 3, 1, 1), "s": ints(2, 3, 8, 8)},
			nodes:   []string{"a = Conv(x, w)", "c = Add(a, b)", "d = Resize(c, , , s)", "y = Softmax(d; axis=1)"},
			classes: 3, axis: 1, act: "Softmax", params: "w b", four: []int{2, 4, 8, 8}, one: []int{2, 1, 8, 8}, end1: "Sigmoid"},
		{name: "segmentation by ConvTranspose, NHWC out", in: image, init: in{"w": r(3, 5, 2, 2)},
			nodes:   []string{"a = ConvTranspose(x, w; strides=[2,2])", "y = Transpose(a; perm=[0,2,3,1])"},
			classes: 5, axis: 3, params: "w", four: []int{2, 8, 8, 4}, one: []int{2, 8, 8, 1}},
		{name: "binary segmentation", in: image, init: in{"w": r(1, 3, 1, 1), "b": r(1, 1, 1), "ax": ints(1)},
			nodes:   []string{"a = Conv(x, w)", "c = Add(a, b)", "d = Sigmoid(c)", "y = Squeeze(d, ax)"},
			classes: 1, axis: 1, act: "Sigmoid", params: "w b", four: []int{2, 4, 4, 4}, one: []int{2, 4, 4}, end: "Identity"},
		{name: "binary segmentation, old softmax", opset: 11, in: image, init: in{"w": r(1, 3, 1, 1)}, nodes: []string{"a = Conv(x, w)",
			"y = Sigmoid(a)"},
			classes: 1, axis: 1, act: "Sigmoid", params: "w", four: []int{2, 4, 4, 4}, one: []int{2, 1, 4, 4}, end: "Identity"},
		{name: "pooled, all squeezed", in: image, init: in{"w": r(3, 3, 1, 1)},
			nodes: []string{"a = Conv(x, w)", "p = GlobalAveragePool(a)",
				"y = Squeeze(p)"}, classes: 3, axis: 1, params: "w", four: []int{2, 4}, one: nil},
		{name: "one number of a picture", in: image, init: in{"w": r(1, 3, 1, 1), "ax": ints(1, 2, 3)}, nodes: []string{"a = Conv(x, w)",
			"p = GlobalAveragePool(a)", "y = Squeeze(p, ax)"},
			classes: 1, axis: 1, params: "w", four: []int{2, 4}, one: []int{2}},
		{name: "pooled by a mean, Flatten", in: image, init: in{"w": r(3, 3, 1, 1)}, nodes: []string{"a = Conv(x, w)",
			"p = ReduceMean(a; axes=[2,3])", "y = Flatten(p)"}, classes: 3, axis: 1, params: "w", four: []int{2, 4}, one: []int{2, 1}},
		{name: "pooled, Reshape to [-1,3]", in: image, init: in{"w": r(3, 3, 1, 1), "s": ints(-1, 3)}, nodes: []string{"a = Conv(x, w)",
			"p = GlobalAveragePool(a)", "y = Reshape(p, s)"},
			classes: 3, axis: 1, params: "w", four: []int{2, 4}, one: []int{2, 1}},
		{name: "positions as rows, a target that is computed", in: image, init: in{"w": r(2, 3, 1, 1), "z": ints(0), "m": ints(-1),
			"k": ints(2), "v": r(4, 3, 1, 1)},
			nodes: []string{"a = Conv(x, w)", "t = Transpose(a; perm=[0,2,3,1])", "s = Shape(x)", "n = Gather(s, z)",
				"d = Concat(n, m, k; axis=0)", "q = Reshape(t, d)",
				"o = Conv(x, v)", "other = Reshape(o, d)", "y = Softmax(q; axis=2)"},
			classes: 2, axis: 2, act: "Softmax", params: "w", four: []int{2, 16, 4}, one: []int{2, 16, 1}, end1: "Sigmoid"},
		{name: "flattened by a target that is computed", in: image, init: in{"w": r(3, 3, 1, 1), "z": ints(0), "m": ints(-1)},
			nodes: []string{"a = Conv(x, w)", "p = GlobalAveragePool(a)", "s = Shape(p)", "n = Gather(s, z)", "d = Concat(n, m; axis=0)",
				"y = Reshape(p, d)"},
			classes: 3, axis: 1, params: "w", four: []int{2, 4}, one: []int{2, 1}},
		{name: "NHWC", in: "x[N,4,4,3]", init: in{"w": r(3, 5)}, nodes: []string{"a = MatMul(x, w)",
			"p = ReduceMean(a; axes=[1,2], keepdims=0)", "y = Softmax(p)"},
			classes: 5, axis: 1, act: "Softmax", params: "w", four: []int{2, 4}, one: []int{2, 1}, end1: "Sigmoid"},
		{name: "tokens", in: tokens, init: in{"w": r(6, 3), "b": r(3)},
			nodes:   []string{"z = MatMul(x, w)", "a = Add(z, b)", "y = LogSoftmax(a)"},
			classes: 3, axis: 2, act: "LogSoftmax", params: "w b", four: []int{2, 5, 4}, one: []int{2, 5, 1}, end1: "Sigmoid"},
		{name: "tokens, transposed", in: tokens, init: in{"w": r(6, 3)}, nodes: []string{"z = MatMul(x, w)",
			"y = Transpose(z; perm=[0,2,1])"}, classes: 3, axis: 1, params: "w", four: []int{2, 4, 5}, one: []int{2, 1, 5}},
		{name: "a function", in: dense, init: in{"V": r(6, 3)}, nodes: []string{"y = pkg:given(x, V)"}, classes: 3, axis: 1, params: "V",
			four: []int{2, 4}, one: []int{2, 1}, funcs: []*onnxpb.FunctionProto{given}},
		{name: "a function in a function, called twice", in: dense, init: in{"W": r(6, 6), "V": r(6, 3)},
			nodes:   []string{"h = pkg:outer(x, W)", "y = pkg:outer(h, V)"},
			classes: 3, axis: 1, params: "V", four: []int{2, 4}, one: []int{2, 1}, funcs: []*onnxpb.FunctionProto{given, outer}},
		{name: "weights in a function that is called twice", in: dense, nodes: []string{"h = pkg:own(x)", "y = pkg:own(h)"},
			classes: 6, axis: 1, params: "w b", four: []int{2, 4}, one: []int{2, 1}, funcs: []*onnxpb.FunctionProto{own}},
	}
}

func (c headCase) model(t *testing.T) *onnx.Model {
	opset := c.opset
	if opset == 0 {
		opset = 13
	}
	p := testkit.Text{Opset: opset, In: []string{c.in}, Out: []string{"y"}, Init: c.init, Consts: c.consts, Nodes: c.nodes}.Model(t)
	if c.funcs != nil {
		p.OpsetImport = append(p.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: new("pkg"), Version: new(int64(1))})
		p.Functions = c.funcs
	}
	return &onnx.Model{Proto: p}
}

func TestFindHead(t *testing.T) {
	for _, c := range headCases(t) {
		m := c.model(t)
		before, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		h, err := FindHead(m, "")
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if h.Classes != c.classes || h.Axis != c.axis || h.Activation != c.act || strings.Join(h.Params, " ") != c.params {
			t.Errorf("%s: %d classes at axis %d, %q, parameters %q; want %d at %d, %q, %q", c.name, h.Classes, h.Axis, h.Activation,
				h.Params,
				c.classes, c.axis, c.act, c.params)
		}
		if b, err := m.Bytes(); err != nil || string(b) != string(before) {
			t.Errorf("%s: looking changed the model", c.name)
		}
		// The engine knows the parameters by these names, and trains them.
		names, err := Select(load(t, m), nil, true)
		if err != nil || !slices.Equal(slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(h.Params))) {
			t.Errorf("%s: the last layer of the engine is %q (%v), want %q", c.name, names, err, h.Params)
		}
	}
}

func TestReplaceHeads(t *testing.T) {
	for _, c := range headCases(t) {
		for classes, want := range map[int][]int{4: c.four, 1: c.one} {
			if want == nil {
				continue
			}
			f := c.model(t)
			before, err := f.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			g, h, err := ReplaceHead(f, classes, 7)
			if err != nil {
				t.Errorf("%s: %d classes: %v", c.name, classes, err)
				continue
			}
			if b, err := f.Bytes(); err != nil || string(b) != string(before) {
				t.Errorf("%s: the model itself was changed", c.name)
			}
			if h.Classes != classes {
				t.Errorf("%s: %d classes, want %d", c.name, h.Classes, classes)
			}
			if err := g.Check(); err != nil {
				t.Errorf("%s: %d classes: %v", c.name, classes, err)
			}
			m := load(t, g)
			s, err := m.Session(engine.Query{})
			if err != nil {
				t.Errorf("%s: %d classes: %v", c.name, classes, err)
				continue
			}
			in := m.Inputs()[0]
			x := testkit.RandN(9, m.Sizes(2)[0]...)
			if in.DType == tensor.Int64 {
				x = testkit.RandInts(9, 0, 7, m.Sizes(2)[0]...)
			}
			if strings.Contains(c.in, "N,5,") || strings.Contains(c.in, "N,5]") {
				x = x.Clone()
			}
			r, err := s.Run(context.Background(), map[string]*tensor.Tensor{in.Name: x})
			if err != nil {
				t.Errorf("%s: %d classes: %v", c.name, classes, err)
				continue
			}
			y := r.Value("y")
			if !slices.Equal(y.Shape(), want) {
				t.Errorf("%s: %d classes: output %v, want %v", c.name, classes, y.Shape(), want)
			}
			if d := m.Outputs()[0].Dims; d != nil && len(d) != y.Rank() {
				t.Errorf("%s: %d classes: declared %v, computed %v", c.name, classes, m.Outputs()[0], y.Shape())
			}
			for _, v := range y.Float64s() {
				if math.IsNaN(v) {
					t.Errorf("%s: %d classes: output %v", c.name, classes, y.Float64s())
				}
			}
			end := maker(g, "y").GetOpType()
			was := maker(f, "y").GetOpType()
			expect := c.end
			if classes == 1 {
				expect = c.end1
			}
			if expect == "" && c.funcs == nil {
				expect = was
			}
			if expect != "" && end != expect {
				t.Errorf("%s: %d classes: ends in %s, want %s", c.name, classes, end, expect)
			}
			if changed := c.act == "Sigmoid" && c.classes == 1 && classes > 1 || strings.HasSuffix(c.act, "Softmax") &&
				classes == 1; changed != (h.Note != "") {
				t.Errorf("%s: %d classes behind a %s of %d, and the note is %q", c.name, classes, c.act, c.classes, h.Note)
			}
			sum := 0.0
			if end == "Softmax" && h.Squeezed == false {
				for k := range classes {
					sum += y.Float64s()[k*strideOf(y.Shape(), h.Axis)]
				}
				if math.Abs(sum-1) > 1e-5 {
					t.Errorf("%s: %d classes: the probabilities of the first example sum to %g", c.name, classes, sum)
				}
			}
			if names, err := Select(m, nil, true); err != nil || len(names) != len(h.Params) {
				t.Errorf("%s: %d classes: the last layer is %q (%v), want %q", c.name, classes, names, err, h.Params)
			}
			if c.funcs != nil && len(g.Proto.Functions) != len(f.Proto.Functions) {
				t.Errorf("%s: functions that are called elsewhere are gone", c.name)
			}
		}
	}
}

func strideOf(s tensor.Shape, axis int) int { return s[axis+1:].Len() }

func maker(m *onnx.Model, name string) *onnxpb.NodeProto {
	for _, n := range m.Proto.Graph.Node {
		if slices.Contains(n.Output, name) {
			return n
		}
	}
	return nil
}

// A head that is replaced leaves what else reads its weight, and the call of its function elsewhere, as they were.
func TestReplaceHeadLeavesTheRest(t *testing.T) {
	for _, c := range headCases(t) {
		if c.name != "tied to the embedding" && c.name != "weights in a function that is called twice" {
			continue
		}
		f := c.model(t)
		g, _, err := ReplaceHead(f, 4, 7)
		if err != nil {
			t.Fatal(err)
		}
		inner := "e"
		if c.funcs != nil {
			inner = "h"
		}
		in := load(t, f).Inputs()[0]
		x := testkit.RandN(9, 2, 6)
		if in.DType == tensor.Int64 {
			x = testkit.RandInts(9, 0, 7, 2, 5)
		}
		var got [2]*tensor.Tensor
		for i, m := range []*onnx.Model{f, g} {
			s, err := load(t, m).Session(engine.Query{Fetch: []string{inner}})
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.Run(context.Background(), map[string]*tensor.Tensor{"x": x})
			if err != nil {
				t.Fatal(err)
			}
			got[i] = r.Value(inner).Clone()
		}
		if !tensor.Equal(got[0], got[1]) {
			t.Errorf("%s: what comes before the head has changed", c.name)
		}
	}
}

func TestNewHeadActivation(t *testing.T) {
	r := testkit.RandN
	for _, c := range []struct {
		nodes            []string
		classes          int
		ask, end, failed string
	}{
		{[]string{"z = MatMul(x, w)", "y = Sigmoid(z)"}, 4, "Softmax", "Softmax", ""},
		{[]string{"z = MatMul(x, w)", "y = Sigmoid(z)"}, 4, "none", "Identity", ""},
		{[]string{"z = MatMul(x, w)", "y = Softmax(z)"}, 4, "Sigmoid", "Sigmoid", ""},
		{[]string{"y = MatMul(x, w)"}, 4, "Softmax", "Softmax", ""},
		{[]string{"y = MatMul(x, w)"}, 1, "Sigmoid", "Sigmoid", ""},
		{[]string{"y = MatMul(x, w)"}, 1, "none", "MatMul", ""},
		{[]string{"y = MatMul(x, w)"}, 1, "Relu", "", "is not Softmax"},
		{[]string{"y = MatMul(x, w)"}, 0, "", "", "at least 1"},
	} {
		f := &onnx.Model{Proto: testkit.Text{In: []string{"x[N,6]"}, Out: []string{"y[N,3]"}, Init: map[string]*tensor.Tensor{"w": r(1, 6,
			3)}, Nodes: c.nodes}.Model(t)}
		g, _, err := NewHead{Classes: c.classes, Activation: c.ask}.Replace(f)
		if c.failed != "" {
			if err == nil || !strings.Contains(err.Error(), c.failed) {
				t.Errorf("%v: %v, want %q", c.nodes, err, c.failed)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Check(); err != nil {
			t.Fatal(err)
		}
		if end := maker(g, "y").GetOpType(); end != c.end {
			t.Errorf("%v with %q ends in %s, want %s", c.nodes, c.ask, end, c.end)
		}
	}
}

// What is no head is refused, with the node that says so.
func TestNoHead(t *testing.T) {
	ints := func(x ...int64) *tensor.Tensor { return tensor.From(x, len(x)) }
	r := func(shape ...int) *tensor.Tensor { return testkit.RandN(uint64(shape[0]), shape...) }
	for _, c := range []struct {
		name, in string
		init     map[string]*tensor.Tensor
		nodes    []string
		want     string
	}{
		{"a detector's scores", "x[1,3,4,4]", map[string]*tensor.Tensor{"w": r(6, 3, 1, 1), "s": ints(1, -1, 2)},
			[]string{"a = Conv(x, w)",
				"t = Transpose(a; perm=[0,2,3,1])", "y = Reshape(t, s)"}, "cuts apart"},
		{"classes and positions as one", "x[N,3,4,4]", map[string]*tensor.Tensor{"w": r(6, 3, 1, 1), "s": ints(-1, 96)},
			[]string{"a = Conv(x, w)", "y = Reshape(a, s)"}, "cuts apart"},
		{"a mean over the classes", "x[N,6]", map[string]*tensor.Tensor{"w": r(6, 3)}, []string{"a = MatMul(x, w)",
			"y = ReduceMean(a; axes=[1])"}, "reduces"},
		{"a product of two computed values", "x[N,6]", map[string]*tensor.Tensor{"w": r(6, 3)}, []string{"a = MatMul(x, w)", "b = Tanh(a)",
			"y = Mul(a, b)"}, "is not a layer"},
		{"class numbers", "x[N,6]", map[string]*tensor.Tensor{"w": r(6, 3)}, []string{"a = MatMul(x, w)", "y = ArgMax(a; axis=1)"},
			"(ArgMax)"},
		{"no layer", "x[N,6]", nil, []string{"y = Relu(x)"}, "no layer"},
		{"quantised", "x[N,6]", map[string]*tensor.Tensor{"w": tensor.New(tensor.Int8, 6, 3), "s": tensor.Scalar(float32(1))},
			[]string{"d = DequantizeLinear(w, s)", "y = MatMul(x, d)"}, "quantised"},
		{"integers", "x[N,6]", map[string]*tensor.Tensor{"w": tensor.New(tensor.Int32, 6, 3)}, []string{"y = MatMul(x, w)"},
			"stored as int32"},
	} {
		m := &onnx.Model{Proto: testkit.Text{Opset: 13, In: []string{c.in}, Out: []string{"y"}, Init: c.init, Nodes: c.nodes}.Model(t)}
		if _, err := FindHead(m, ""); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
		}
	}
}

// The engine and the finder of heads name the same logits behind an activation that is written out.
func TestHeadsAgreeWithTheEngine(t *testing.T) {
	const fc = "z = MatMul(x, w)"
	softmax := func(of string) []string {
		return []string{fc, "e = Exp(" + of + ")", "s = ReduceSum(e, ax)", "y = Div(e, s)"}
	}
	sigmoid := func(of string) []string { return []string{fc, of, "e = Exp(n)", "p = Add(e, i)", "y = Div(i, p)"} }
	ones := []string{fc, "n = Neg(z)", "e = Exp(n)", "p = Add(e, ones)", "y = Reciprocal(p)"}
	shifted := func(by ...string) []string { return slices.Insert(softmax("d"), 1, by...) }
	const noLayer = "is not a layer that could be replaced"
	for _, c := range []struct {
		name    string
		nodes   []string
		consts  []string
		act     string
		logits  string
		refuses string // what FindHead says where there is no head
	}{
		{"0 - z", sigmoid("n = Sub(zero, z)"), nil, "Sigmoid", "z", ""},
		{"z * -1", sigmoid("n = Mul(minus, z)"), nil, "Sigmoid", "z", ""},
		{"1 - z, which is no negation", sigmoid("n = Sub(i, z)"), nil, "", "y", noLayer},
		{"one for each class", ones, []string{"ones"}, "Sigmoid", "z", ""},
		{"one for each class, which may be learned", ones, nil, "", "y", noLayer},
		{"one, shown through a view", []string{fc, "v = Unsqueeze(i, zeroth)", "n = Neg(z)", "e = Exp(n)", "p = Add(v, e)",
			"y = Reciprocal(p)"}, nil, "Sigmoid", "z", ""},
		{"z less its largest", shifted("c = ReduceMax(z; axes=[1])", "d = Sub(z, c)"), nil, "Softmax", "z", ""},
		{"z less its largest, or 0", shifted("m = ReduceMax(z; axes=[1])", "c = Max(m, zero)", "d = Sub(z, c)"), nil, "Softmax", "z", ""},
		{"z less a value from elsewhere", shifted("c = MatMul(x, u)", "d = Sub(z, c)"), nil, "Softmax", "d", "(Sub) before output"},
		{"z less the largest of x", shifted("c = ReduceMax(x; axes=[1])", "d = Sub(z, c)"), nil, "Softmax", "d", "(Sub) before output"},
		{"z less numbers of the file", shifted("d = Sub(z, shift)"), nil, "Softmax", "d", ""},
		{"axes that are computed", []string{fc, "e = Exp(z)", "s = ReduceSum(e, k)", "y = Div(e, s)"}, nil, "", "y", noLayer},
	} {
		m := &onnx.Model{Proto: testkit.Text{Opset: 13, In: []string{"x[N,6]", "k int64[1]"}, Out: []string{"y"}, Nodes: c.nodes,
			Consts: c.consts, Init: map[string]*tensor.Tensor{"w": testkit.RandN(1, 6, 3), "u": testkit.RandN(2, 6, 3),
				"shift": testkit.RandN(3, 3), "ones": tensor.From([]float32{1, 1, 1}, 3), "ax": tensor.From([]int64{1}, 1),
				"zeroth": tensor.From([]int64{0}, 1), "i": tensor.Scalar(float32(1)), "zero": tensor.Scalar(float32(0)),
				"minus": tensor.Scalar(float32(-1))}}.Model(t)}
		if h, err := load(t, m).Head(""); err != nil || h.Activation != c.act || h.Logits != c.logits {
			t.Errorf("%s: the engine finds %q of %q (%v), want %q of %q", c.name, h.Activation, h.Logits, err, c.act, c.logits)
		}
		head, err := FindHead(m, "")
		if c.refuses != "" {
			if err == nil || !strings.Contains(err.Error(), c.refuses) {
				t.Errorf("%s: %v, want an error with %q", c.name, err, c.refuses)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		logits := "y"
		for _, s := range head.after {
			if s.activation != "" {
				logits = s.from
			}
		}
		if head.Activation != c.act || logits != c.logits {
			t.Errorf("%s: the head has %q of %q, want %q of %q", c.name, head.Activation, logits, c.act, c.logits)
		}
	}
}
