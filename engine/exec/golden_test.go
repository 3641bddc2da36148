package exec_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestGoldenPlans compares the plans of small networks with testdata/*.plan, line by line: what runs in which order and where in memory.
// After a change that is meant, go test ./engine/exec -run TestGoldenPlans -update writes them; the difference is what to read.
func TestGoldenPlans(t *testing.T) {
	weights := func(shapes map[string][]int) map[string]*tensor.Tensor {
		m := map[string]*tensor.Tensor{}
		for name, s := range shapes {
			m[name] = testkit.RandN(1, s...)
		}
		return m
	}
	convnet := testkit.Text{
		In: []string{"x[N,3,8,8]"}, Out: []string{"y[N,5]"},
		Init: weights(map[string][]int{"w1": {4, 3, 3, 3}, "w2": {4, 4, 3, 3}, "s": {4}, "o": {4}, "m": {4}, "v": {4}, "wf": {64, 5},
			"bf": {5}}),
		Nodes: []string{
			"c1 = Conv(x, w1; pads=[1,1,1,1])", "n1 = BatchNormalization(c1, s, o, m, v)", "r1 = Relu(n1)",
			"c2 = Conv(r1, w2; pads=[1,1,1,1])", "a2 = Add(c2, r1)", "r2 = Relu(a2)", "p = MaxPool(r2; kernel_shape=[2,2], strides=[2,2])",
			"f = Flatten(p)", "y = Gemm(f, wf, bf)",
		},
		Order: []string{"w1", "w2", "s", "o", "m", "v", "wf", "bf"},
	}
	attention := testkit.Text{
		In: []string{"x[N,6,4]"}, Out: []string{"y[N,6,4]"},
		Init: map[string]*tensor.Tensor{"wq": testkit.RandN(1, 4, 4), "wk": testkit.RandN(2, 4, 4), "g": testkit.RandN(3, 4),
			"b": testkit.RandN(4, 4),
			"k": tensor.Scalar(float32(0.5)), "rows": tensor.From([]int64{-1, 4}, 2)},
		Nodes: []string{
			"q = MatMul(x, wq)", "kk = MatMul(x, wk)", "kt = Transpose(kk; perm=[0,2,1])", "s = MatMul(q, kt)", "z = Mul(s, k)",
			"p = Softmax(z)",
			"h = MatMul(p, x)", "a = Add(h, x)", "n = LayerNormalization(a, g, b)", "f = Reshape(n, rows)", "t = Tanh(f)",
			"sh = Shape(x)", "y = Reshape(t, sh)",
		},
		Order: []string{"wq", "wk", "g", "b", "k", "rows"},
	}
	recurrent := testkit.Text{
		In: []string{"x[T,N,3]", "n int64[1]"}, Out: []string{"y", "z"},
		Init: map[string]*tensor.Tensor{"w": testkit.RandN(1, 1, 12, 3), "r": testkit.RandN(2, 1, 12, 4),
			"one":  tensor.From([]int64{1}, 1),
			"zero": tensor.From([]int64{0}, 1)},
		Nodes: []string{
			"h = GRU(x, w, r; hidden_size=4)", "s = Squeeze(h, one)", "u = Sigmoid(s)", "y = Relu(u)",
			"part = Slice(y, zero, n, zero)", "z = Neg(part)",
		},
		Order: []string{"w", "r", "one", "zero"},
	}
	for _, c := range []struct {
		name   string
		text   testkit.Text
		train  bool
		shapes []tensor.Shape
	}{
		{"convnet", convnet, false, []tensor.Shape{{2, 3, 8, 8}}},
		{"convnet_train", convnet, true, []tensor.Shape{{2, 3, 8, 8}}},
		{"attention", attention, false, []tensor.Shape{{3, 6, 4}}},
		{"attention_train", attention, true, []tensor.Shape{{3, 6, 4}}},
		{"recurrent", recurrent, false, []tensor.Shape{{5, 2, 3}, {1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := engine.Load(&onnx.Model{Proto: c.text.Model(t)}, engine.WithThreads(1))
			if err != nil {
				t.Fatal(err)
			}
			g := m.Graph().Clone()
			fetch := slices.Clone(g.Outputs)
			if c.train {
				b := graph.NewBuilder(g)
				loss := named(t, b, "loss", ops.ReduceMean, b.Add(ops.Mul, nil, fetch[0], fetch[0]))
				var wrt []graph.Value
				for p := range m.Params() {
					if p.Trainable {
						wrt = append(wrt, g.Lookup(p.Name))
					}
				}
				ds, err := grad.Reverse(g, []grad.Seed{grad.Ones(g, loss)}, wrt, grad.Options{})
				if err != nil {
					t.Fatal(err)
				}
				fetch = append([]graph.Value{loss}, ds...)
			} else {
				rewrite.Freeze(g, nil)
			}
			if err := rewrite.Fold(g); err != nil {
				t.Fatal(err)
			}
			g.Outputs = nil
			rewrite.Merge(g, fetch)
			if err := rewrite.Fuse(g, fetch); err != nil {
				t.Fatal(err)
			}
			rewrite.Dead(g, fetch)
			p, err := exec.Compile(g, fetch, nil)
			if err != nil {
				t.Fatal(err)
			}
			text, err := exec.Dump(p, c.shapes)
			if err != nil {
				t.Fatal(err)
			}
			testkit.Golden(t, filepath.Join("testdata", c.name+".plan"), []byte(text))
			if strings.Count(text, "\n") < 5 {
				t.Errorf("a plan of nothing:\n%s", text)
			}
		})
	}
}

func named(t *testing.T, b *graph.Builder, name string, op *graph.Spec, in ...graph.Value) graph.Value {
	t.Helper()
	n := b.AddNode(name, op, nil, in, []bool{true})
	if n == nil {
		t.Fatal(b.Err())
	}
	return n.Out[0]
}
