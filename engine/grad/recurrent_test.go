package grad_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/internal/naive"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestSecondOrderOfRecurrent takes Hessian-vector and Jacobian-vector products of two recurrent layers, one after the other, against
// differences of gradients and of outputs, as they are and written in ONNX's operators.
func TestSecondOrderOfRecurrent(t *testing.T) {
	for name, k := range map[string]struct {
		op    *graph.Spec
		gates int
	}{"LSTM": {ops.LSTM, 4}, "GRU": {ops.GRU, 3}, "RNN": {ops.RNN, 1}} {
		t.Run(name, func(t *testing.T) {
			const steps, batch, width, hidden = 3, 2, 2, 3
			r := rand.New(rand.NewPCG(9, 4))
			g := graph.New(name)
			feeds, along := map[string]*tensor.Tensor{}, map[string]*tensor.Tensor{}
			var wrt, dirs []graph.Value
			input := func(name string, shape ...int) graph.Value {
				for _, m := range []map[string]*tensor.Tensor{feeds, along} {
					x := make([]float64, tensor.Shape(shape).Len())
					for i := range x {
						x[i] = r.NormFloat64() / 2
					}
					m[name] = tensor.From(x, shape...)
				}
				wrt = append(wrt, g.AddInput(name, tensor.Float64, nil))
				return wrt[len(wrt)-1]
			}
			b := graph.NewBuilder(g)
			attrs, err := k.op.DecodeAttrs(graph.Attrs{"hidden_size": int64(hidden), "direction": "bidirectional"})
			if err != nil {
				t.Fatal(err)
			}
			x := input("x", steps, batch, width)
			y := b.Add(k.op, attrs, x, input("W", 2, k.gates*hidden, width), input("R", 2, k.gates*hidden, hidden),
				input("B", 2, 2*k.gates*hidden))
			y = b.Add(ops.ReduceSum, nil, y, b.Ints(1))
			y = b.Add(k.op, attrs, b.Add(ops.Squeeze, nil, y, b.Ints(1)), input("W2", 2, k.gates*hidden, hidden),
				input("R2", 2, k.gates*hidden, hidden))
			loss := b.Add(ops.ReduceSum, nil, b.Add(ops.Mul, nil, y, y))
			if err := b.Err(); err != nil {
				t.Fatal(err)
			}
			plain := g.Clone()
			value := func(feeds map[string]*tensor.Tensor) float64 {
				m, err := naive.Fetch(plain, feeds, []graph.Value{loss})
				if err != nil {
					t.Fatal(err)
				}
				return m[plain.Info(loss).Name].Float64s()[0]
			}
			for _, v := range wrt {
				dirs = append(dirs, g.AddInput("along "+g.Info(v).Name, tensor.Float64, nil))
			}
			hv, err := grad.HVP(g, loss, wrt, dirs, grad.Options{})
			if err != nil {
				t.Fatal(err)
			}
			jv, err := grad.JVP(g, []graph.Value{loss}, wrt, dirs, grad.Options{})
			if err != nil {
				t.Fatal(err)
			}
			fetch := append(hv, jv...)
			check := func() {
				p, err := exec.Compile(g, fetch, nil)
				if err != nil {
					t.Fatal(err)
				}
				var in []*tensor.Tensor
				for _, v := range wrt {
					in = append(in, feeds[g.Info(v).Name])
				}
				for _, v := range wrt {
					in = append(in, along[g.Info(v).Name])
				}
				got, err := p.Run(context.Background(), in)
				if err != nil {
					t.Fatal(err)
				}
				first := func(h float64) (float64, error) { return value(testkit.Moved(feeds, along, h)), nil }
				slope, err := testkit.Difference(first, 1e-4)
				if err != nil {
					t.Fatal(err)
				}
				if d := got[len(hv)].Float64s()[0]; math.Abs(d-slope) > 1e-6*math.Abs(slope) {
					t.Errorf("the loss changes by %.9g, want %.9g", d, slope)
				}
				curve := 0.0
				for i, v := range wrt {
					s, _ := testkit.Inner(got[i], along[g.Info(v).Name])
					curve += s
				}
				const h = 1e-3
				at := func(h float64) float64 { return value(testkit.Moved(feeds, along, h)) }
				want := (-at(2*h) + 16*at(h) - 30*at(0) + 16*at(-h) - at(-2*h)) / (12 * h * h)
				if math.Abs(curve-want) > 1e-5*math.Abs(want) {
					t.Errorf("curvature %.9g, want %.9g", curve, want)
				}
			}
			check()
			if err := rewrite.LowerPrivate(g); err != nil {
				t.Fatal(err)
			}
			rewrite.Dead(g, fetch)
			for _, n := range g.Nodes {
				if n.Op.Domain != "" {
					t.Errorf("%s is left", n.Label())
				}
			}
			check()
		})
	}
}
