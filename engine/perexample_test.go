package engine_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// sketch is a small model in a notation of one node a line: "outputs = Op inputs", with an attribute list by the name of its first output.
type sketch struct {
	name    string
	opset   int64
	x       []int // shape of one example of x; of integers below 5 with ids
	ids     bool
	nodes   string
	attrs   map[string][]*onnxpb.AttributeProto
	weights map[string][]int          // trained
	consts  map[string]*tensor.Tensor // not trained
}

func (c sketch) load(t *testing.T) *engine.Model {
	t.Helper()
	dims := []any{"N"}
	for _, d := range c.x {
		dims = append(dims, d)
	}
	d := tensor.Float32
	if c.ids {
		d = tensor.Int64
	}
	g := &onnxpb.GraphProto{Name: new("net"), Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", d, dims...)},
		Output: []*onnxpb.ValueInfoProto{{Name: new("y")}}}
	for line := range strings.Lines(c.nodes) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		outs, ins := strings.Split(f[0], ","), f[3:]
		for i, s := range ins {
			if s == "-" {
				ins[i] = ""
			}
		}
		g.Node = append(g.Node, onnx.NewNode(f[2], "node_"+outs[0], ins, outs, c.attrs[outs[0]]...))
	}
	for name, shape := range c.weights {
		g.Initializer = append(g.Initializer, onnx.TensorToProto(name, testkit.RandN(uint64(name[0]), shape...)))
	}
	for name, v := range c.consts {
		g.Initializer = append(g.Initializer, onnx.TensorToProto(name, v))
	}
	opset := c.opset
	if opset == 0 {
		opset = 20
	}
	var trained []string
	for name := range c.weights {
		trained = append(trained, name)
	}
	m, err := engine.Load(onnx.NewModel(g, opset), engine.WithTrainable(trained...))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (c sketch) examples(n int) *tensor.Tensor {
	shape := append([]int{n}, c.x...)
	x := testkit.RandN(7, shape...)
	if !c.ids {
		return x
	}
	ids := tensor.New(tensor.Int64, shape...)
	for i, v := range x.F32() {
		ids.I64()[i] = int64(math.Abs(float64(v))*10) % 5
	}
	return ids
}

func vec(v ...int64) *tensor.Tensor { return tensor.From(v, len(v)) }

func perm(v ...int64) []*onnxpb.AttributeProto {
	return []*onnxpb.AttributeProto{onnx.AttrInts("perm", v...)}
}

type attrs = map[string][]*onnxpb.AttributeProto

func hidden(n int64, more ...*onnxpb.AttributeProto) []*onnxpb.AttributeProto {
	return append(more, onnx.AttrInt("hidden_size", n))
}

