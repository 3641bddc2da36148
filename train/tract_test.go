package train

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

func tractVectors(t *testing.T) map[string]any {
	t.Helper()
	// Computed in float64 with the reference implementation, https://github.com/Felix-Petersen/tract at 8c04529.
	b, err := os.ReadFile("testdata/tract.json")
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// dense is y = x·Wᵀ + b.
func dense(w, b any) *onnx.Model {
	wt := tensorOf(w)
	return graphModel([]any{"N", wt.Dim(1)}, []any{"N", wt.Dim(0)},
		[]*onnxpb.NodeProto{onnx.NewNode("Gemm", "fc", []string{"x", "w", "b"}, []string{"y"}, onnx.AttrInt("transB", 1))},
		map[string]*tensor.Tensor{"w": wt, "b": tensorOf(b)})
}

// matmul is the same as dense, with the weight transposed.
func matmul(w, b any) *onnx.Model {
	wt := tensorOf(w)
	m, n := wt.Dim(0), wt.Dim(1)
	v := tensor.New(tensor.Float32, n, m)
	for i := range m {
		for j := range n {
			v.F32()[j*m+i] = wt.F32()[i*n+j]
		}
	}
	return graphModel([]any{"N", n}, []any{"N", m},
		[]*onnxpb.NodeProto{onnx.NewNode("MatMul", "mm", []string{"x", "w"}, []string{"z"}),
			onnx.NewNode("Add", "add", []string{"z", "b"}, []string{"y"})},
		map[string]*tensor.Tensor{"w": v, "b": tensorOf(b)})
}

func convolution(c map[string]any) *onnx.Model {
	stride, pad := int64(c["stride"].(float64)), int64(c["pad"].(float64))
	w, x := tensorOf(c["W"]), tensorOf(c["X"])
	g := tensorOf(c["G"])
	return graphModel([]any{"N", x.Dim(1), x.Dim(2), x.Dim(3)}, []any{"N", g.Dim(1), g.Dim(2), g.Dim(3)},
		[]*onnxpb.NodeProto{onnx.NewNode("Conv", "conv", []string{"x", "w", "b"}, []string{"y"},
			onnx.AttrInts("strides", stride, stride), onnx.AttrInts("pads", pad, pad, pad, pad))},
		map[string]*tensor.Tensor{"w": w, "b": tensorOf(c["b"])})
}

// pulled is the loss sum(y∘G), whose gradient by y is G.
func pulled(b *engine.Build) (graph.Value, error) {
	y, err := b.Value("y")
	if err != nil {
		return 0, err
	}
	g := b.Input("G", tensor.Float32, nil)
	return b.Add(ops.ReduceSum, ops.KeepDims(false), b.Add(ops.Mul, nil, y, g)), nil
}

func TestTrActVectors(t *testing.T) {
	transposed := func(v any) any {
		w, s := flat(v)
		out := make([]any, s[1])
		for j := range out {
			row := make([]any, s[0])
			for i := range row {
				row[i] = float64(w[i*s[1]+j])
			}
			out[j] = row
		}
		return out
	}
	for i, v := range tractVectors(t)["cases"].([]any) {
		c := v.(map[string]any)
		files := map[string]*onnx.Model{}
		if c["kind"] == "dense" {
			files["Gemm"], files["MatMul"] = dense(c["W"], c["b"]), matmul(c["W"], c["b"])
		} else {
			files["Conv"] = convolution(c)
		}
		for op, f := range files {
			t.Run(fmt.Sprintf("%d %v %s", i, c["kind"], op), func(t *testing.T) {
				m := load(t, f)
				tr := &TrAct{Lambda: float32(c["lam"].(float64))}
				l, err := tr.Find(m, func(string) bool { return true })
				if err != nil {
					t.Fatal(err)
				}
				turn := func(v any) any { return v }
				if op == "MatMul" {
					turn = transposed
				}
				for _, q := range []struct {
					name     string
					override bool
				}{{"dW_tract", true}, {"dW_plain", false}} {
					query := engine.Query{Loss: pulled, Grad: []string{"w", "b", "x"}}
					if q.override {
						query.Override = tr.Override(l)
					}
					s, err := m.Session(query)
					if err != nil {
						t.Fatal(err)
					}
					r, err := s.Run(context.Background(), map[string]*tensor.Tensor{"x": tensorOf(c["X"]), "G": tensorOf(c["G"])})
					if err != nil {
						t.Fatal(err)
					}
					near(t, q.name, r.Grad("w"), turn(c[q.name]), 1e-5)
					near(t, "db", r.Grad("b"), c["db"], 1e-5)
					if c["dX"] != nil {
						near(t, "dX", r.Grad("x"), c["dX"], 1e-5)
					}
				}
			})
		}
	}
}

func TestTrActTraining(t *testing.T) {
	v := tractVectors(t)
	start := v["cases"].([]any)[0].(map[string]any)
	for _, name := range []string{"sgd", "adam"} {
		t.Run(name, func(t *testing.T) {
			trace := v["train_"+name].(map[string]any)
			m := load(t, dense(start["W"], start["b"]))
			steps := trace["steps"].([]any)
			k := 0
			_, err := Fit(context.Background(), m, regression{tensorOf(trace["X"]), tensorOf(trace["Y"])}, Config{
				Epochs: len(steps), BatchSize: -1, Optimizer: rule(t, name, optim.Config{}),
				Schedule: optim.Constant(trace["lr"].(float64)),
				TrAct:    &TrAct{Lambda: float32(trace["lam"].(float64))},
				Epoch: func(r EpochReport) error {
					s := steps[k].(map[string]any)
					near(t, "loss", tensor.From([]float32{float32(r.TrainLoss)}, 1), []any{s["loss"]}, 1e-5)
					near(t, "W", param(t, m, "w"), s["W"], 1e-5)
					near(t, "b", param(t, m, "b"), s["b"], 1e-5)
					k++
					return nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			if k != len(steps) {
				t.Errorf("%d epochs, want %d", k, len(steps))
			}
		})
	}
}

// As lambda grows, lambda·dW tends to the plain gradient.
func TestTrActLimit(t *testing.T) {
	c := tractVectors(t)["cases"].([]any)[2].(map[string]any)
	m := load(t, convolution(c))
	const lambda = 1e5
	tr := &TrAct{Lambda: lambda}
	l, err := tr.Find(m, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Session(engine.Query{Loss: pulled, Grad: []string{"w"}, Override: tr.Override(l)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(context.Background(), map[string]*tensor.Tensor{"x": tensorOf(c["X"]), "G": tensorOf(c["G"])})
	if err != nil {
		t.Fatal(err)
	}
	d := r.Grad("w").Clone()
	for i := range d.F32() {
		d.F32()[i] *= lambda
	}
	near(t, "lambda·dW", d, c["dW_plain"], 1e-3)
}

func TestTrActFind(t *testing.T) {
	c := tractVectors(t)["cases"].([]any)[0].(map[string]any)
	m := load(t, dense(c["W"], c["b"]))
	for _, x := range []struct {
		tract  TrAct
		frozen bool
		want   string
	}{
		{TrAct{Lambda: 1}, true, "frozen"},
		{TrAct{Lambda: 1, Layer: "nowhere"}, false, `no node "nowhere"`},
	} {
		_, err := x.tract.Find(m, func(string) bool { return !x.frozen })
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("error %v, want one with %q", err, x.want)
		}
	}
}
