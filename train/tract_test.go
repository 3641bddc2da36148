package train

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/models"
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
			turn := func(v any) any { return v }
			if op == "MatMul" {
				turn = transposed
			}
			for _, primal := range []bool{false, true} {
				for _, part := range []int{0, 1, 2} {
					t.Run(fmt.Sprintf("%d %v %s primal=%v part=%d", i, c["kind"], op, primal, part), func(t *testing.T) {
						r := pullTrAct(t, load(t, f), c, primal, part, part)
						near(t, "dW_tract", r.of["w"], turn(c["dW_tract"]), 1e-5)
						near(t, "db", r.of["b"], c["db"], 1e-5)
						n, rows := r.l.Inputs, r.l.Rows
						if r.l.Dual != (!primal && rows < n) {
							t.Errorf("dual is %v for %d rows of %d", r.l.Dual, rows, n)
						}
						if !(r.l.Condition >= 1) || !(r.l.Square > 0) {
							t.Errorf("condition %v, mean square %v", r.l.Condition, r.l.Square)
						}
					})
				}
			}
			t.Run(fmt.Sprintf("%d %v %s plain", i, c["kind"], op), func(t *testing.T) {
				r := pullTrAct(t, load(t, f), c, true, 0, 0)
				near(t, "dW_plain", r.plain, turn(c["dW_plain"]), 1e-5)
				if c["dX"] != nil {
					near(t, "dX", r.x, c["dX"], 1e-5)
				}
			})
		}
	}
}

// pulledTrAct is what came of one step.
type pulledTrAct struct {
	of       map[string]*tensor.Tensor // gradients
	plain, x *tensor.Tensor            // of the weight before, and of the input (of the last part)
	l        *TrActLayer
}

// pullTrAct is a step of case c with TrAct, in parts of so many examples (0: at once) filled up with pad more, by a system of n equations
// where primal is set.
func pullTrAct(t *testing.T, m *engine.Model, c map[string]any, primal bool, size, pad int) pulledTrAct {
	t.Helper()
	x, g := tensorOf(c["X"]), tensorOf(c["G"])
	n := x.Dim(0)
	if size == 0 {
		size = n
	}
	f := &fit{m: m, now: &pass{size: n}, res: &Result{}, c: Config{
		TrAct: &TrAct{Lambda: c["lam"].(float64)}, Params: []string{"w", "b"}, BatchSize: n,
		Optimizer: rule(t, "sgd", optim.Config{}),
	}}
	if err := f.prepareTrAct(); err != nil {
		t.Fatal(err)
	}
	f.tract.duals = !primal
	s, err := m.Session(f.tract.ask(engine.Query{Loss: pulled, Grad: []string{"w", "b", "x"}}))
	if err != nil {
		t.Fatal(err)
	}
	r := pulledTrAct{of: map[string]*tensor.Tensor{}, l: f.res.TrAct}
	cut := func(x *tensor.Tensor, lo, hi int) *tensor.Tensor {
		k := x.Len() / n
		rows := append(x.F32()[lo*k:hi*k:hi*k], make([]float32, pad*k)...)
		if &x.F32()[0] != &g.F32()[0] { // copies of the first example, which have no gradient
			for i := range pad {
				copy(rows[(hi-lo+i)*k:], x.F32()[:k])
			}
		}
		return tensor.From(rows, append(tensor.Shape{hi - lo + pad}, x.Shape()[1:]...)...)
	}
	for lo := 0; lo < n; lo += size {
		hi := min(lo+size, n)
		out, err := s.Run(context.Background(), map[string]*tensor.Tensor{"x": cut(x, lo, hi), "G": cut(g, lo, hi)})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"w", "b"} {
			if r.of[name] == nil {
				r.of[name] = out.Grad(name).Clone()
			} else {
				addTo(r.of[name], out.Grad(name), 1)
			}
		}
		r.x = out.Grad("x").Clone()
		if err := f.tract.see(f, feed.Part{Result: out, Lo: lo, Hi: hi, Size: hi - lo + pad}, lo == 0, 1); err != nil {
			t.Fatal(err)
		}
	}
	r.plain = r.of["w"].Clone()
	ps := []*optim.Param{{Name: "w", G: r.of["w"]}, {Name: "b", G: r.of["b"]}}
	if err := f.tract.solve(f, ps, 1); err != nil {
		t.Fatal(err)
	}
	r.of["w"] = ps[0].G
	return r
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
				TrAct:    &TrAct{Lambda: trace["lam"].(float64)},
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
	d := pullTrAct(t, m, map[string]any{"X": c["X"], "G": c["G"], "lam": float64(lambda)}, false, 0, 0).of["w"].Clone()
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