var nets = []sketch{
	{name: "tied embedding", x: []int{3}, ids: true, weights: map[string][]int{"E": {5, 4}, "W": {4, 4}}, nodes: `
		e = Gather E x
		h = MatMul e W
		t = Tanh h
		out = Transpose E
		y = MatMul t out`},
	{name: "tied embedding, long", x: []int{40}, ids: true, weights: map[string][]int{"E": {5, 4}}, nodes: `
		e = Gather E x
		out = Transpose E
		y = MatMul e out`},
	{name: "tied embedding, Gemm", x: []int{3}, ids: true, weights: map[string][]int{"E": {5, 4}},
		consts: map[string]*tensor.Tensor{"one": vec(1)},
		attrs:  attrs{"m": {onnx.AttrInt("keepdims", 0)}, "y": {onnx.AttrInt("transB", 1)}}, nodes: `
		e = Gather E x
		m = ReduceMean e one
		y = Gemm m E`},
	{name: "two embeddings of one table", x: []int{3}, ids: true, weights: map[string][]int{"E": {5, 4}},
		consts: map[string]*tensor.Tensor{"one": tensor.Scalar(int64(1)), "five": tensor.Scalar(int64(5))}, nodes: `
		next = Add x one
		at = Mod next five
		a = Gather E x
		b = Gather E at
		y = Mul a b`},
	{name: "layer used twice", x: []int{2, 4}, weights: map[string][]int{"W": {4, 4}, "b": {4}}, nodes: `
		h = MatMul x W
		i = Add h b
		t = Tanh i
		o = MatMul t W
		y = Add o b`},
	{name: "layer used twice, long", x: []int{30, 2}, weights: map[string][]int{"W": {2, 2}}, nodes: `
		h = MatMul x W
		t = Tanh h
		y = MatMul t W`},
	{name: "weight that is added too", x: []int{4, 4}, weights: map[string][]int{"W": {4, 4}}, nodes: `
		h = MatMul x W
		y = Add h W`},
	{name: "weight in two shapes", x: []int{3, 4}, weights: map[string][]int{"W": {4, 6}},
		consts: map[string]*tensor.Tensor{"s": vec(6, 4)}, nodes: `
		h = MatMul x W
		t = Tanh h
		V = Reshape W s
		y = MatMul t V`},
	{name: "transposed weight", x: []int{3, 4}, weights: map[string][]int{"W": {6, 4}}, nodes: `
		V = Transpose W
		y = MatMul x V`},
	{name: "slice of a table", x: []int{3, 4}, weights: map[string][]int{"P": {7, 4}},
		consts: map[string]*tensor.Tensor{"lo": vec(1), "hi": vec(4), "at": vec(0)}, nodes: `
		p = Slice P lo hi at
		y = Add x p`},
	{name: "as much of a table as there is of x", x: []int{3, 4}, weights: map[string][]int{"P": {7, 4}},
		attrs:  attrs{"T": {onnx.AttrInt("start", 1), onnx.AttrInt("end", 2)}},
		consts: map[string]*tensor.Tensor{"lo": vec(0), "at": vec(0)}, nodes: `
		T = Shape x
		p = Slice P lo T at
		y = Add x p`},
	{name: "entries of a table", x: []int{3, 4}, weights: map[string][]int{"P": {7, 4}},
		consts: map[string]*tensor.Tensor{"at": vec(5, 0, 5)},
		nodes: `
		p = Gather P at
		y = Add x p`},
	{name: "entries that are repeated", x: []int{3}, ids: true, weights: map[string][]int{"E": {5, 4}, "P": {2, 4}},
		consts: map[string]*tensor.Tensor{"at": tensor.From([]int64{1, 0, 1}, 1, 3)}, nodes: `
		s = Shape x
		all = Expand at s
		p = Gather P all
		e = Gather E x
		y = Add e p`},
	{name: "class token", x: []int{3, 4}, weights: map[string][]int{"c": {1, 1, 4}, "W": {4, 3}},
		consts: map[string]*tensor.Tensor{"r": vec(1, 4)},
		attrs:  attrs{"N": {onnx.AttrInt("end", 1)}, "s": {onnx.AttrInt("axis", 0)}, "z": {onnx.AttrInt("axis", 1)}}, nodes: `
		N = Shape x
		s = Concat N r
		k = Expand c s
		z = Concat k x
		t = Tanh z
		y = MatMul t W`},
	{name: "weight normalisation", x: []int{3, 4}, weights: map[string][]int{"v": {4, 5}, "g": {1, 5}},
		consts: map[string]*tensor.Tensor{"at": vec(0)},
		nodes: `
		n = ReduceL2 v at
		d = Div v n
		W = Mul d g
		y = MatMul x W`},
	{name: "left factor", x: []int{4, 3}, weights: map[string][]int{"W": {5, 4}}, nodes: `y = MatMul W x`},
	{name: "differences and ratios", x: []int{3, 4}, weights: map[string][]int{"a": {4}, "b": {3, 1}, "s": {}}, nodes: `
		d = Sub x a
		q = Div b d
		y = Mul q s`},
	{name: "steps first", x: []int{3, 4}, weights: map[string][]int{"W": {4, 5}, "b": {5}, "g": {5}, "P": {3, 1, 5}},
		attrs: attrs{"t": perm(1, 0, 2), "y": perm(1, 0, 2)}, nodes: `
		t = Transpose x
		h = MatMul t W
		i = Add h b
		j = Add i P
		k = LayerNormalization j g
		y = Transpose k`},
	{name: "steps and examples in one", x: []int{3, 4}, weights: map[string][]int{"W": {4, 5}, "b": {5}},
		consts: map[string]*tensor.Tensor{"flat": vec(-1, 4), "back": vec(-1, 3, 5)}, nodes: `
		f = Reshape x flat
		h = Gemm f W b
		t = Tanh h
		y = Reshape t back`},
	{name: "examples within steps", x: []int{3, 4}, weights: map[string][]int{"W": {4, 5}, "b": {5}},
		consts: map[string]*tensor.Tensor{"flat": vec(-1, 4), "back": vec(3, -1, 5)},
		attrs:  attrs{"t": perm(1, 0, 2), "y": perm(1, 0, 2)}, nodes: `
		t = Transpose x
		f = Reshape t flat
		h = Gemm f W b
		k = Reshape h back
		y = Transpose k`},
	{name: "pictures of a film", x: []int{3, 1, 4, 4}, weights: map[string][]int{"W": {2, 1, 3, 3}, "b": {2}},
		consts: map[string]*tensor.Tensor{"flat": vec(-1, 1, 4, 4), "back": vec(-1, 3, 8)}, nodes: `
		f = Reshape x flat
		h = Conv f W b
		t = Tanh h
		y = Reshape t back`},
	{name: "LSTM", x: []int{5, 3}, weights: map[string][]int{"W": {2, 16, 3}, "R": {2, 16, 4}, "B": {2, 32}, "V": {8, 2}},
		consts: map[string]*tensor.Tensor{"back": vec(0, 0, -1)},
		attrs:  attrs{"t": perm(1, 0, 2), "s": hidden(4, onnx.AttrString("direction", "bidirectional")), "k": perm(2, 0, 1, 3)}, nodes: `
		t = Transpose x
		s = LSTM t W R B
		k = Transpose s
		o = Reshape k back
		y = MatMul o V`},
	{name: "LSTM, last state", x: []int{5, 3}, weights: map[string][]int{"W": {1, 16, 3}, "R": {1, 16, 4}, "B": {1, 32}, "V": {4, 2}},
		consts: map[string]*tensor.Tensor{"at": vec(0)}, attrs: attrs{"t": perm(1, 0, 2), "s": hidden(4)}, nodes: `
		t = Transpose x
		s,h = LSTM t W R B
		o = Squeeze h at
		y = MatMul o V`},
	{name: "LSTM over steps first", x: []int{5, 3},
		weights: map[string][]int{"W": {1, 16, 3}, "R": {1, 16, 4}, "B": {1, 32}, "V": {4, 2}, "c": {2}},
		consts:  map[string]*tensor.Tensor{"at": vec(1)}, attrs: attrs{"t": perm(1, 0, 2), "s": hidden(4), "y": perm(1, 0, 2)}, nodes: `
		t = Transpose x
		s = LSTM t W R B
		o = Squeeze s at
		h = MatMul o V
		i = Add h c
		y = Transpose i`},
	{name: "GRU", x: []int{5, 3}, weights: map[string][]int{"W": {1, 12, 3}, "R": {1, 12, 4}, "B": {1, 24}},
		consts: map[string]*tensor.Tensor{"at": vec(0)},
		attrs:  attrs{"t": perm(1, 0, 2), "s": hidden(4, onnx.AttrInt("linear_before_reset", 1))}, nodes: `
		t = Transpose x
		s,h = GRU t W R B
		y = Squeeze h at`},
	{name: "GRU used twice", x: []int{5, 4}, weights: map[string][]int{"W": {1, 12, 4}, "R": {1, 12, 4}, "B": {1, 24}},
		consts: map[string]*tensor.Tensor{"at": vec(1), "zero": vec(0)},
		attrs:  attrs{"t": perm(1, 0, 2), "s": hidden(4), "r": hidden(4)}, nodes: `
		t = Transpose x
		s = GRU t W R B
		o = Squeeze s at
		r,h = GRU o W R B
		y = Squeeze h zero`},
	{name: "RNN", x: []int{5, 3}, weights: map[string][]int{"W": {1, 4, 3}, "R": {1, 4, 4}, "B": {1, 8}},
		consts: map[string]*tensor.Tensor{"at": vec(0)},
		attrs:  attrs{"t": perm(1, 0, 2), "s": hidden(4, onnx.AttrString("direction", "reverse"))}, nodes: `
		t = Transpose x
		s,h = RNN t W R B
		y = Squeeze h at`},
	{name: "normalisations", opset: 23, x: []int{4, 3}, weights: map[string][]int{"g": {4}, "b": {4}, "s": {3}, "i": {4}, "j": {4}},
		attrs: attrs{"n": {onnx.AttrInt("num_groups", 2)}}, nodes: `
		n = GroupNormalization x g b
		r = RMSNormalization n s
		y = InstanceNormalization r i j`},
	{name: "a number for each group", opset: 18, x: []int{4, 3}, weights: map[string][]int{"g": {2}, "b": {2}},
		attrs: attrs{"y": {onnx.AttrInt("num_groups", 2)}}, nodes: `y = GroupNormalization x g b`},
	{name: "attention", opset: 24, x: []int{5, 8}, weights: map[string][]int{"Q": {8, 8}, "K": {8, 4}, "V": {8, 4}, "O": {8, 8}, "m": {5, 5}},
		attrs: attrs{"a": {onnx.AttrInt("q_num_heads", 4), onnx.AttrInt("kv_num_heads", 2), onnx.AttrInt("is_causal", 1)}}, nodes: `
		q = MatMul x Q
		k = MatMul x K
		v = MatMul x V
		a = Attention q k v m
		y = MatMul a O`},
	{name: "causal convolution", opset: 27, x: []int{3, 6}, weights: map[string][]int{"w": {3, 1, 4}, "b": {3}},
		attrs: attrs{"y": {onnx.AttrString("activation", "silu")}}, nodes: `y = CausalConvWithState x w b`},
}

