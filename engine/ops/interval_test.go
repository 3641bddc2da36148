package ops

import (
	"math"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

func TestRanger(t *testing.T) {
	g := graph.New("range")
	b := graph.NewBuilder(g)
	x := g.AddInput("x", tensor.Float32, []graph.Dim{{Size: -1}, {Size: 4}})
	num := func(v float64) graph.Value { return b.Scalar(tensor.Float32, v) }
	p, q, l := b.Add(Sigmoid, nil, x), b.Add(Softmax, nil, x), b.Add(LogSoftmax, nil, x)
	inf := math.Inf(1)
	for _, c := range []struct {
		name string
		v    graph.Value
		want Interval
	}{
		{"x", x, anywhere},
		{"sigmoid", p, Interval{0, 1}},
		{"view", b.Add(Flatten, nil, p), Interval{0, 1}},
		{"1-p", b.Add(Sub, nil, num(1), p), Interval{0, 1}},
		{"concat", b.Add(Concat, &concatAttrs{Axis: 1}, b.Add(Sub, nil, num(1), p), p), Interval{0, 1}},
		{"clip", b.Add(Clip, nil, q, num(0.01), num(0.99)), Interval{0.01, 0.99}},
		{"clip of anything", b.Add(Clip, nil, x, num(-3), num(2)), Interval{-3, 2}},
		{"mean", b.Add(ReduceMean, nil, q), Interval{0, 1}},
		{"percent", b.Add(Mul, nil, q, num(100)), Interval{0, 100}},
		{"half tanh", b.Add(Add, nil, b.Add(Mul, nil, b.Add(Tanh, nil, x), num(.5)), num(.5)), Interval{0, 1}},
		{"exp of log", b.Add(Exp, nil, l), Interval{0, 1}},
		{"exp", b.Add(Exp, nil, x), Interval{0, inf}},
		{"hard", b.Add(HardSigmoid, nil, x), Interval{0, 1}},
		{"gather", b.Add(Gather, nil, q, b.Ints(0)), Interval{0, 1}},
		{"sum of two", b.Add(Add, nil, p, q), Interval{0, 2}},
		{"product with anything", b.Add(Mul, nil, p, x), anywhere},
		{"over a positive", b.Add(Div, nil, p, num(4)), Interval{0, 0.25}},
		{"over anything", b.Add(Div, nil, p, x), anywhere},
		{"relu", b.Add(Relu, nil, x), Interval{0, inf}},
	} {
		if err := b.Err(); err != nil {
			t.Fatal(err)
		}
		got := NewRanger(g).Of(c.v)
		same := func(a, b float64) bool { return a == b || math.Abs(a-b) < 1e-6 }
		if !same(got.Lo, c.want.Lo) || !same(got.Hi, c.want.Hi) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
