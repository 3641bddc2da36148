package ops_test

import (
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// as is the numbers v in the element type d.
func as(d tensor.DType, v []int32, shape ...int) arg {
	t, err := tensor.From(v, shape...).Convert(d)
	if err != nil {
		panic(err)
	}
	return given(t)
}

// some is n numbers from lo on, in steps that reach all of the types' range sooner or later.
func some(d tensor.DType, lo, hi int32, shape ...int) arg {
	v := make([]int32, tensor.Shape(shape).Len())
	for i := range v {
		v[i] = lo + int32(i)*37%(hi-lo+1)
	}
	return as(d, v, shape...)
}

func zeroOf(d tensor.DType, v int32) arg { return as(d, []int32{v}) }

// smallest has the range of each type of quantised integers.
var smallest = []struct {
	d      tensor.DType
	lo, hi int32
}{{tensor.Int8, -128, 127}, {tensor.Uint8, 0, 255}, {tensor.Int16, -32768, 32767}, {tensor.Uint16, 0, 65535}, {tensor.Int4, -8, 7},
	{tensor.Uint4, 0, 15}, {tensor.Int2, -2, 1}, {tensor.Uint2, 0, 3}}

func init() {
	u8, s8 := tensor.Uint8, tensor.Int8
	scale := floatsOf0(0.043)
	for _, s := range smallest {
		name := s.d.String()
		register(
			opCase{op: "QuantizeLinear", name: name, in: []arg{x(3, 5), scale, zeroOf(s.d, (s.lo+s.hi)/2)}, values: true},
			opCase{op: "QuantizeLinear", name: name + " output_dtype", attrs: is("output_dtype", int(s.d)), in: []arg{x(3, 5), scale}, values: true},
			opCase{op: "DequantizeLinear", name: name, in: []arg{some(s.d, max(s.lo, -300), min(s.hi, 300), 3, 7), wg(positive),
				zeroOf(s.d, min(s.hi, 90))}},
		)
	}
	for _, d := range []tensor.DType{tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ, tensor.Float8E5M2, tensor.Float8E5M2FNUZ, tensor.Float4E2M1} {
		name := d.String()
		register(
			opCase{op: "QuantizeLinear", name: name, attrs: is("axis", 0), in: []arg{x(3, 5), floatsOf(0.01, 1, 0.0003), as(d, []int32{0, 0, 0}, 3)},
				values: true},
			opCase{op: "DequantizeLinear", name: name, in: []arg{as(d, []int32{-6, -1, 0, 2, 3, 6}, 2, 3), wg(positive)}},
		)
		if d != tensor.Float4E2M1 {
			register(opCase{op: "QuantizeLinear", name: name + " unsaturated", attrs: is("saturate", 0),
				in: []arg{x(3, 5), floatsOf0(0.0001), zeroOf(d, 0)}, values: true})
		}
	}
	register(
		opCase{op: "QuantizeLinear", in: []arg{x(2, 3), scale}, values: true},
		opCase{op: "QuantizeLinear", name: "of integers", in: []arg{some(tensor.Int32, -900, 1000, 3, 4), floatsOf0(3.7), zeroOf(s8, 5)},
			values: true},
		opCase{op: "QuantizeLinear", name: "axis", attrs: is("axis", -2),
			in: []arg{x(2, 3, 4), floatsOf(0.1, 0.02, 0.3), as(u8, []int32{3, 128, 200}, 3)}, values: true},
		opCase{op: "QuantizeLinear", name: "last axis", attrs: is("axis", 2),
			in:     []arg{x(2, 3, 2), floatsOf(0.1, 0.02), as(s8, []int32{3, -9}, 2)},
			values: true},
		opCase{op: "QuantizeLinear", name: "blocks", attrs: is("axis", 1, "block_size", 2),
			in: []arg{x(2, 5, 3), wg(positive, 2, 3, 3), some(u8, 0, 255, 2, 3, 3)}, values: true},
		opCase{op: "QuantizeLinear", name: "blocks of the last axis", attrs: is("axis", 1, "block_size", 3, "output_dtype", int(tensor.Int4)),
			in: []arg{x(2, 7), wg(positive, 2, 3)}, values: true},
		opCase{op: "DequantizeLinear", name: "int32", in: []arg{some(tensor.Int32, -99, 99, 3, 4), wg(positive)}},
		opCase{op: "DequantizeLinear", name: "large", in: []arg{some(tensor.Int32, -1<<30, 1<<30, 3, 4), wg(positive)}, values: true},
		opCase{op: "DequantizeLinear", name: "axis", attrs: is("axis", 1),
			in: []arg{some(s8, -128, 127, 2, 3, 4), wg(positive, 3), as(s8, []int32{0, 7, -3}, 3)}},
		opCase{op: "DequantizeLinear", name: "last axis", attrs: is("axis", -1), in: []arg{some(u8, 0, 255, 2, 4), wg(positive, 4)}},
		opCase{op: "DequantizeLinear", name: "first axis", attrs: is("axis", 0), in: []arg{some(u8, 0, 255, 3, 4), wg(positive, 3)}},
		opCase{op: "DequantizeLinear", name: "blocks", attrs: is("axis", 1, "block_size", 2),
			in: []arg{some(u8, 0, 255, 2, 5, 3), wg(positive, 2, 3, 3), some(u8, 0, 255, 2, 3, 3)}},
		opCase{op: "DequantizeLinear", name: "blocks of the last axis", attrs: is("axis", 1, "block_size", 3),
			in: []arg{some(tensor.Int4, -8, 7, 2, 7), wg(positive, 2, 3)}},
		opCase{op: "DequantizeLinear", opset: 10, in: []arg{some(s8, -128, 127, 2, 3), wg(positive), zeroOf(s8, -4)}},
		opCase{op: "DynamicQuantizeLinear", in: []arg{x(3, 7)}, outs: 3, values: true},
		opCase{op: "DynamicQuantizeLinear", name: "positive", in: []arg{xg(positive, 3, 7)}, outs: 3, values: true},
		opCase{op: "MatMulInteger", in: []arg{some(u8, 0, 255, 3, 9), some(s8, -128, 127, 9, 4)}, values: true},
		opCase{op: "MatMulInteger", name: "zero points", in: []arg{some(u8, 0, 255, 3, 9), some(u8, 0, 255, 9, 4), zeroOf(u8, 130),
			zeroOf(u8, 9)},
			values: true},
		opCase{op: "MatMulInteger", name: "rows and columns", in: []arg{some(s8, -128, 127, 3, 9), some(u8, 0, 255, 9, 2),
			as(s8, []int32{1, -2, 3}, 3), as(u8, []int32{200, 0}, 2)}, values: true},
		opCase{op: "MatMulInteger", name: "each matrix", in: []arg{some(s8, -128, 127, 2, 3, 5), some(u8, 0, 255, 2, 5, 4),
			as(s8, []int32{1, -2, 3, 4, 5, 6}, 2, 3, 1), some(u8, 0, 255, 2, 1, 4)}, values: true},
		opCase{op: "MatMulInteger", name: "broadcast", in: []arg{some(u8, 0, 255, 2, 1, 3, 5), some(s8, -128, 127, 3, 5, 2)}, values: true},
		opCase{op: "MatMulInteger", name: "vectors", in: []arg{some(u8, 0, 255, 5), some(s8, -128, 127, 5)}, values: true},
		opCase{op: "ConvInteger", attrs: is("pads", ints(1, 1, 1, 1)), in: []arg{some(u8, 0, 255, 2, 3, 5, 4), some(s8, -128, 127, 4, 3, 3, 3),
			zeroOf(u8, 17)}, values: true},
		opCase{op: "ConvInteger", name: "groups", attrs: is("group", 2, "strides", ints(2, 1), "dilations", ints(1, 2)),
			in:     []arg{some(s8, -128, 127, 1, 4, 6, 7), some(u8, 0, 255, 6, 2, 2, 3), zeroOf(s8, -3), as(u8, []int32{1, 2, 3, 40, 50, 60}, 6)},
			values: true},
		opCase{op: "ConvInteger", name: "no channels", in: []arg{some(u8, 0, 255, 2, 0, 3, 3), some(s8, -128, 127, 4, 0, 2, 2)}, values: true},
		opCase{op: "ConvInteger", name: "1-D", attrs: is("auto_pad", "SAME_UPPER"),
			in:     []arg{some(u8, 0, 255, 1, 2, 9), some(u8, 0, 255, 3, 2, 4)},
			values: true},
		opCase{op: "QLinearConv", attrs: is("pads", ints(1, 0, 1, 1)), in: []arg{some(u8, 0, 255, 2, 3, 5, 4), floatsOf0(0.013), zeroOf(u8, 128),
			some(s8, -128, 127, 4, 3, 3, 3), floatsOf(0.007, 0.011, 0.003, 0.02), as(s8, []int32{0, 3, -2, 0}, 4), floatsOf0(0.37), zeroOf(u8, 100),
			as(tensor.Int32, []int32{100, -2000, 30000, 7}, 4)}, values: true},
		opCase{op: "QLinearConv", name: "signed", attrs: is("group", 2), in: []arg{some(s8, -128, 127, 1, 4, 5), floatsOf0(0.013), zeroOf(s8, -7),
			some(s8, -128, 127, 4, 2, 3), floatsOf0(0.007), zeroOf(s8, 0), floatsOf0(0.11), zeroOf(s8, 11)}, values: true},
	)
	for _, opset := range []int{10, 21} {
		register(
			opCase{op: "QLinearMatMul", opset: opset, in: []arg{some(u8, 0, 255, 3, 9), floatsOf0(0.013), zeroOf(u8, 130), some(s8, -128, 127, 9, 4),
				floatsOf0(0.021), zeroOf(s8, 3), floatsOf0(0.19), zeroOf(u8, 99)}, values: true},
			opCase{op: "QLinearMatMul", name: "rows and columns", opset: opset, in: []arg{some(s8, -128, 127, 3, 9), floatsOf(0.013, 0.02, 0.007),
				as(s8, []int32{1, 2, 3}, 3), some(s8, -128, 127, 9, 2), floatsOf(0.021, 0.1), as(s8, []int32{9, -9}, 2), floatsOf0(0.31),
				zeroOf(s8, 9)},
				values: true},
			opCase{op: "QLinearMatMul", name: "each matrix", opset: opset, in: []arg{some(u8, 0, 255, 2, 3, 5), floatsOf0(0.013), zeroOf(u8, 130),
				some(u8, 0, 255, 2, 5, 4), given(tensor.From([]float32{0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08}, 2, 1, 4)),
				some(u8, 0, 255, 2, 1, 4), floatsOf0(0.29), zeroOf(u8, 120)}, values: true},
		)
	}
	f8 := tensor.Float8E4M3FN
	register(
		opCase{op: "QLinearMatMul", name: "floats", in: []arg{as(f8, []int32{1, -2, 3, 4, 0, 8}, 2, 3), floatsOf0(0.5), zeroOf(f8, 0),
			as(f8, []int32{5, -1, 2, 16, -3, 1}, 3, 2), floatsOf(0.25, 2), as(f8, []int32{0, 0}, 2), floatsOf0(0.75), zeroOf(f8, 0)}, values: true},
		opCase{op: "FakeQuantize", domain: ops.Private, attrs: is("to", int(u8)),
			in: []arg{x(3, 4), floatsOf0(0.01), zeroOf(u8, 100)}, values: true},
		opCase{op: "FakeQuantize", domain: ops.Private, name: "axis", attrs: is("to", int(s8), "axis", 0),
			in:     []arg{x(3, 4), floatsOf(0.01, 0.02, 0.1)},
			values: true},
		opCase{op: "FakeQuantizeGrad", domain: ops.Private, attrs: is("to", int(u8)),
			in: []arg{floatsOfShape(3, 4), floatsOf0(0.01), zeroOf(u8, 100),
				x(3, 4)}},
		opCase{op: "FakeQuantizeGrad", domain: ops.Private, name: "axis", attrs: is("to", int(tensor.Float8E4M3FN), "axis", 0),
			in: []arg{floatsOfShape(3, 4), floatsOf(0.01, 0.001, 0.003), {}, x(3, 4)}},
		opCase{op: "ScaleLike", domain: ops.Private, attrs: is("axis", 1), in: []arg{w(3), some(u8, 0, 255, 2, 3, 2)}},
		opCase{op: "ScaleSum", domain: ops.Private, attrs: is("axis", 0, "block_size", 2), in: []arg{w(5, 2), floatsOfShape(3, 2)}},
	)
}

func init() {
	u8, s8 := tensor.Uint8, tensor.Int8
	for _, op := range []string{"QuantisedAdd", "QuantisedMul"} {
		register(
			opCase{op: op, domain: ops.Private, in: []arg{some(u8, 0, 255, 3, 5), floatsOf0(0.013), zeroOf(u8, 100), some(u8, 0, 250, 3, 5),
				floatsOf0(0.0217), zeroOf(u8, 31), floatsOf0(0.037), zeroOf(u8, 77)}, values: true},
			opCase{op: op, domain: ops.Private, name: "broadcast", in: []arg{some(s8, -128, 127, 3, 1, 5), floatsOf0(0.013), zeroOf(s8, 10),
				some(s8, -120, 127, 4, 1), floatsOf0(0.0217), zeroOf(s8, -31), floatsOf0(0.037), zeroOf(s8, 7)}, values: true},
			opCase{op: op, domain: ops.Private, name: "scalar", in: []arg{some(s8, -128, 127, 3, 5), floatsOf0(0.013), zeroOf(s8, 10),
				zeroOf(s8, 99), floatsOf0(0.0217), zeroOf(s8, -31), floatsOf0(0.037), zeroOf(s8, 7)}, values: true},
		)
	}
	register(
		opCase{op: "QuantisedSoftmax", domain: ops.Private, in: []arg{some(u8, 0, 255, 3, 5), floatsOf0(0.0131), zeroOf(u8, 100),
			floatsOf0(0.00411), zeroOf(u8, 3)}, values: true},
		opCase{op: "QuantisedSoftmax", domain: ops.Private, name: "axis", attrs: is("axis", 1), in: []arg{some(s8, -128, 127, 2, 7, 3),
			floatsOf0(0.0131), zeroOf(s8, -9), floatsOf0(0.00311), zeroOf(s8, -128)}, values: true},
	)
}

// floatsOfShape is numbers from -1 to 2 that are not differentiated by.
func floatsOfShape(shape ...int) arg {
	v := make([]float32, tensor.Shape(shape).Len())
	for i := range v {
		v[i] = float32(i*7%31)/10 - 1
	}
	return given(tensor.From(v, shape...))
}
