package ops_test

import (
	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	for _, op := range []string{"Neg", "Exp", "Sigmoid", "Tanh", "Sin", "Cos", "Erf", "Softplus", "Identity", "Mish", "Gelu", "Swish",
		"Sinh", "Cosh", "Atan", "Asinh"} {
		register(opCase{op: op, in: []arg{x(2, 3, 5)}}, opCase{op: op, name: "scalar", in: []arg{x()}, whole: true},
			opCase{op: op, name: "empty", in: []arg{x(0, 3)}})
	}
	for _, op := range []string{"Abs", "Relu", "LeakyRelu", "Elu", "Selu", "Celu", "Softsign"} {
		register(opCase{op: op, in: []arg{xg(kinkless, 2, 3, 5)}})
	}
	for _, op := range []string{"Log", "Sqrt"} {
		register(opCase{op: op, in: []arg{xg(positive, 2, 3, 5)}})
	}
	for _, op := range []string{"Tan", "Asin", "Acos", "Atanh"} {
		register(opCase{op: op, in: []arg{xg(inside, 2, 3, 5)}, tol: 1e-3})
	}
	acosh := func(r *rng, n int) []float64 { return draw(n, func(int) float64 { return 1.2 + r.Float64() }) }
	hard := func(r *rng, n int) []float64 {
		return draw(n, func(i int) float64 { return float64(i%4)*2 - 4 + 1.6*r.Float64() + 0.2 })
	}
	register(
		opCase{op: "Reciprocal", in: []arg{xg(nonzero, 2, 3, 5)}},
		opCase{op: "Acosh", in: []arg{xg(acosh, 2, 7)}},
		opCase{op: "LeakyRelu", name: "alpha", attrs: is("alpha", 0.3), in: []arg{xg(kinkless, 3, 5)}},
		opCase{op: "LeakyRelu", opset: 6, in: []arg{xg(kinkless, 3, 5)}},
		opCase{op: "Elu", name: "alpha", attrs: is("alpha", 0.6), in: []arg{xg(kinkless, 3, 5)}},
		opCase{op: "Selu", name: "attributes", attrs: is("alpha", 1.5, "gamma", 0.7), in: []arg{xg(kinkless, 3, 5)}},
		opCase{op: "Celu", name: "alpha", attrs: is("alpha", 1.7), in: []arg{xg(kinkless, 3, 5)}},
		opCase{op: "HardSigmoid", in: []arg{xg(hard, 3, 8)}},
		opCase{op: "HardSigmoid", name: "attributes", attrs: is("alpha", 0.15, "beta", 0.55), in: []arg{xg(kinkless, 3, 5)}},
		opCase{op: "HardSwish", in: []arg{xg(kinkless, 3, 8)}},
		opCase{op: "HardSwish", name: "wide", in: []arg{xg(hard, 3, 8)}},
		opCase{op: "Gelu", name: "tanh", attrs: is("approximate", "tanh"), in: []arg{x(3, 5)}},
		opCase{op: "Swish", name: "alpha", attrs: is("alpha", 1.7), in: []arg{x(3, 5)}},
		opCase{op: "SwiGLU", in: []arg{x(3, 5), x(3, 5)}},
		opCase{op: "SwiGLU", name: "alpha", attrs: is("alpha", 1.7), in: []arg{x(2, 3, 5), x(2, 3, 5)}},
		opCase{op: "ThresholdedRelu", attrs: is("alpha", 0.05), in: []arg{xg(kinkless, 3, 5)}},

		opCase{op: "Clip", in: []arg{xg(kinkless, 3, 5), floatsOf0(-0.05), floatsOf0(0.9)}},
		opCase{op: "Clip", name: "max only", in: []arg{xg(kinkless, 3, 5), {}, floatsOf0(0.05)}},
		opCase{op: "Clip", name: "min only", in: []arg{xg(kinkless, 3, 5), floatsOf0(0.05)}},
		opCase{op: "Clip", name: "none", in: []arg{x(3, 5)}},
		opCase{op: "Clip", opset: 6, attrs: is("min", 0.0, "max", 6.0), in: []arg{xg(hard, 3, 5)}},
		opCase{op: "Clip", opset: 6, name: "none", in: []arg{x(3, 5)}},

		opCase{op: "Dropout", in: []arg{x(3, 5)}},
		opCase{op: "Dropout", opset: 7, attrs: is("ratio", 0.3), in: []arg{x(3, 5)}},
		opCase{op: "Dropout", opset: 10, in: []arg{x(3, 5)}},
		opCase{op: "Dropout", name: "ratio 0", in: []arg{x(3, 5), floatsOf0(0), given(tensor.Scalar(true))}, outs: 2},

		opCase{op: "PRelu", in: []arg{xg(kinkless, 2, 3, 4), w(3, 1)}},
		opCase{op: "PRelu", name: "one slope", in: []arg{xg(kinkless, 2, 3, 4), w(1)}},
		opCase{op: "PRelu", name: "full", in: []arg{xg(kinkless, 2, 3, 4), w(3, 4)}},

		opCase{op: "Floor", in: []arg{xg(kinkless, 3, 5)}},
		opCase{op: "Ceil", in: []arg{xg(kinkless, 3, 5)}},
		opCase{op: "Round", in: []arg{xg(kinkless, 3, 5)}},
		opCase{op: "Sign", in: []arg{xg(kinkless, 3, 5)}},
		opCase{op: "IsNaN", in: []arg{x(3, 5)}, values: true},
		opCase{op: "IsInf", in: []arg{x(3, 5)}, values: true},
		opCase{op: "Not", in: []arg{given(tensor.From([]bool{true, false, true}, 3))}, values: true},

		opCase{op: "Cast", name: "to double", attrs: is("to", int(tensor.Float64)), in: []arg{x(3, 5)}},
		opCase{op: "Cast", name: "to int", attrs: is("to", int(tensor.Int64)), in: []arg{xg(positive, 3, 5)}, values: true},
		opCase{op: "Cast", name: "to bool", attrs: is("to", int(tensor.Bool)), in: []arg{xg(positive, 3, 5)}, values: true},
		opCase{op: "Cast", name: "from int", attrs: is("to", int(tensor.Float32)), in: []arg{ids(3, -1, 7)}, values: true},
	)
	register(opCase{op: "Cast", opset: 1, attrs: is("to", "DOUBLE"), in: []arg{x(3, 5)}})
	for _, op := range []string{"Add", "Sub", "Mul", "Div", "Pow"} {
		a, b := generator(normal), generator(nonzero)
		if op == "Pow" {
			a = positive
		}
		register(
			opCase{op: op, opset: 6, in: []arg{xg(a, 2, 3), xg(b, 2, 3)}, whole: true},
			opCase{op: op, opset: 6, name: "suffix", attrs: is("broadcast", 1), in: []arg{xg(a, 2, 3, 4), wg(b, 3, 4)}},
			opCase{op: op, opset: 6, name: "axis", attrs: is("broadcast", 1, "axis", 1), in: []arg{xg(a, 2, 3, 4), wg(b, 3)}},
		)
	}
	register(opCase{op: "PRelu", opset: 6, in: []arg{xg(kinkless, 2, 3, 4), w(3)}})
	broadcasts := []struct {
		name string
		a, b []int
	}{
		{"same", []int{2, 3, 4}, []int{2, 3, 4}},
		{"row", []int{2, 3, 4}, []int{4}},
		{"channel", []int{2, 3, 4, 5}, []int{3, 1, 1}},
		{"scalar", []int{2, 3, 4}, []int{}},
		{"one", []int{2, 3}, []int{1, 1}},
		{"both", []int{2, 1, 4}, []int{3, 1}},
		{"left", []int{4}, []int{2, 3, 4}},
		{"inner", []int{2, 1, 4}, []int{2, 3, 1}},
	}
	for _, op := range []string{"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean"} {
		for _, s := range broadcasts {
			a, b := generator(normal), generator(normal)
			switch op {
			case "Div":
				b = nonzero
			case "Pow":
				a = positive
			case "Max", "Min":
				a, b = thirds(0), thirds(1)
			}
			left, right := xg(a, s.a...), wg(b, s.b...)
			if len(s.b) >= len(s.a) {
				right.batch = true
			}
			c := opCase{op: op, name: s.name, in: []arg{left, right}, whole: len(s.b) > len(s.a) || s.name == "both" || s.name == "one" ||
				s.name == "same"}
			register(c)
		}
	}
	register(
		opCase{op: "Pow", name: "square", in: []arg{x(3, 5), floatsOf0(2)}},
		opCase{op: "Pow", name: "cube of negative", in: []arg{x(3, 5), floatsOf0(3)}},
		opCase{op: "Pow", name: "root", in: []arg{xg(positive, 3, 5), floatsOf0(0.5)}},
		opCase{op: "Pow", name: "int exponent", in: []arg{x(3, 5), scalarID(2)}},
		opCase{op: "Max", name: "three", in: []arg{xg(thirds(0), 2, 4), xg(thirds(1), 2, 4), wg(thirds(2), 4)}, whole: true},
		opCase{op: "Min", name: "three", in: []arg{xg(thirds(0), 2, 4), xg(thirds(1), 2, 4), wg(thirds(2), 4)}, whole: true},
		opCase{op: "Max", name: "single", in: []arg{x(2, 4)}},
		opCase{op: "Min", name: "single", in: []arg{x(2, 4)}},
		opCase{op: "Sum", name: "three", in: []arg{x(2, 4), x(2, 4), w(4)}, whole: true},
		opCase{op: "Sum", name: "single", in: []arg{x(2, 4)}},
		opCase{op: "Mean", name: "three", in: []arg{x(2, 4), x(2, 1), w(4)}, whole: true},
		opCase{op: "CastLike", in: []arg{x(3, 5), floatsOf(1)}},
		opCase{op: "Selu", opset: 1, in: []arg{xg(kinkless, 3, 5)}},
		opCase{op: "Mod", name: "differentiable", attrs: is("fmod", 1), in: []arg{xg(positive, 6), wg(nonzero, 6)}, whole: true},
		opCase{op: "Mod", name: "fmod", attrs: is("fmod", 1), in: []arg{xg(positive, 6), floatsOf(0.07, 0.09, 0.11, 0.13, 0.17, 0.19)},
			values: true},
		opCase{op: "Where", in: []arg{given(tensor.From([]bool{true, false, true, false}, 4)), x(3, 4), w(4)}},
		opCase{op: "Where", name: "wide condition",
			in: []arg{given(tensor.From([]bool{true, false, true, false, false, true}, 2, 3, 1)), x(2, 1, 4), x(2, 3, 1)}},
		opCase{op: "Equal", in: []arg{ids(1, 2, 3), ids(1, 5, 3)}, values: true},
		opCase{op: "And", in: []arg{given(tensor.From([]bool{true, false, true}, 3)), given(tensor.From([]bool{true}, 1))}, values: true},
		opCase{op: "Or", in: []arg{given(tensor.From([]bool{true, false, true}, 3)), given(tensor.From([]bool{false}, 1))}, values: true},
		opCase{op: "Xor", in: []arg{given(tensor.From([]bool{true, false, true}, 3)), given(tensor.From([]bool{true}, 1))}, values: true},
	)
	for _, op := range []string{"Greater", "GreaterOrEqual", "Less", "LessOrEqual"} {
		register(opCase{op: op, in: []arg{x(3, 4), w(4)}, values: true})
	}
	bits, some := tensor.From([]bool{true, false, true, true, false, false}, 2, 3), tensor.From([]bool{false, true}, 2)
	for _, op := range []string{"And", "Or", "Xor"} { // before version 7 an attribute says which axes B has
		register(opCase{op: op, opset: 1, attrs: is("broadcast", 1, "axis", 0), in: []arg{given(bits), given(some)}, values: true})
	}
	for _, op := range []string{"Greater", "Less"} {
		register(opCase{op: op, opset: 1, attrs: is("broadcast", 1, "axis", 1), in: []arg{x(2, 3, 4), w(3)}, values: true})
	}
	register(opCase{op: "Equal", opset: 1, attrs: is("broadcast", 1), in: []arg{given(tensor.From([]int32{1, 2, 3, 1}, 2, 2)),
		given(tensor.From([]int32{1, 2}, 2))}, values: true})
}

// thirds has numbers that differ from those of the other two kinds by at least 0.1: no ties between inputs.
func thirds(k int) generator {
	return func(r *rng, n int) []float64 {
		return draw(n, func(int) float64 { return float64(r.IntN(9)-4) + 0.3*float64(k) + 0.1*r.Float64() })
	}
}