// A batch in parts makes the step of the batch at once, in both forms of the system and for convolutions; so does one of which the last
// part is filled up, and batches that grow look at the plain gradient.
func TestTrActParts(t *testing.T) {
	for _, x := range []struct {
		model, spec string
		size        int
		dual        bool
	}{{"mlp", "digits#test", 40, true}, {"mlp", "digits#test", 90, false}, {"resnet8", "shapes?n=40&size=16#train", 16, false}} {
		ds := open(t, x.spec)
		p := data.Suggested(ds)
		var want map[string]*tensor.Tensor
		for _, part := range []int{0, 7} {
			o := models.Options{Seed: 1, Classes: len(ds.Classes())}
			if x.model == "resnet8" {
				o.ImageSize = 16
			}
			m := load(t, built(t, x.model, o))
			r, err := Fit(context.Background(), m, ds, Config{
				Preprocess: &p, Epochs: 1, MaxSteps: 4, BatchSize: x.size, MicroBatch: part, Shuffle: true, TrAct: &TrAct{Lambda: 0.1},
				Optimizer: rule(t, "sgd", optim.Config{}), Schedule: optim.Constant(0.01),
			})
			if err != nil {
				t.Fatal(err)
			}
			if r.TrAct.Dual != x.dual || r.TrAct.Inputs == 0 || !(r.TrAct.Condition > 1) {
				t.Errorf("%s in batches of %d: %v", x.model, x.size, r.TrAct)
			}
			got := weights(m)
			if want == nil {
				want = got
				continue
			}
			for n, w := range want {
				a, b := got[n].Float64s(), w.Float64s()
				for i := range a {
					if math.Abs(a[i]-b[i]) > 2e-5*max(1, math.Abs(b[i])) {
						t.Fatalf("%s in batches of %d: %s[%d] is %v in parts, want %v", x.model, x.size, n, i, a[i], b[i])
					}
				}
			}
		}
	}
}

// What lambda means little for is said, and so is what clipping sees.
func TestTrActNotes(t *testing.T) {
	x := tensor.New(tensor.Float32, 12, 3)
	for i := range x.F32() {
		x.F32()[i] = float32((i*37)%255) + 1
	}
	y := tensor.New(tensor.Float32, 12, 2)
	start := tractVectors(t)["cases"].([]any)[0].(map[string]any)
	cfg := optim.Config{}
	if err := cfg.Set("clip-norm", "1"); err != nil {
		t.Fatal(err)
	}
	for scale, want := range map[float32]string{1: "hardly changes", 1e-4: "outweighs", 0.01: ""} {
		v := x.Clone()
		for i := range v.F32() {
			v.F32()[i] *= scale
		}
		r, err := Fit(context.Background(), load(t, dense(start["W"], start["b"])), regression{v, y}, Config{
			Epochs: 1, BatchSize: -1, Optimizer: rule(t, "sgd", cfg), Schedule: optim.Constant(1e-9), TrAct: &TrAct{Lambda: 0.1},
		})
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Join(r.Notes, "\n")
		if !strings.Contains(all, "--clip-norm clips") || strings.Contains(all, "mean square") != (want != "") || !strings.Contains(all, want) {
			t.Errorf("inputs times %v: the notes are %q, want %q", scale, r.Notes, want)
		}
	}
}

