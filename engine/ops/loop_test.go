package ops_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// control runs one control-flow node whose body has the given formals, of types d, and outputs.
func control(t *testing.T, op *graph.Spec, attrs graph.Attrs, outs int, in []*tensor.Tensor, d []tensor.DType,
	body func(b *graph.Builder, x []graph.Value) []graph.Value) ([]*tensor.Tensor, error) {
	t.Helper()
	bg := graph.New("body")
	var formals []graph.Value
	for _, f := range d {
		formals = append(formals, bg.AddInput("x", f, nil))
	}
	bb := graph.NewBuilder(bg)
	bg.Outputs = body(bb, formals)
	if err := bb.Err(); err != nil {
		t.Fatal(err)
	}
	g := graph.New("")
	var vs []graph.Value
	var feeds []*tensor.Tensor
	for _, x := range in {
		if x == nil {
			vs = append(vs, 0)
			continue
		}
		vs = append(vs, g.AddInput("in", x.DType(), nil))
		feeds = append(feeds, x)
	}
	b := graph.NewBuilder(g)
	a, err := op.DecodeAttrs(attrs)
	if err != nil {
		t.Fatal(err)
	}
	n := b.AddNode("n", op, a, vs, slices.Repeat([]bool{true}, outs), &graph.Body{Attr: "body", G: bg, Formals: len(d)})
	if n == nil {
		return nil, b.Err()
	}
	p, err := exec.Compile(g, n.Out, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(context.Background(), feeds); err != nil {
		return nil, err
	}
	return p.Run(context.Background(), feeds)
}

// doubling carries s and its double, stacks s, and goes on while s is below 20.
func doubling(b *graph.Builder, x []graph.Value) []graph.Value {
	s := b.Add(ops.Add, nil, x[2], x[2])
	return []graph.Value{b.Add(ops.Less, nil, s, b.Scalar(tensor.Float32, 20)), s, x[2]}
}

func TestLoop(t *testing.T) {
	types := []tensor.DType{tensor.Int64, tensor.Bool, tensor.Float32}
	for _, c := range []struct {
		what  string
		m     *tensor.Tensor
		cond  *tensor.Tensor
		last  float32
		stack []float32
	}{
		{"counted", tensor.Scalar(int64(3)), nil, 8, []float32{1, 2, 4}},
		{"stopped", nil, tensor.Scalar(true), 32, []float32{1, 2, 4, 8, 16}},
		{"both", tensor.Scalar(int64(2)), tensor.Scalar(true), 4, []float32{1, 2}},
		{"not begun", nil, tensor.Scalar(false), 1, nil},
		{"no trips", tensor.Scalar(int64(0)), nil, 1, nil},
	} {
		out, err := control(t, ops.Loop, nil, 2, []*tensor.Tensor{c.m, c.cond, tensor.Scalar(float32(1))}, types, doubling)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if out[0].F32()[0] != c.last || !slices.Equal(out[1].F32(), c.stack) {
			t.Errorf("%s: %v %v, want %v %v", c.what, out[0].F32(), out[1].F32(), c.last, c.stack)
		}
	}
	_, err := control(t, ops.Loop, nil, 4, []*tensor.Tensor{nil, nil, tensor.Scalar(float32(1))}, types, doubling)
	if err == nil || !strings.Contains(err.Error(), "outputs") {
		t.Errorf("more outputs than the body has: %v", err)
	}
	_, err = control(t, ops.Loop, nil, 1, []*tensor.Tensor{nil, tensor.Scalar(true), tensor.Scalar(float32(1))}, types,
		func(b *graph.Builder, x []graph.Value) []graph.Value { return []graph.Value{x[2], x[2]} })
	if err == nil || !strings.Contains(err.Error(), "condition") {
		t.Errorf("a condition that is no bool: %v", err)
	}
}

// sums carries the running sum and gives it out.
func sums(b *graph.Builder, x []graph.Value) []graph.Value {
	s := b.Add(ops.Add, nil, x[0], x[1])
	return []graph.Value{s, b.Add(ops.Identity, nil, s)}
}

func TestScan(t *testing.T) {
	f := []tensor.DType{tensor.Float32, tensor.Float32}
	x := tensor.From([]float32{1, 2, 3, 10, 20, 30}, 2, 3)
	for _, c := range []struct {
		what  string
		attrs graph.Attrs
		state []float32
		last  []float32
		outs  []float32
		shape tensor.Shape
	}{
		{"rows", graph.Attrs{}, []float32{0, 0, 0}, []float32{11, 22, 33}, []float32{1, 2, 3, 11, 22, 33}, tensor.Shape{2, 3}},
		{"columns", graph.Attrs{"scan_input_axes": []int64{-1}, "scan_output_axes": []int64{1}}, []float32{0, 0}, []float32{6, 60},
			[]float32{1, 3, 6, 10, 30, 60}, tensor.Shape{2, 3}},
		{"backwards", graph.Attrs{"scan_input_directions": []int64{1}}, []float32{0, 0, 0}, []float32{11, 22, 33},
			[]float32{10, 20, 30, 11, 22, 33}, tensor.Shape{2, 3}},
		{"both backwards", graph.Attrs{"scan_input_directions": []int64{1}, "scan_output_directions": []int64{1}}, []float32{0, 0, 0},
			[]float32{11, 22, 33}, []float32{11, 22, 33, 10, 20, 30}, tensor.Shape{2, 3}},
	} {
		c.attrs["num_scan_inputs"] = int64(1)
		out, err := control(t, ops.Scan, c.attrs, 2, []*tensor.Tensor{tensor.From(c.state, len(c.state)), x}, f, sums)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if !slices.Equal(out[0].F32(), c.last) || !slices.Equal(out[1].F32(), c.outs) || !out[1].Shape().Equal(c.shape) {
			t.Errorf("%s: %v and %v %v", c.what, out[0].F32(), out[1], out[1].F32())
		}
	}
}

// Scan of version 8 has a batch and lengths.
func TestScan8(t *testing.T) {
	op, _ := ops.Standard.Find("", "Scan", 8)
	x := tensor.From([]float32{1, 2, 3, 10, 20, 30}, 2, 3, 1)
	in := []*tensor.Tensor{tensor.From([]int64{3, 2}, 2), tensor.From([]float32{0, 100}, 2, 1), x}
	out, err := control(t, op, graph.Attrs{"num_scan_inputs": int64(1)}, 2, in, []tensor.DType{tensor.Float32, tensor.Float32}, sums)
	if err != nil {
		t.Fatal(err)
	}
	if want := []float32{6, 130}; !slices.Equal(out[0].F32(), want) {
		t.Errorf("final states %v, want %v", out[0].F32(), want)
	}
	if want := []float32{1, 3, 6, 110, 130, 0}; !slices.Equal(out[1].F32(), want) || !out[1].Shape().Equal(tensor.Shape{2, 3, 1}) {
		t.Errorf("outputs %v %v, want %v", out[1], out[1].F32(), want)
	}
}

// A value may begin a state, be captured twice and be captured by the gradient again: s' = s x + x from x on, three times, is x⁴ + x³ +
// x² + x.
func TestLoopOfOneValue(t *testing.T) {
	body := graph.New("body")
	bb := graph.NewBuilder(body)
	body.AddInput("i", tensor.Int64, nil)
	cond, s := body.AddInput("c", tensor.Bool, nil), body.AddInput("s", tensor.Float64, nil)
	x1, x2 := body.AddInput("x1", tensor.Float64, nil), body.AddInput("x2", tensor.Float64, nil)
	body.Outputs = []graph.Value{bb.Add(ops.Identity, nil, cond), bb.Add(ops.Add, nil, bb.Add(ops.Mul, nil, s, x1), x2)}
	g := graph.New("")
	b := graph.NewBuilder(g)
	x := g.AddInput("x", tensor.Float64, nil)
	n := b.AddControl("loop", ops.Loop, nil, []graph.Value{b.Const(tensor.Scalar(int64(3))), 0, x}, []bool{true},
		[]*graph.Body{{Attr: "body", G: body, Formals: 3}}, []graph.Value{x, x})
	if err := bb.Err(); err != nil || n == nil {
		t.Fatal(err, b.Err())
	}
	fetch := []graph.Value{n.Out[0]}
	for range 3 {
		d, err := grad.Reverse(g, []grad.Seed{grad.Ones(g, fetch[len(fetch)-1])}, []graph.Value{x}, grad.Options{})
		if err != nil {
			t.Fatal(err)
		}
		fetch = append(fetch, d[0])
	}
	p, err := exec.Compile(g, fetch, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []float64{2, -1, 0.5} {
		out, err := p.Run(context.Background(), []*tensor.Tensor{tensor.Scalar(v)})
		if err != nil {
			t.Fatal(err)
		}
		want := []float64{v*v*v*v + v*v*v + v*v + v, 4*v*v*v + 3*v*v + 2*v + 1, 12*v*v + 6*v + 2, 24*v + 6}
		for k := range want {
			if got := out[k].Float64s()[0]; math.Abs(got-want[k]) > 1e-12*math.Abs(want[k]) {
				t.Errorf("derivative %d at %v is %v, want %v", k, v, got, want[k])
			}
		}
	}
}

// A state that changes its shape cannot be kept for the gradient; the error says so.
func TestLoopGradientOfGrowingState(t *testing.T) {
	body := graph.New("body")
	bb := graph.NewBuilder(body)
	body.AddInput("i", tensor.Int64, nil)
	cond, s := body.AddInput("c", tensor.Bool, nil), body.AddInput("history", tensor.Float32, nil)
	attrs, err := ops.Concat.DecodeAttrs(graph.Attrs{"axis": int64(0)})
	if err != nil {
		t.Fatal(err)
	}
	body.Outputs = []graph.Value{bb.Add(ops.Identity, nil, cond), bb.Add(ops.Concat, attrs, s, bb.Add(ops.Mul, nil, s, s))}
	g := graph.New("")
	b := graph.NewBuilder(g)
	x := g.AddInput("x", tensor.Float32, nil)
	n := b.AddControl("loop", ops.Loop, nil, []graph.Value{b.Const(tensor.Scalar(int64(2))), 0, x}, []bool{true},
		[]*graph.Body{{Attr: "body", G: body, Formals: 3}}, nil)
	if err := bb.Err(); err != nil || n == nil {
		t.Fatal(err, b.Err())
	}
	d, err := grad.Reverse(g, []grad.Seed{grad.Ones(g, n.Out[0])}, []graph.Value{x}, grad.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := exec.Compile(g, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Run(context.Background(), []*tensor.Tensor{tensor.From([]float32{1, 2}, 2)})
	if err == nil || !strings.Contains(err.Error(), `node "loop" (Loop)`) || !strings.Contains(err.Error(), `"history" in one shape`) {
		t.Errorf("error is %v", err)
	}
}

// TestLoopMemory grows what a Loop carries, and stacks it: both count in the memory that a run may have.
func TestLoopMemory(t *testing.T) {
	defer func(n int) { exec.MinRunBytes = n }(exec.MinRunBytes)
	exec.MinRunBytes = 64 << 20
	join := attrs(t, ops.Concat, graph.Attrs{"axis": int64(0)})
	x := tensor.New(tensor.Int64, 1<<10)
	for _, c := range []struct {
		outs int
		last string // 8 KiB doubled so often that twice what is carried, and the memory of the body, are more than 128 MiB
	}{{1, "iteration 12: "}, {2, "iteration 11: "}} {
		_, err := control(t, ops.Loop, nil, c.outs, []*tensor.Tensor{tensor.Scalar(int64(40)), nil, x}, []tensor.DType{tensor.Int64, tensor.Bool,
			tensor.Int64}, func(b *graph.Builder, x []graph.Value) []graph.Value {
			y := b.Add(ops.Concat, join, x[2], x[2])
			return []graph.Value{x[1], y, y}[:1+c.outs]
		})
		if err == nil || !strings.Contains(err.Error(), c.last) {
			t.Errorf("%d outputs: %v, want it to end in %s", c.outs, err, c.last)
		}
	}
}
