package ops_test

import "github.com/gtk-onnx/gtk/tensor"

func init() {
	register(
		opCase{op: "LRN", attrs: is("size", 3), in: []arg{x(2, 5, 3, 2)}},
		opCase{op: "LRN", name: "even", attrs: is("size", 4, "alpha", 0.5, "beta", 0.6, "bias", 1.5), in: []arg{x(2, 5, 3)}},
		opCase{op: "LRN", name: "wider than the channels", attrs: is("size", 7, "alpha", 0.3), in: []arg{x(1, 2, 2, 1, 3)}},
		opCase{op: "LRN", name: "one", attrs: is("size", 1, "alpha", 2.0, "beta", 0.5), in: []arg{x(2, 3)}},
		opCase{op: "LRN", name: "long rows", attrs: is("size", 3, "alpha", 0.7), in: []arg{x(1, 3, 1100)}},

		opCase{op: "LpNormalization", in: []arg{x(2, 3, 4)}},
		opCase{op: "LpNormalization", name: "one", attrs: is("p", 1, "axis", 1), in: []arg{xg(kinkless, 2, 3, 4)}},
		opCase{op: "LpNormalization", name: "axis", attrs: is("axis", 0), in: []arg{x(3, 4)}, whole: true},
		opCase{op: "LpNormalization", name: "one element", attrs: is("p", 1, "axis", -2), in: []arg{xg(kinkless, 2, 1, 3)}},

		opCase{op: "GlobalLpPool", in: []arg{xg(kinkless, 2, 3, 4, 5)}},
		opCase{op: "GlobalLpPool", name: "one", attrs: is("p", 1), in: []arg{xg(kinkless, 2, 3, 4)}},
		opCase{op: "GlobalLpPool", name: "three", attrs: is("p", 3), in: []arg{xg(kinkless, 2, 1, 2, 1, 3)}},
		opCase{op: "GlobalLpPool", opset: 1, attrs: is("p", 2.5), in: []arg{xg(kinkless, 1, 2, 3, 3)}},
		opCase{op: "GlobalLpPool", name: "no space", in: []arg{xg(kinkless, 2, 3)}},

		opCase{op: "Col2Im", in: []arg{x(2, 8, 9), ids(4, 4), ids(2, 2)}},
		opCase{op: "Col2Im", name: "pads differ", attrs: is("pads", ints(0, 2, 1, 0), "strides", ints(2, 1)),
			in: []arg{x(1, 6, 10), ids(5, 4), ids(3, 2)}},
		opCase{op: "Col2Im", name: "dilation", attrs: is("dilations", ints(1, 5)), in: []arg{x(1, 4, 5), ids(6, 6), ids(2, 2)}},
		opCase{op: "Col2Im", name: "1-D", attrs: is("pads", ints(1, 2), "strides", ints(3)), in: []arg{x(2, 4, 3), ids(6), ids(2)}},
		opCase{op: "Col2Im", name: "3-D", attrs: is("pads", ints(1, 0, 0, 0, 1, 0)), in: []arg{x(1, 10, 24), ids(3, 2, 6), ids(1, 1, 5)}},
		opCase{op: "Col2Im", name: "gaps", attrs: is("strides", ints(3, 3)), in: []arg{x(1, 2, 4), ids(5, 6), ids(1, 2)}},
		opCase{op: "Col2Im", name: "ints", in: []arg{given(tensor.From([]int32{1, 2, 3, 4, 5, 6}, 1, 2, 3)), ids(4), ids(2)}},

		opCase{op: "CenterCropPad", in: []arg{w(5, 3, 4), ids(2, 6, 4)}},
		opCase{op: "CenterCropPad", name: "odd", in: []arg{w(5, 4), ids(2, 7)}},
		opCase{op: "CenterCropPad", name: "axes", attrs: is("axes", ints(-1, 1)), in: []arg{x(2, 4, 3), ids(8, 1)}},
		opCase{op: "CenterCropPad", name: "strings", in: []arg{given(tensor.FromStrings([]string{"a", "b", "c"}, 3)), ids(2)}},
		opCase{op: "CenterCropPad", name: "int32 shape", in: []arg{w(3, 3), given(tensor.From([]int32{4, 2}, 2))}},

		opCase{op: "AffineGrid", in: []arg{x(2, 2, 3), ids(2, 1, 3, 4)}},
		opCase{op: "AffineGrid", name: "corners", attrs: is("align_corners", 1), in: []arg{x(1, 2, 3), ids(1, 5, 1, 3)}},
		opCase{op: "AffineGrid", name: "3-D", in: []arg{x(2, 3, 4), ids(2, 1, 2, 3, 1)}},

		opCase{op: "MaxUnpool", attrs: is("kernel_shape", ints(2, 2), "strides", ints(2, 2)),
			in: []arg{x(1, 2, 2, 2), given(tensor.From([]int64{0, 3, 9, 10, 17, 22, 24, 31}, 1, 2, 2, 2))}},
		opCase{op: "MaxUnpool", name: "one place twice", attrs: is("kernel_shape", ints(3), "pads", ints(1, 1), "strides", ints(2)),
			in: []arg{w(2, 1, 3), given(tensor.From([]int64{1, 1, 4, 5, 9, 5}, 2, 1, 3))}, whole: true},
		opCase{op: "MaxUnpool", name: "larger", attrs: is("kernel_shape", ints(2, 2), "strides", ints(2, 2)),
			in: []arg{x(1, 1, 2, 2), given(tensor.From([]int64{5, 7, 13, 15}, 1, 1, 2, 2)), ids(1, 1, 5, 6)}},
		opCase{op: "MaxUnpool", opset: 9, attrs: is("kernel_shape", ints(2)),
			in: []arg{x(1, 1, 3), given(tensor.From([]int64{0, 1, 3}, 1, 1, 3))}},

		opCase{op: "MaxPool", name: "ceil, a window behind the end",
			attrs: is("kernel_shape", ints(1, 2), "pads", ints(0, 1, 1, 1), "ceil_mode", 1),
			in:    []arg{xg(distinct, 1, 2, 3, 3)}},
		opCase{op: "MaxPool", name: "columns first", attrs: is("kernel_shape", ints(2, 2), "storage_order", 1),
			in: []arg{xg(distinct, 2, 2, 3, 5)}, outs: 2},
	)
	lp := func(name string, opset int, kv []any, shape ...int) {
		register(opCase{op: "LpPool", name: name, opset: opset, attrs: is(kv...), in: []arg{xg(kinkless, shape...)}})
	}
	lp("", 0, []any{"kernel_shape", ints(2, 2)}, 2, 3, 4, 5)
	lp("one", 0, []any{"kernel_shape", ints(2, 3), "p", 1, "strides", ints(2, 1)}, 1, 2, 5, 4)
	lp("three", 0, []any{"kernel_shape", ints(3), "p", 3, "pads", ints(1, 2), "strides", ints(2)}, 2, 2, 8)
	lp("four", 0, []any{"kernel_shape", ints(2, 2), "p", 4, "dilations", ints(2, 1)}, 1, 2, 5, 3)
	lp("ceil", 0, []any{"kernel_shape", ints(3, 2), "strides", ints(2, 2), "pads", ints(1, 0, 1, 1), "ceil_mode", 1}, 1, 2, 6, 7)
	lp("3-D", 0, []any{"kernel_shape", ints(2, 1, 2), "auto_pad", "SAME_UPPER", "strides", ints(2, 2, 1)}, 1, 2, 3, 3, 4)
	lp("one position", 0, []any{"kernel_shape", ints(1, 1)}, 2, 1, 1, 1)
	lp("", 2, []any{"kernel_shape", ints(2, 2), "auto_pad", "SAME_LOWER"}, 1, 2, 4, 5)
	lp("", 1, []any{"kernel_shape", ints(2, 2), "p", 1.5}, 1, 2, 3, 3)
}

// A picture of two pixels as netpbm, and one of a pixel as bmp.
func init() {
	file := func(s string) arg { return given(tensor.From([]uint8(s), len(s))) }
	for _, format := range []string{"RGB", "BGR", "Grayscale"} {
		register(opCase{op: "ImageDecoder", name: format, attrs: is("pixel_format", format), values: true,
			in: []arg{file("P6 2 1 255\n\x01\x02\x03\xfd\xfe\xff")}})
	}
}