// Patches that are moved into rows before a dense layer embeds them are the rows of that layer.
func TestTrActPatches(t *testing.T) {
	w := tensor.New(tensor.Float32, 4, 3)
	for i := range w.F32() {
		w.F32()[i] = float32(i%5) - 2
	}
	ints := func(v ...int64) *tensor.Tensor { return tensor.From(v, len(v)) }
	m := load(t, graphModel([]any{"N", 1, 4, 4}, []any{"N", 4, 3},
		[]*onnxpb.NodeProto{
			onnx.NewNode("Reshape", "split", []string{"x", "s1"}, []string{"a"}),
			onnx.NewNode("Transpose", "move", []string{"a"}, []string{"p"}, onnx.AttrInts("perm", 0, 1, 3, 2, 4)),
			onnx.NewNode("Reshape", "rows", []string{"p", "s2"}, []string{"r"}),
			onnx.NewNode("MatMul", "embed", []string{"r", "w"}, []string{"y"}),
		}, map[string]*tensor.Tensor{"w": w, "s1": ints(-1, 2, 2, 2, 2), "s2": ints(-1, 4, 4)}))
	l, err := (&TrAct{Lambda: 1}).Find(m, func(string) bool { return true })
	if err != nil || l.Node.Name != "embed" {
		t.Fatalf("found %v, %v", l, err)
	}
	r, err := ops.RowsOfLayer(l.Node, tensor.Shape{5, 4, 4}, w.Shape(), 5)
	if err != nil || r.N != 4 || r.M != 3 || r.Each != 4 {
		t.Errorf("rows %+v, %v", r, err)
	}
	if _, err := ops.RowsOfLayer(l.Node, tensor.Shape{4, 5, 4}, w.Shape(), 5); err == nil {
		t.Error("examples along another axis are taken")
	}
}

func TestTrActRefused(t *testing.T) {
	w := tensor.New(tensor.Float32, 3, 3)
	for want, nodes := range map[string][]*onnxpb.NodeProto{
		"is that of": {
			onnx.NewNode("MatMul", "first", []string{"x", "w"}, []string{"z"}),
			onnx.NewNode("MatMul", "second", []string{"z", "w"}, []string{"y"}),
		},
		"transposed": {onnx.NewNode("Gemm", "first", []string{"x", "w"}, []string{"y"}, onnx.AttrInt("transA", 1))},
	} {
		m := load(t, graphModel([]any{3, 3}, []any{3, 3}, nodes, map[string]*tensor.Tensor{"w": w}))
		if _, err := new(TrAct).Find(m, func(string) bool { return true }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want one with %q", err, want)
		}
	}
}

// In double precision both forms of the system give the vectors' gradients.
func TestTrActRule(t *testing.T) {
	doubles := func(v any) (out []float64, cols int) {
		for _, row := range v.([]any) {
			for _, x := range row.([]any) {
				out = append(out, x.(float64))
			}
			cols = len(row.([]any))
		}
		return out, cols
	}
	for i, v := range tractVectors(t)["cases"].([]any) {
		c := v.(map[string]any)
		if c["kind"] != "dense" {
			continue
		}
		x, n := doubles(c["X"])
		g, m := doubles(c["G"])
		dw, _ := doubles(c["dW_plain"])
		want, _ := doubles(c["dW_tract"])
		rows, lambda := len(x)/n, c["lam"].(float64)
		s := make([]float64, n*n)
		for r := range rows {
			for a := range n {
				for b := range n {
					s[a*n+b] += x[r*n+a] * x[r*n+b] / float64(rows)
				}
			}
		}
		condition, err := ops.Ridge(load(t, dense(c["W"], c["b"])).Pool(), dw, s, n, lambda, true)
		if err != nil {
			t.Fatal(err)
		}
		dual, again, err := ops.RidgeDual(load(t, dense(c["W"], c["b"])).Pool(), g, x, rows, m, n, lambda, true)
		if err != nil {
			t.Fatal(err)
		}
		for k := range want {
			close9(t, fmt.Sprintf("case %d, element %d", i, k), dw[k], want[k])
			close9(t, fmt.Sprintf("case %d, dual element %d", i, k), dual[k], want[k])
		}
		if rows < n && math.Abs(condition-again) > 1e-3*condition {
			t.Errorf("case %d: condition %v, by the dual %v", i, condition, again)
		}
	}
}
