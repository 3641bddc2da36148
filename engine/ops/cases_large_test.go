package ops_test

import (
	"math/rand/v2"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// largeCases are problems that are cut into several pieces where a larger batch of a small case is not, and kernels that only larger
// problems reach: blocks of a matrix product, rows of thousands.
func largeCases() []opCase {
	r := rand.New(rand.NewPCG(1, 1))
	below := func(n int64, shape ...int) arg {
		t := tensor.New(tensor.Int64, shape...)
		for i := range t.I64() {
			t.I64()[i] = r.Int64N(n)
		}
		return given(t)
	}
	bits := func(shape ...int) arg {
		t := tensor.New(tensor.Bool, shape...)
		for i := range tensor.Data[bool](t) {
			tensor.Data[bool](t)[i] = r.IntN(2) == 0
		}
		return given(t)
	}
	cs := []opCase{
		{op: "MatMul", in: []arg{x(200, 300), w(300, 260)}},
		{op: "MatMul", name: "batched", in: []arg{x(6, 70, 90), x(6, 90, 80)}},
		{op: "Gemm", attrs: is("transB", 1), in: []arg{x(150, 280), w(270, 280), w(270)}},
		{op: "Conv", attrs: is("pads", ints(1, 1, 1, 1)), in: []arg{x(2, 24, 30, 30), w(40, 24, 3, 3), w(40)}},
		{op: "Conv", name: "points", in: []arg{x(2, 64, 28, 28), w(96, 64, 1, 1)}},
		{op: "Conv", name: "depthwise", attrs: is("group", 48, "pads", ints(1, 1, 1, 1)),
			in: []arg{x(2, 48, 28, 28), w(48, 1, 3, 3), w(48)}},
		{op: "Conv", name: "strides", attrs: is("strides", ints(2, 2), "pads", ints(3, 3, 3, 3)),
			in: []arg{x(2, 3, 64, 64), w(32, 3, 7, 7)}},
		{op: "Conv", name: "groups", attrs: is("group", 4), in: []arg{x(2, 32, 24, 24), w(48, 8, 3, 3)}},
		{op: "ConvTranspose", attrs: is("strides", ints(2, 2)), in: []arg{x(2, 24, 20, 20), w(24, 16, 3, 3)}},
		{op: "MatMulInteger", in: []arg{some(tensor.Uint8, 0, 255, 200, 300), some(tensor.Int8, -128, 127, 300, 260)}, values: true},
		{op: "ConvInteger", in: []arg{some(tensor.Uint8, 0, 255, 2, 24, 30, 30), some(tensor.Int8, -128, 127, 40, 24, 3, 3)}, values: true},
		{op: "QLinearMatMul", in: []arg{some(tensor.Uint8, 0, 255, 200, 300), floatsOf0(0.01), zeroOf(tensor.Uint8, 3),
			some(tensor.Int8, -128, 127, 300, 260), floatsOf0(0.01), zeroOf(tensor.Int8, 0), floatsOf0(0.5), zeroOf(tensor.Uint8, 100)},
			values: true},
		{op: "QLinearConv", in: []arg{some(tensor.Uint8, 0, 255, 2, 24, 30, 30), floatsOf0(0.01), zeroOf(tensor.Uint8, 3),
			some(tensor.Int8, -128, 127, 40, 24, 3, 3), floatsOf0(0.01), zeroOf(tensor.Int8, 0), floatsOf0(0.5), zeroOf(tensor.Uint8, 100)},
			values: true},
		{op: "DequantizeLinear", in: []arg{some(tensor.Uint8, 0, 255, 500, 600), floatsOf0(0.1)}, values: true},
		{op: "AffineGrid", in: []arg{x(4, 2, 3), ids(4, 1, 200, 200)}},
		{op: "DeformConv", in: []arg{x(2, 8, 32, 32), w(16, 8, 3, 3), x(2, 18, 30, 30)}, values: true},
		{op: "Softmax", in: []arg{x(40, 5000)}},
		{op: "Softmax", name: "columns", attrs: is("axis", 1), in: []arg{x(4, 50, 1000)}},
		{op: "ReduceSum", name: "rows", in: []arg{x(3, 60000), ids(1)}},
		{op: "ReduceSum", name: "columns", in: []arg{x(3000, 70), ids(0)}},
		{op: "ReduceMax", name: "all", in: []arg{xg(distinct, 150, 1000)}},
		{op: "LayerNormalization", in: []arg{x(50, 3000), w(3000), w(3000)}},
		{op: "BatchNormalization", in: []arg{x(4, 16, 50, 50), wg(positive, 16), w(16), w(16).noGrad(), wg(positive, 16).noGrad()}},
		{op: "MaxPool", attrs: is("kernel_shape", ints(3, 3), "strides", ints(2, 2)), in: []arg{xg(distinct, 4, 32, 40, 40)}},
		{op: "AveragePool", attrs: is("kernel_shape", ints(2, 2), "strides", ints(2, 2)), in: []arg{x(4, 32, 40, 40)}},
		{op: "GlobalMaxPool", in: []arg{xg(distinct, 16, 32, 24, 24)}},
		{op: "Expand", in: []arg{x(3, 1, 4000), ids(3, 50, 4000)}},
		{op: "Mod", attrs: is("fmod", 1), in: []arg{xg(positive, 3, 60000), wg(nonzero, 60000)}, values: true},
		{op: "Where", in: []arg{bits(150000), x(150000), x(150000)}},
		{op: "CastLike", in: []arg{x(3, 60000), given(tensor.From([]int32{1}, 1))}, values: true},
		{op: "Not", in: []arg{bits(150000)}, values: true},
		{op: "GatherElements", attrs: is("axis", 1), in: []arg{x(100, 900), below(900, 100, 2000)}},
		{op: "GatherND", in: []arg{x(300, 300), below(300, 100000, 2)}},
		{op: "ScatterElements", attrs: is("axis", 1, "reduction", "add"), in: []arg{x(300, 500), below(500, 300, 500), x(300, 500)},
			values: true},
		{op: "ScatterND", attrs: is("reduction", "add"), in: []arg{x(300, 400), below(300, 5000, 1), w(5000, 400)}, values: true},
		{op: "Transpose", attrs: is("perm", ints(0, 2, 1)), in: []arg{x(3, 300, 300)}},
		{op: "NegativeLogLikelihoodLoss", attrs: is("reduction", "mean"), in: []arg{x(40, 20, 300), below(20, 40, 300)}},
		{op: "SoftmaxCrossEntropyLoss", name: "pixels", attrs: is("reduction", "mean"), in: []arg{x(8, 20, 1000), below(20, 8, 1000)}},
		{op: "EyeLike", in: []arg{x(500, 500)}, values: true},
		{op: "TopK", in: []arg{xg(distinct, 60, 3000), ids(5)}, values: true, outs: 2},
		{op: "Identity", in: []arg{x(150000)}},
		{op: "Trilu", in: []arg{x(20000, 3, 4)}},
		{op: "DropoutTrain", domain: "gtk", attrs: is("ratio", 0.25), in: []arg{x(3, 60000), scalarID(17)}},
		{op: "Crop", opset: 1, attrs: is("border", ints(1, 1, 1, 1)), in: []arg{x(4, 8, 80, 80)}},
	}
	rois := given(floatsTensor(3, 4, 0.3, 1.1, 4.6, 3.9, 1.2, 0.4, 2.1, 2.6, -1.7, -0.3, 5.8, 6.4))
	align := is("output_height", 7, "output_width", 7, "sampling_ratio", 2)
	cs = append(cs,
		opCase{op: "RoiAlign", attrs: align, whole: true, in: []arg{wg(distinct, 2, 300, 5, 6), rois, ids(1, 0, 1)}},
		opCase{op: "RoiAlignTake", domain: ops.Private, attrs: align, whole: true,
			in: []arg{w(2, 300, 5, 6), rois, ids(1, 0, 1), wg(distinct, 2, 300, 5, 6).noGrad()}},
		opCase{op: "MaxRoiPool", attrs: is("pooled_shape", ints(7, 7)), whole: true,
			in: []arg{wg(distinct, 2, 300, 5, 6), given(floatsTensor(2, 5, 1, 0, 1, 4, 3, 0, 1, 2, 2, 2))}},
		opCase{op: "FakeQuantizeGrad", domain: ops.Private, attrs: is("to", int(tensor.Uint8)),
			in: []arg{floatsOfShape(300, 400), floatsOf0(0.01), zeroOf(tensor.Uint8, 100), x(300, 400)}},
		opCase{op: "ScaleLike", domain: ops.Private, attrs: is("axis", 1), in: []arg{w(3), some(tensor.Uint8, 0, 255, 2, 3, 30000)}},
		opCase{op: "QuantisedSoftmax", domain: ops.Private, in: []arg{some(tensor.Uint8, 0, 255, 300, 500), floatsOf0(0.0131),
			zeroOf(tensor.Uint8, 100), floatsOf0(0.00411), zeroOf(tensor.Uint8, 3)}, values: true},
	)
	for _, op := range []string{"QuantisedAdd", "QuantisedMul"} {
		cs = append(cs, opCase{op: op, domain: ops.Private, in: []arg{some(tensor.Uint8, 0, 255, 300, 500), floatsOf0(0.013),
			zeroOf(tensor.Uint8, 100), some(tensor.Uint8, 0, 250, 300, 500), floatsOf0(0.0217), zeroOf(tensor.Uint8, 31), floatsOf0(0.037),
			zeroOf(tensor.Uint8, 77)}, values: true})
	}
	for _, op := range []string{"And", "Or", "Xor"} {
		cs = append(cs, opCase{op: op, in: []arg{bits(3, 60000), bits(60000)}, values: true})
	}
	cs = append(cs, opCase{op: "Equal", in: []arg{below(3, 3, 60000), below(3, 60000)}, values: true})
	for op, gates := range map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4} {
		const steps, n, in, hidden = 6, 48, 40, 64
		cs = append(cs, opCase{op: op, attrs: graph.Attrs{"hidden_size": int64(hidden)}, outs: 2,
			in: []arg{{shape: []int{steps, n, in}, gen: normal}, w(1, gates*hidden, in), w(1, gates*hidden, hidden),
				w(1, 2*gates*hidden)}})
	}
	return append(cs, largeMathCases()...)
}
