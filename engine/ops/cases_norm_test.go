package ops_test

func init() {
	bn := func(shape ...int) []arg {
		c := shape[1]
		return []arg{x(shape...), w(c), w(c), w(c), wg(positive, c)}
	}
	register(
		opCase{op: "BatchNormalization", in: bn(2, 3, 4, 5)},
		opCase{op: "BatchNormalization", name: "epsilon", attrs: is("epsilon", 0.1), in: bn(2, 3, 4)},
		opCase{op: "BatchNormalization", name: "matrix", in: bn(4, 3)},
		opCase{op: "BatchNormalization", opset: 9, in: bn(2, 3, 4, 5)},
		opCase{op: "BatchNormalization", opset: 7, in: bn(2, 3, 4, 5)},
		opCase{op: "BatchNormalization", opset: 6, attrs: is("is_test", 1), in: bn(2, 3, 4, 5)},
		opCase{op: "BatchNormalization", name: "training", attrs: is("training_mode", 1), in: bn(3, 2, 4, 5), outs: 3, whole: true,
			tol: 1e-3},
		opCase{op: "BatchNormalization", name: "training matrix", attrs: is("training_mode", 1, "momentum", 0.7), in: bn(6, 2), outs: 3,
			whole: true, tol: 1e-3},
		opCase{op: "InstanceNormalization", in: []arg{x(2, 3, 4, 5), w(3), w(3)}, tol: 1e-3},
		opCase{op: "InstanceNormalization", name: "1-D", attrs: is("epsilon", 0.01), in: []arg{x(2, 3, 6), w(3), w(3)}, tol: 1e-3},
		opCase{op: "LayerNormalization", in: []arg{x(3, 4, 6), w(6), w(6)}, tol: 1e-3},
		opCase{op: "LayerNormalization", name: "no bias", in: []arg{x(3, 6), w(6)}, tol: 1e-3},
		opCase{op: "LayerNormalization", name: "axis", attrs: is("axis", 1, "epsilon", 0.01), in: []arg{x(3, 2, 5), w(2, 5), w(2, 5)},
			tol: 1e-3},
		opCase{op: "LayerNormalization", name: "statistics", in: []arg{x(3, 6), w(6), w(6)}, outs: 3, tol: 1e-3, values: true},
		opCase{op: "RMSNormalization", in: []arg{x(3, 4, 6), w(6)}, tol: 1e-3},
		opCase{op: "ImageScaler", opset: 1, attrs: is("scale", 0.5, "bias", []float32{0.1, -0.2, 0.3}), in: []arg{x(2, 3, 2, 2)}},
		opCase{op: "Affine", opset: 1, attrs: is("alpha", 0.5, "beta", 0.25), in: []arg{x(2, 3)}},
	)
}
