package ops

import (
	"math"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// evaluateAs computes the operator that an opset defines name to be.
func evaluateAs(t *testing.T, name string, opset int, attrs graph.Attrs, in ...*tensor.Tensor) ([]*tensor.Tensor, error) {
	t.Helper()
	s, _ := Standard.Find("", name, opset)
	if s == nil {
		t.Fatalf("no operator %s in opset %d", name, opset)
	}
	a, err := s.DecodeAttrs(attrs)
	if err != nil {
		t.Fatal(err)
	}
	outs := 1
	for outs < len(s.Out) && !s.Out[outs].Optional {
		outs++
	}
	return evaluate(t, s, a, outs, in...)
}

func f32(v ...float32) *tensor.Tensor { return tensor.From(v, len(v)) }
func i64(v ...int64) *tensor.Tensor   { return tensor.From(v, len(v)) }

var nan, inf = float32(math.NaN()), float32(math.Inf(1))

// What is easy to get wrong, from the text of the specification.
func TestSemantics(t *testing.T) {
	for _, c := range []struct {
		what  string
		op    string
		opset int
		attrs graph.Attrs
		in    []*tensor.Tensor
		want  *tensor.Tensor
	}{
		{"B at axis 0 of A", "Add", 6, graph.Attrs{"broadcast": int64(1), "axis": int64(0)},
			[]*tensor.Tensor{tensor.From([]float32{1, 2, 3, 4}, 2, 2), f32(10, 20)}, tensor.From([]float32{11, 12, 23, 24}, 2, 2)},
		{"B at the end of A", "Sub", 6, graph.Attrs{"broadcast": int64(1)},
			[]*tensor.Tensor{tensor.From([]float32{1, 2, 3, 4}, 2, 2), f32(10, 20)}, tensor.From([]float32{-9, -18, -7, -16}, 2, 2)},
		{"slope of the channels", "PRelu", 6, nil,
			[]*tensor.Tensor{tensor.From([]float32{-1, -2, -3, -4}, 1, 2, 2), f32(10, 100)},
			tensor.From([]float32{-10, -20, -300, -400}, 1, 2, 2)},
		{"integers truncate", "Div", 14, nil, []*tensor.Tensor{i64(-7, 7, -7, 7), i64(2, 2, -2, 0)}, i64(-3, 3, 3, 0)},
		{"sign of the divisor", "Mod", 13, nil, []*tensor.Tensor{i64(-4, 7, 5, 4, -7, 8), i64(2, -3, 8, -2, 3, 5)},
			i64(0, -2, 5, 0, 2, 3)},
		{"sign of the dividend", "Mod", 13, graph.Attrs{"fmod": int64(1)}, []*tensor.Tensor{f32(-4.3, 7.2), f32(2.1, -3.4)},
			f32(float32(math.Mod(float64(float32(-4.3)), float64(float32(2.1)))),
				float32(math.Mod(float64(float32(7.2)), float64(float32(-3.4)))))},
		{"type of the base", "Pow", 15, nil, []*tensor.Tensor{i64(2, 3, 4), f32(0.5, 2, -1)}, i64(1, 9, 0)},
		{"integer exponent", "Pow", 15, nil, []*tensor.Tensor{f32(2, -3), i64(-1, 3)}, f32(0.5, -27)},
		{"NaN wins", "Max", 13, nil, []*tensor.Tensor{f32(1, nan, 3), f32(nan, 1, 4)}, f32(nan, nan, 4)},
		{"one operand", "Mean", 13, nil, []*tensor.Tensor{f32(1, 2)}, f32(1, 2)},
		{"three shapes", "Sum", 13, nil, []*tensor.Tensor{f32(1), tensor.From([]float32{10, 20}, 2, 1), f32(100, 200)},
			tensor.From([]float32{111, 211, 121, 221}, 2, 2)},
		{"max before min", "Clip", 13, nil, []*tensor.Tensor{f32(-5, 0, 5), tensor.Scalar(float32(2)), tensor.Scalar(float32(1))},
			f32(1, 1, 1)},
		{"NaN stays", "Clip", 6, graph.Attrs{"min": float32(0)}, []*tensor.Tensor{f32(nan, -1)}, f32(nan, 0)},
		{"ties to even", "Round", 22, nil, []*tensor.Tensor{f32(0.5, 1.5, 2.5, -0.5, -1.5)},
			f32(0, 2, 2, float32(math.Copysign(0, -1)), -2)},
		{"beyond int64", "Abs", 13, nil, []*tensor.Tensor{tensor.From([]uint64{1 << 63, 5}, 2)}, tensor.From([]uint64{1 << 63, 5}, 2)},
		{"beyond int64", "Sign", 13, nil, []*tensor.Tensor{tensor.From([]uint64{math.MaxUint64, 0}, 2)}, tensor.From([]uint64{1, 0}, 2)},
		{"one sign", "IsInf", 20, graph.Attrs{"detect_positive": int64(0)}, []*tensor.Tensor{f32(inf, -inf, nan)},
			tensor.From([]bool{false, true, false}, 3)},
		{"name of the type", "Cast", 1, graph.Attrs{"to": "DOUBLE"}, []*tensor.Tensor{f32(1.5)}, tensor.From([]float64{1.5}, 1)},
		{"text", "Equal", 19, nil, []*tensor.Tensor{tensor.FromStrings([]string{"a", "b"}, 2), tensor.FromStrings([]string{"b"}, 1)},
			tensor.From([]bool{false, true}, 2)},
		{"nothing", "ReduceSum", 13, nil, []*tensor.Tensor{tensor.New(tensor.Float32, 2, 0), i64(1)}, tensor.From([]float32{0, 0}, 2, 1)},
		{"nothing", "ReduceMin", 20, nil, []*tensor.Tensor{tensor.New(tensor.Bool, 0, 1), i64(0)}, tensor.From([]bool{true}, 1, 1)},
		{"no axes, all", "ReduceSum", 13, graph.Attrs{"keepdims": int64(0)}, []*tensor.Tensor{f32(1, 2, 3), i64()},
			tensor.Scalar(float32(6))},
		{"no axes, none", "ReduceSum", 13, graph.Attrs{"noop_with_empty_axes": int64(1)}, []*tensor.Tensor{f32(1, 2, 3), i64()},
			f32(1, 2, 3)},
		{"no axes, each squared", "ReduceSumSquare", 18, graph.Attrs{"noop_with_empty_axes": int64(1)}, []*tensor.Tensor{f32(1, 2, 3)},
			f32(1, 4, 9)},
		{"no overflow", "ReduceLogSumExp", 18, nil, []*tensor.Tensor{f32(1000, 1000)}, f32(1000 + math.Ln2)},
		{"last of equals", "ArgMax", 13, graph.Attrs{"select_last_index": int64(1), "keepdims": int64(0)}, []*tensor.Tensor{f32(3, 1, 3)},
			tensor.Scalar(int64(2))},
		{"axis and all that follow", "Softmax", 11, nil, []*tensor.Tensor{tensor.New(tensor.Float32, 1, 2, 2)},
			tensor.From([]float32{.25, .25, .25, .25}, 1, 2, 2)},
		{"one axis", "Softmax", 13, nil, []*tensor.Tensor{tensor.New(tensor.Float32, 1, 2, 2)},
			tensor.From([]float32{.5, .5, .5, .5}, 1, 2, 2)},
		{"first of equals", "Hardmax", 13, nil, []*tensor.Tensor{f32(1, 3, 3)}, f32(0, 1, 0)},
		{"from the end, without itself", "CumSum", 14, graph.Attrs{"exclusive": int64(1), "reverse": int64(1)},
			[]*tensor.Tensor{f32(1, 2, 3), tensor.Scalar(int64(-1))}, f32(5, 3, 0)},
		{"lower index first", "TopK", 11, nil, []*tensor.Tensor{f32(1, nan, 3, 3), i64(3)}, f32(nan, 3, 3)},
		{"scale over rows too", "LayerNormalization", 17, graph.Attrs{"epsilon": float32(0)},
			[]*tensor.Tensor{tensor.From([]float32{1, 3, 1, 3}, 2, 2), tensor.From([]float32{1, 10}, 2, 1), f32(5)},
			tensor.From([]float32{4, 6, -5, 15}, 2, 2)},
	} {
		out, err := evaluateAs(t, c.op, c.opset, c.attrs, c.in...)
		if err != nil {
			t.Errorf("%s, %s: %v", c.op, c.what, err)
			continue
		}
		if ok, report := tensor.AllClose(out[0], c.want, 1e-6, 0); !ok || out[0].DType() != c.want.DType() {
			t.Errorf("%s, %s: %v: got %s, want %s", c.op, c.what, report, tensor.Format(out[0]), tensor.Format(c.want))
		}
	}
}

// Inputs that do not fit are errors with a reason.
func TestRefused(t *testing.T) {
	two := tensor.New(tensor.Float32, 2, 3)
	for _, c := range []struct {
		op    string
		opset int
		attrs graph.Attrs
		in    []*tensor.Tensor
	}{
		{"Add", 14, nil, []*tensor.Tensor{f32(1, 2), f32(1, 2, 3)}},
		{"Add", 14, nil, []*tensor.Tensor{f32(1), i64(1)}},
		{"Add", 6, graph.Attrs{"broadcast": int64(1), "axis": int64(2)}, []*tensor.Tensor{two, f32(1, 2)}},
		{"Where", 16, nil, []*tensor.Tensor{tensor.From([]bool{true}, 1), f32(1), i64(1)}},
		{"PRelu", 16, nil, []*tensor.Tensor{f32(1), f32(1, 2)}},
		{"Clip", 13, nil, []*tensor.Tensor{f32(1), f32(1, 2)}},
		{"Cast", 13, graph.Attrs{"to": int64(99)}, []*tensor.Tensor{f32(1)}},
		{"ReduceSum", 13, nil, []*tensor.Tensor{two, i64(2)}},
		{"ReduceSum", 11, graph.Attrs{"axes": []int64{-3}}, []*tensor.Tensor{two}},
		{"ArgMax", 13, nil, []*tensor.Tensor{tensor.New(tensor.Float32, 0)}},
		{"Softmax", 13, graph.Attrs{"axis": int64(2)}, []*tensor.Tensor{two}},
		{"Softmax", 11, graph.Attrs{"axis": int64(3)}, []*tensor.Tensor{two}},
		{"CumSum", 14, nil, []*tensor.Tensor{two, tensor.Scalar(int64(2))}},
		{"TopK", 11, nil, []*tensor.Tensor{two, i64(4)}},
		{"TopK", 11, nil, []*tensor.Tensor{two, i64(-1)}},
		{"LayerNormalization", 17, nil, []*tensor.Tensor{two, f32(1, 2)}},
		{"SoftmaxCrossEntropyLoss", 13, nil, []*tensor.Tensor{two, i64(0, 3)}},
		{"SoftmaxCrossEntropyLoss", 13, nil, []*tensor.Tensor{two, i64(0, 1, 2)}},
		{"SoftmaxCrossEntropyLoss", 13, graph.Attrs{"reduction": "all"}, []*tensor.Tensor{two, i64(0, 1)}},
		{"NegativeLogLikelihoodLoss", 13, nil, []*tensor.Tensor{two, i64(-1, 0)}},
		{"NegativeLogLikelihoodLoss", 13, nil, []*tensor.Tensor{two, i64(1, 0), f32(1, 1)}},
		{"Dropout", 13, nil, []*tensor.Tensor{f32(1), tensor.Scalar(float32(1)), tensor.Scalar(true)}},
		{"Gelu", 20, graph.Attrs{"approximate": "fast"}, []*tensor.Tensor{f32(1)}},
	} {
		if out, err := evaluateAs(t, c.op, c.opset, c.attrs, c.in...); err == nil {
			t.Errorf("%s %v of %v: no error but %v", c.op, c.attrs, c.in, out)
		}
	}
}

// A clamp may be fused when its bounds are attributes or constants.
func TestClipBounds(t *testing.T) {
	g := graph.New("")
	b := graph.NewBuilder(g)
	x := g.AddInput("x", tensor.Float32, nil)
	fed := g.AddInput("hi", tensor.Float32, nil)
	six := b.Scalar(tensor.Float32, 6)
	lo6 := float32(-6)
	want := []bool{true}
	for _, c := range []struct {
		n      *graph.Node
		lo, hi float32
		ok     bool
	}{
		{b.AddNode("", Clip, nil, []graph.Value{x, 0, six}, want), -inf, 6, true},
		{b.AddNode("", Clip, nil, []graph.Value{x}, want), -inf, inf, true},
		{b.AddNode("", clipOld, &clipOldAttrs{Min: &lo6}, []graph.Value{x}, want), -6, inf, true},
		{b.AddNode("", Clip, nil, []graph.Value{x, six, fed}, want), 0, 0, false},
		{b.AddNode("", Abs, nil, []graph.Value{x}, want), 0, 0, false},
	} {
		if lo, hi, ok := clipBounds(g, c.n); lo != c.lo && ok || hi != c.hi && ok || ok != c.ok {
			t.Errorf("%s: %v %v %v, want %v %v %v", c.n.Label(), lo, hi, ok, c.lo, c.hi, c.ok)
		}
	}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
}

// The first numbers of numpy.random.seed(0); numpy.random.uniform(size=3).
//
// Source: NumPy's documentation of legacy seeding; the values are those that NumPy prints.
func TestMersenne(t *testing.T) {
	m := newMersenne(0)
	for i, want := range []float64{0.5488135039273248, 0.7151893663724195, 0.6027633760716439} {
		if got := m.float64(); got != want {
			t.Errorf("number %d is %v, want %v", i, got, want)
		}
	}
}

// Masks follow from the seed and the runs with it.
func TestDropoutMask(t *testing.T) {
	var cache any
	c := &graph.RunCtx{Cache: &cache}
	draw := func(seed, salt uint64) (bits uint64) {
		keep := dropoutMask(c, seed, salt, 0.5)
		for i := range 64 {
			if keep(i) {
				bits |= 1 << i
			}
		}
		return bits
	}
	first, second := draw(1, 0), draw(1, 0)
	other := draw(2, 0)
	if first == second || first == other {
		t.Errorf("masks repeat: %x %x %x", first, second, other)
	}
	if again := draw(1, 0); again != first {
		t.Errorf("seed 1 gives %x, before %x", again, first)
	}
	cache = nil
	if salted := draw(1, 7); salted == first {
		t.Error("two nodes drop the same")
	}
}
