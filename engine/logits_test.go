package engine_test

import (
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/tensor"
)

// Logits are found behind a softmax or sigmoid of one node, or written out, and through views; the axis is that of the logits.
func TestHead(t *testing.T) {
	const dense, image, tokens = "x[N,4]", "x[N,4,5,5]", "x[N,7,4]"
	fc := "z = MatMul(x, w)"
	conv := "z = Conv(x, k)"
	for _, c := range []struct {
		name   string
		opset  int64
		in     string
		nodes  []string
		logits string
		act    string
		axis   int
		flat   bool
	}{
		{"none", 13, dense, []string{fc, "y = Identity(z)"}, "y", "", 0, false},
		{"Softmax", 13, dense, []string{fc, "y = Softmax(z)"}, "z", "Softmax", 1, false},
		{"Softmax, old", 11, dense, []string{fc, "y = Softmax(z)"}, "z", "Softmax", 1, false},
		{"LogSoftmax, Flatten", 13, dense, []string{fc, "p = LogSoftmax(z; axis=-1)", "y = Flatten(p)"}, "z", "LogSoftmax", 1, false},
		{"Sigmoid, Squeeze", 13, dense, []string{fc, "p = Sigmoid(z)", "y = Squeeze(p, one)"}, "z", "Sigmoid", 0, false},
		{"segmentation", 13, image, []string{conv, "y = Softmax(z; axis=1)"}, "z", "Softmax", 1, false},
		{"segmentation, axis -3", 13, image, []string{conv, "y = Softmax(z; axis=-3)"}, "z", "Softmax", 1, false},
		{"segmentation, NHWC", 13, image, []string{conv, "t = Transpose(z; perm=[0,2,3,1])", "p = Softmax(t)",
			"y = Transpose(p; perm=[0,3,1,2])"}, "t", "Softmax", 3, false},
		{"picture as one softmax", 11, image, []string{conv, "y = Softmax(z; axis=1)"}, "z", "Softmax", 1, true},
		{"pooled, old softmax", 11, image, []string{conv, "q = GlobalAveragePool(z)", "y = Softmax(q; axis=1)"}, "q", "Softmax", 1, false},
		{"pooled NHWC, old softmax", 11, image, []string{conv, "q = GlobalAveragePool(z)", "t = Transpose(q; perm=[0,2,3,1])",
			"y = Softmax(t; axis=1)"}, "t", "Softmax", 3, false},
		{"tokens", 13, tokens, []string{fc, "y = Softmax(z)"}, "z", "Softmax", 2, false},
		{"tokens, Cast and Reshape", 13, tokens, []string{fc, "p = Softmax(z)", "h = Cast(p; to=11)", "y = Reshape(h, s)"}, "z",
			"Softmax", 2,
			false},
		{"softmax in parts", 13, dense, []string{fc, "m = ReduceMax(z; axes=[1])", "d = Sub(z, m)", "e = Exp(d)", "t = ReduceSum(e, one)",
			"y = Div(e, t)"}, "z", "Softmax", 1, false},
		{"softmax in parts, tokens", 11, tokens, []string{fc, "e = Exp(z)", "t = ReduceSum(e; axes=[-1])", "y = Div(e, t)"}, "z",
			"Softmax",
			2, false},
		{"log of softmax", 13, dense, []string{fc, "p = Softmax(z)", "y = Log(p)"}, "z", "LogSoftmax", 1, false},
		{"log softmax in parts", 13, dense, []string{fc, "m = ReduceMax(z; axes=[1])", "d = Sub(z, m)", "e = Exp(d)",
			"t = ReduceSum(e, one)",
			"l = Log(t)", "y = Sub(d, l)"}, "z", "LogSoftmax", 1, false},
		{"log sum of exponentials", 13, dense, []string{fc, "l = ReduceLogSumExp(z; axes=[1])", "y = Sub(z, l)"}, "z", "LogSoftmax", 1,
			false},
		{"sigmoid in parts", 13, dense, []string{fc, "n = Neg(z)", "e = Exp(n)", "a = Add(e, i)", "y = Div(i, a)"}, "z", "Sigmoid", 0,
			false},
		{"sigmoid by reciprocal", 13, dense, []string{fc, "n = Mul(z, minus)", "e = Exp(n)", "a = Add(i, e)", "y = Reciprocal(a)"}, "z",
			"Sigmoid", 0, false},
		{"sigmoid of exponentials", 13, dense, []string{fc, "e = Exp(z)", "a = Add(i, e)", "y = Div(e, a)"}, "z", "Sigmoid", 0, false},
		{"no sigmoid: of z", 13, dense, []string{fc, "e = Exp(z)", "a = Add(i, e)", "y = Div(i, a)"}, "y", "", 0, false},
		{"another quotient", 13, dense, []string{fc, "e = Exp(z)", "y = Div(z, e)"}, "y", "", 0, false},
		{"Sigmoid, the one column", 13, dense, []string{"z = MatMul(x, v)", "p = Sigmoid(z)", "y = Gather(p, zero; axis=1)"}, "z",
			"Sigmoid", 0, false},
		{"Sigmoid, one of three columns", 13, dense, []string{fc, "p = Sigmoid(z)", "y = Gather(p, zero; axis=1)"}, "y", "", 0, false},
		{"Sigmoid, the first example", 13, dense, []string{fc, "p = Sigmoid(z)", "y = Gather(p, zero)"}, "y", "", 0, false},
		{"a reduction behind", 13, tokens, []string{fc, "p = Softmax(z)", "y = ReduceMean(p; axes=[1])"}, "y", "", 0, false},
	} {
		m := loadText(t, testkit.Text{Opset: c.opset, In: []string{c.in}, Out: []string{"y"}, Nodes: c.nodes, Init: tensors{
			"w": testkit.RandN(1, 4, 3), "v": testkit.RandN(3, 4, 1), "zero": tensor.Scalar(int64(0)), "k": testkit.RandN(2, 3, 4, 1, 1),
			"one": tensor.From([]int64{1}, 1), "s": tensor.From([]int64{-1, 3}, 2),
			"i": tensor.Scalar(float32(1)), "minus": tensor.Scalar(float32(-1)),
		}})
		h, err := m.Head("")
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if want := (engine.Head{Output: "y", Logits: c.logits, Activation: c.act, Axis: c.axis, Flat: c.flat}); h != want {
			t.Errorf("%s: %+v, want %+v", c.name, h, want)
		}
	}
}
