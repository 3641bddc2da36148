package ops_test

func init() {
	register(
		opCase{op: "MatMul", in: []arg{x(3, 4), w(4, 5)}},
		opCase{op: "MatMul", name: "batched weight", in: []arg{x(2, 3, 4), w(4, 5)}},
		opCase{op: "MatMul", name: "batch", in: []arg{x(2, 3, 4), x(2, 4, 5)}},
		opCase{op: "MatMul", name: "heads", in: []arg{x(2, 3, 4, 5), x(2, 3, 5, 4)}},
		opCase{op: "MatMul", name: "broadcast", in: []arg{x(2, 1, 4, 5), w(3, 5, 2)}, whole: true},
		opCase{op: "MatMul", name: "broadcast left", in: []arg{w(4, 5), x(2, 3, 5, 2)}},
		opCase{op: "MatMul", name: "vector right", in: []arg{x(3, 4), w(4)}},
		opCase{op: "MatMul", name: "vector left", in: []arg{w(4), x(2, 4, 3)}, whole: true},
		opCase{op: "MatMul", name: "vectors", in: []arg{w(4), w(4)}},
		opCase{op: "MatMul", name: "large", in: []arg{x(37, 70), w(70, 33)}, tol: 1e-3},
		opCase{op: "MatMul", name: "empty", in: []arg{x(0, 3), w(3, 2)}, values: true},

		opCase{op: "Gemm", in: []arg{x(3, 4), w(4, 5)}},
		opCase{op: "Gemm", name: "bias", in: []arg{x(3, 4), w(4, 5), w(5)}},
		opCase{op: "Gemm", name: "linear layer", attrs: is("transB", 1, "alpha", 0.5, "beta", 2.0), in: []arg{x(3, 4), w(5, 4), w(5)}},
		opCase{op: "Gemm", name: "transA", attrs: is("transA", 1), in: []arg{w(4, 3), w(4, 5), w(3, 1)}, whole: true},
		opCase{op: "Gemm", name: "both", attrs: is("transA", 1, "transB", 1, "beta", 0.3), in: []arg{w(4, 3), w(5, 4), w()}, whole: true},
		opCase{op: "Gemm", name: "full", in: []arg{x(3, 4), w(4, 5), x(3, 5)}, whole: true},
		opCase{op: "Gemm", name: "beta 0", attrs: is("beta", 0.0), in: []arg{x(3, 4), w(4, 5), w(5)}},
		opCase{op: "Gemm", opset: 7, attrs: is("transB", 1), in: []arg{x(3, 4), w(5, 4), w(5)}},
		opCase{op: "Gemm", opset: 6, attrs: is("transB", 1, "broadcast", 1), in: []arg{x(3, 4), w(5, 4), w(5)}},
	)
}