// The norm of the gradient of each example of a batch is that of a batch of one, wherever examples lie and however weights are shared.
func TestPerExampleOfNets(t *testing.T) {
	for _, c := range nets {
		t.Run(c.name, func(t *testing.T) {
			m := c.load(t)
			var names []string
			for p := range c.weights {
				names = append(names, p)
			}
			s, err := m.Session(engine.Query{Loss: sums(m), PerExample: names})
			if err != nil {
				t.Fatal(err)
			}
			alone, err := m.Session(engine.Query{Loss: sums(m), Grad: names, Fixed: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{1, 3, 5} {
				x := c.examples(n)
				all, err := s.Run(context.Background(), map[string]*tensor.Tensor{"x": x})
				if err != nil {
					t.Fatal(err)
				}
				for i := range n {
					r, err := alone.Run(context.Background(), map[string]*tensor.Tensor{"x": rowOf(x, i)})
					if err != nil {
						t.Fatal(err)
					}
					for _, p := range names {
						want := 0.0
						for _, v := range r.Grad(p).Float64s() {
							want += v * v
						}
						if got := all.Norm2(p).Float64s(); len(got) != n || !(math.Abs(got[i]-want) <= 1e-4*want+1e-9) {
							t.Errorf("example %d of %d, %s: %v, want %g", i, n, p, got, want)
						}
					}
				}
			}
		})
	}
}
