package ops_test

func init() {
	register(
		opCase{op: "Conv", in: []arg{x(2, 3, 5, 6), w(4, 3, 3, 3)}},
		opCase{op: "Conv", name: "bias", in: []arg{x(2, 3, 5, 6), w(4, 3, 3, 3), w(4)}},
		opCase{op: "Conv", name: "same", attrs: is("pads", ints(1, 1, 1, 1), "kernel_shape", ints(3, 3)),
			in: []arg{x(2, 3, 5, 6), w(4, 3, 3, 3), w(4)}},
		opCase{op: "Conv", name: "stride", attrs: is("pads", ints(1, 1, 1, 1), "strides", ints(2, 2)),
			in: []arg{x(2, 3, 6, 7), w(4, 3, 3, 3), w(4)}},
		opCase{op: "Conv", name: "stride without cover", attrs: is("strides", ints(3, 2)), in: []arg{x(2, 2, 8, 8), w(3, 2, 2, 2), w(3)}},
		opCase{op: "Conv", name: "pads differ", attrs: is("pads", ints(0, 2, 1, 0)), in: []arg{x(2, 2, 4, 5), w(3, 2, 3, 2)}},
		opCase{op: "Conv", name: "dilation", attrs: is("dilations", ints(2, 3), "pads", ints(2, 3, 2, 3)),
			in: []arg{x(2, 2, 6, 7), w(3, 2, 3, 3)}},
		opCase{op: "Conv", name: "groups", attrs: is("group", 2, "pads", ints(1, 1, 1, 1)), in: []arg{x(2, 4, 5, 5), w(6, 2, 3, 3), w(6)}},
		opCase{op: "Conv", name: "depthwise", attrs: is("group", 3, "pads", ints(1, 1, 1, 1)),
			in: []arg{x(2, 3, 5, 5), w(3, 1, 3, 3), w(3)}},
		opCase{op: "Conv", name: "depthwise stride", attrs: is("group", 3, "pads", ints(1, 1, 1, 1), "strides", ints(2, 2)),
			in: []arg{x(2, 3, 7, 6), w(3, 1, 3, 3), w(3)}},
		opCase{op: "Conv", name: "depthwise multiplier", attrs: is("group", 3), in: []arg{x(2, 3, 5, 5), w(6, 1, 3, 3), w(6)}},
		opCase{op: "Conv", name: "pointwise", in: []arg{x(2, 5, 4, 3), w(7, 5, 1, 1), w(7)}},
		opCase{op: "Conv", name: "pointwise stride", attrs: is("strides", ints(2, 2)), in: []arg{x(2, 5, 5, 4), w(3, 5, 1, 1)}},
		opCase{op: "Conv", name: "whole image", in: []arg{x(2, 3, 4, 4), w(5, 3, 4, 4), w(5)}},
		opCase{op: "Conv", name: "few positions", in: []arg{x(3, 8, 4, 4), w(16, 8, 3, 3), w(16)}, tol: 1e-3},
		opCase{op: "Conv", name: "few positions, groups", attrs: is("group", 2), in: []arg{x(3, 8, 4, 4), w(32, 4, 3, 3)}, tol: 1e-3},
		opCase{op: "Conv", name: "1-D", attrs: is("pads", ints(2, 1), "strides", ints(2)), in: []arg{x(2, 3, 9), w(4, 3, 4), w(4)}},
		opCase{op: "Conv", name: "1-D long", in: []arg{x(2, 1, 40), w(6, 1, 16)}},
		opCase{op: "Conv", name: "3-D", attrs: is("pads", ints(1, 0, 1, 1, 0, 1)), in: []arg{x(2, 2, 3, 4, 3), w(3, 2, 2, 2, 3), w(3)}},
		opCase{op: "Conv", name: "SAME_UPPER", attrs: is("auto_pad", "SAME_UPPER", "strides", ints(2, 2)),
			in: []arg{x(2, 2, 5, 6), w(3, 2, 3, 2)}},
		opCase{op: "Conv", name: "SAME_LOWER", attrs: is("auto_pad", "SAME_LOWER"), in: []arg{x(2, 2, 5, 6), w(3, 2, 2, 4)}},
		opCase{op: "Conv", name: "VALID", attrs: is("auto_pad", "VALID"), in: []arg{x(2, 2, 5, 6), w(3, 2, 3, 2)}},
		opCase{op: "Conv", name: "wide", attrs: is("pads", ints(1, 1, 1, 1)), in: []arg{x(1, 16, 7, 9), w(33, 16, 3, 3), w(33)},
			tol: 1e-3, whole: true},
		opCase{op: "Conv", opset: 1, in: []arg{x(2, 2, 5, 6), w(3, 2, 3, 3), w(3)}},

		opCase{op: "ConvTranspose", in: []arg{x(2, 3, 4, 3), w(3, 2, 3, 3)}},
		opCase{op: "ConvTranspose", name: "stride",
			attrs: is("strides", ints(2, 2), "pads", ints(1, 1, 1, 1), "output_padding", ints(1, 1)),
			in:    []arg{x(2, 3, 4, 3), w(3, 2, 3, 3), w(2)}},
		opCase{op: "ConvTranspose", name: "output_shape", attrs: is("strides", ints(2, 2), "output_shape", ints(8, 7)),
			in: []arg{x(2, 3, 4, 3), w(3, 2, 3, 3)}},
		opCase{op: "ConvTranspose", name: "groups", attrs: is("group", 2, "strides", ints(2, 1)),
			in: []arg{x(2, 4, 3, 3), w(4, 3, 2, 3), w(6)}},
		opCase{op: "ConvTranspose", name: "dilation", attrs: is("dilations", ints(2, 2)), in: []arg{x(2, 2, 3, 3), w(2, 2, 2, 2)}},
		opCase{op: "ConvTranspose", name: "1-D", attrs: is("strides", ints(3), "pads", ints(1, 0)),
			in: []arg{x(2, 2, 4), w(2, 3, 4), w(3)}},
		opCase{op: "ConvTranspose", name: "SAME_UPPER", attrs: is("auto_pad", "SAME_UPPER", "strides", ints(2, 2)),
			in: []arg{x(1, 2, 3, 3), w(2, 1, 3, 3)}},
		opCase{op: "ConvTranspose", opset: 1, attrs: is("strides", ints(2, 2)), in: []arg{x(2, 3, 4, 3), w(3, 2, 3, 3)}},
	)
	for _, op := range []string{"MaxPool", "AveragePool"} {
		add := func(name string, kv []any, shape ...int) {
			register(opCase{op: op, name: name, attrs: is(kv...), in: []arg{xg(distinct, shape...)}})
		}
		add("", []any{"kernel_shape", ints(2, 2)}, 2, 3, 4, 5)
		add("stride", []any{"kernel_shape", ints(2, 2), "strides", ints(2, 2)}, 2, 3, 4, 6)
		add("overlap", []any{"kernel_shape", ints(3, 3), "strides", ints(2, 2), "pads", ints(1, 1, 1, 1)}, 2, 2, 6, 5)
		add("ceil", []any{"kernel_shape", ints(3, 3), "strides", ints(2, 2), "ceil_mode", 1}, 2, 2, 6, 6)
		add("ceil padded", []any{"kernel_shape", ints(3, 2), "strides", ints(2, 2), "pads", ints(1, 0, 1, 1), "ceil_mode", 1}, 1, 2, 6, 7)
		add("1-D", []any{"kernel_shape", ints(3), "strides", ints(2)}, 2, 3, 8)
		add("3-D", []any{"kernel_shape", ints(2, 2, 2)}, 1, 2, 3, 3, 4)
		add("dilation", []any{"kernel_shape", ints(2, 2), "dilations", ints(2, 2)}, 1, 2, 5, 5)
		add("SAME_UPPER", []any{"kernel_shape", ints(3, 3), "strides", ints(2, 2), "auto_pad", "SAME_UPPER"}, 1, 2, 6, 5)
		add("SAME_LOWER", []any{"kernel_shape", ints(2, 2), "auto_pad", "SAME_LOWER"}, 1, 2, 4, 5)
		add("VALID", []any{"kernel_shape", ints(2, 2), "auto_pad", "VALID"}, 1, 2, 4, 5)
	}
	register(
		opCase{op: "MaxPool", name: "indices", attrs: is("kernel_shape", ints(2, 2), "strides", ints(2, 2)),
			in: []arg{xg(distinct, 2, 3, 4, 6)}, outs: 2},
		opCase{op: "MaxPool", opset: 1, attrs: is("kernel_shape", ints(2, 2)), in: []arg{xg(distinct, 2, 3, 4, 5)}},
		opCase{op: "MaxPool", opset: 8, attrs: is("kernel_shape", ints(2, 2)), in: []arg{xg(distinct, 2, 3, 4, 5)}},
		opCase{op: "AveragePool", name: "with padding",
			attrs: is("kernel_shape", ints(3, 3), "pads", ints(1, 1, 1, 1), "count_include_pad", 1), in: []arg{x(2, 2, 5, 5)}},
		opCase{op: "AveragePool", name: "ceil with padding",
			attrs: is("kernel_shape", ints(3, 3), "strides", ints(2, 2), "pads", ints(1, 1, 1, 1), "ceil_mode", 1, "count_include_pad",
				1), in: []arg{x(1, 2, 6, 6)}},
		opCase{op: "AveragePool", opset: 1, attrs: is("kernel_shape", ints(2, 2)), in: []arg{x(2, 3, 4, 5)}},
		opCase{op: "AveragePool", opset: 7, attrs: is("kernel_shape", ints(2, 2), "pads", ints(1, 1, 0, 0)), in: []arg{x(2, 3, 4, 5)}},
		opCase{op: "GlobalAveragePool", in: []arg{x(2, 3, 4, 5)}},
		opCase{op: "GlobalAveragePool", name: "1-D", in: []arg{x(2, 3, 4)}},
		opCase{op: "GlobalMaxPool", in: []arg{xg(distinct, 2, 3, 4, 5)}},
		opCase{op: "GlobalMaxPool", name: "1-D", in: []arg{xg(distinct, 2, 3, 7)}},
	)
}
