package ops_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/tensor"
)

// fakeCase is one of testdata/fakequantize.json, which testdata/gen/fakequantize.py wrote with PyTorch 1.13.
type fakeCase struct {
	Name                string
	Shape               []int
	Axis, Lo, Hi        int
	Scale, X, Dy, Y, Dx []float32
	Zero                []int32
	Ds                  []float32
}

// TestFakeQuantize: the straight-through gradients by the numbers and by the scales are PyTorch's, and so are those of the pair that
// FakeQuantize stands for, and of what it is lowered to.
func TestFakeQuantize(t *testing.T) {
	raw, err := os.ReadFile("testdata/fakequantize.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []fakeCase
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			d := tensor.Uint8
			switch c.Lo {
			case -128:
				d = tensor.Int8
			case -8:
				d = tensor.Int4
			}
			zero, err := tensor.From(c.Zero, len(c.Zero)).Convert(d)
			if err != nil {
				t.Fatal(err)
			}
			g := graph.New("")
			x, s := g.AddInput("x", tensor.Float32, nil), g.AddParam("s", tensor.From(c.Scale, len(c.Scale)))
			dy := g.AddInput("dy", tensor.Float32, nil)
			b := graph.NewBuilder(g)
			attrs := is("axis", max(0, c.Axis))
			node := func(op *graph.Spec, in ...graph.Value) graph.Value {
				a, err := op.DecodeAttrs(attrs)
				if err != nil {
					t.Fatal(err)
				}
				return b.Add(op, a, in...)
			}
			q := node(ops.QuantizeLinear, x, s, b.Const(zero))
			y := node(ops.DequantizeLinear, q, s, b.Const(zero.Clone()))
			loss := b.Add(ops.ReduceSum, nil, b.Add(ops.Mul, nil, y, dy))
			if err := b.Err(); err != nil {
				t.Fatal(err)
			}
			if err := rewrite.StraightThrough(g, func(v graph.Value) bool { return v == s }); err != nil {
				t.Fatal(err)
			}
			ds, err := grad.Reverse(g, []grad.Seed{grad.Ones(g, loss)}, []graph.Value{x, s}, grad.Options{})
			if err != nil {
				t.Fatal(err)
			}
			fetch := []graph.Value{y, ds[0], ds[1]}
			in := []*tensor.Tensor{tensor.From(c.X, c.Shape...), tensor.From(c.Dy, c.Shape...)}
			for _, lowered := range []bool{false, true} {
				if lowered {
					g.Outputs = fetch
					if err := rewrite.LowerPrivate(g); err != nil {
						t.Fatal(err)
					}
				}
				prog, err := exec.Compile(g, fetch, nil)
				if err != nil {
					t.Fatal(err)
				}
				out, err := runCopied(prog, in)
				if err != nil {
					t.Fatal(err)
				}
				for i, want := range [][]float32{c.Y, c.Dx, c.Ds} {
					w := tensor.From(want, out[i].Shape()...)
					if ok, report := tensor.AllClose(out[i], w, 1e-4, 1e-5); !ok {
						t.Errorf("lowered %v: %s: %v", lowered, []string{"y", "dx", "ds"}[i], report)
					}
				}
			}
		})
	}
}
