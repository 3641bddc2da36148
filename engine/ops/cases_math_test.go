package ops_test

import (
	"github.com/gtk-onnx/gtk/tensor"
)

// zeros is normal with zeros at some places.
func zeros(at ...int) generator {
	return func(r *rng, n int) []float64 {
		x := normal(r, n)
		for _, i := range at {
			x[i] = 0
		}
		return x
	}
}

// i32s are integers of both signs.
func i32s(shape ...int) arg {
	v := make([]int32, tensor.Shape(shape).Len())
	for i := range v {
		v[i] = int32(i*7%11) - 4
	}
	return given(tensor.From(v, shape...))
}

func init() {
	for _, op := range []string{"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"} { // random_test.go has them
		uncased[op] = []int{1, 22}
	}
	uncased["Bernoulli"], uncased["Multinomial"] = []int{15, 22}, []int{7, 22}

	undivided = append(undivided, "BitCast", "HannWindow", "HammingWindow", "BlackmanWindow", "MelWeightMatrix", "OneHot", "RegexFullMatch",
		"StringConcat", "StringNormalizer", "StringSplit", "TfIdfVectorizer")

	u8 := func(v ...uint8) arg { return given(tensor.From(v, len(v))) }
	i32 := func(v ...int32) arg { return given(tensor.From(v, len(v))) }
	words := func(s ...string) arg { return given(tensor.FromStrings(s, len(s))) }
	mask := func(b ...bool) arg { return given(tensor.From(b, len(b))) }
	one := func(v int32) arg { return given(tensor.Scalar(v)) }
	register(
		opCase{op: "MaxPool", name: "column major", attrs: is("kernel_shape", ints(2, 2), "storage_order", 1),
			in: []arg{xg(distinct, 2, 2, 3, 5)}, outs: 2},
		opCase{op: "MatMul", name: "int", in: []arg{i32s(2, 3), i32s(3, 2)}, values: true},
		opCase{op: "MatMul", name: "int batch", in: []arg{i32s(2, 1, 2, 3), i32s(3, 3, 2)}, values: true},
		opCase{op: "Gemm", name: "int", attrs: is("transA", 1, "alpha", 2.0), in: []arg{i32s(3, 2), i32s(3, 4), i32s(4)}, values: true},
		opCase{op: "Gemm", name: "int transB", attrs: is("transB", 1, "beta", 3.0), in: []arg{i32s(2, 3), i32s(4, 3), i32s(2, 1)}, values: true},
		opCase{op: "Erf", name: "int", in: []arg{ids(-9, -1, 0, 2, 9)}, values: true},
		opCase{op: "ScaledTanh", attrs: is("alpha", 1.5, "beta", 0.5), in: []arg{x(2, 3)}},
		opCase{op: "ParametricSoftplus", attrs: is("alpha", 1.5, "beta", 0.5), in: []arg{x(2, 3)}},
		opCase{op: "Scale", attrs: is("scale", 2.5), in: []arg{x(2, 3)}},
		opCase{op: "BitShift", attrs: is("direction", "LEFT"), in: []arg{u8(1, 255, 3), u8(1, 4, 8)}, values: true},
		opCase{op: "BitShift", name: "right", attrs: is("direction", "RIGHT"), in: []arg{u8(1, 255, 3), u8(1)}, values: true},
		opCase{op: "BitwiseAnd", in: []arg{i32(12, -1, 5), i32(10, 7, -4)}, values: true},
		opCase{op: "BitwiseOr", in: []arg{i32(12, -1, 5), i32(10, 7, -4)}, values: true},
		opCase{op: "BitwiseXor", in: []arg{i32(12, -1, 5), i32(10)}, values: true},
		opCase{op: "BitwiseNot", in: []arg{u8(0, 1, 255)}, values: true},
		opCase{op: "BitCast", attrs: is("to", 6), in: []arg{given(tensor.From([]uint32{1, 1 << 31}, 2))}, values: true},
		opCase{op: "BitCast", name: "bool", attrs: is("to", 9), in: []arg{u8(0, 1, 7)}, values: true},

		opCase{op: "Compress", in: []arg{x(3, 4), mask(false, true, true, false, true)}},
		opCase{op: "Compress", name: "axis", attrs: is("axis", 1), in: []arg{x(3, 4, 2), mask(true, false, true)}},
		opCase{op: "Compress", name: "none", attrs: is("axis", -1), in: []arg{x(3, 4), mask(false, false)}},
		opCase{op: "OneHot", in: []arg{ids(0, 7, -1, 12, -13), one(4), floatsOf(-1, 2)}, values: true},
		opCase{op: "OneHot", name: "axis", attrs: is("axis", 0), in: []arg{given(tensor.From([]int64{0, 1, 2, -3}, 2, 2)), one(3),
			floatsOf(0.5, 2)}, values: true},
		opCase{op: "OneHot", name: "empty", in: []arg{ids(0, 1), one(0), floatsOf(0, 1)}, values: true},
		opCase{op: "ReverseSequence", in: []arg{x(4, 3, 2), ids(4, 0, 2)}},
		opCase{op: "ReverseSequence", name: "batch first", attrs: is("batch_axis", 0, "time_axis", 1), in: []arg{x(2, 5), ids(1, 5)}},
		opCase{op: "Unique", in: []arg{floatsOf(2, 1, 1, 3, 4, 3)}, outs: 4, values: true},
		opCase{op: "Unique", name: "as they come", attrs: is("sorted", 0), in: []arg{ids(7, 3, 7, 9, 3)}, outs: 4, values: true},
		opCase{op: "Unique", name: "axis", attrs: is("axis", 1),
			in: []arg{given(tensor.From([]int32{1, 0, 1, 2, 2, 0, 2, 1}, 2, 4))}, outs: 4, values: true},
		opCase{op: "Unique", name: "words", in: []arg{words("b", "a", "b")}, outs: 4, values: true},

		opCase{op: "CumProd", in: []arg{x(2, 4, 3), one(1)}},
		opCase{op: "CumProd", name: "exclusive", attrs: is("exclusive", 1), in: []arg{x(4), one(0)}},
		opCase{op: "CumProd", name: "reverse", attrs: is("reverse", 1), in: []arg{x(3, 4), one(-1)}},
		opCase{op: "CumProd", name: "both", attrs: is("reverse", 1, "exclusive", 1), in: []arg{x(4, 2), one(0)}},
		opCase{op: "CumProd", name: "zeros", in: []arg{xg(zeros(2, 5), 7), one(0)}},
		opCase{op: "CumProd", name: "one", in: []arg{x(2, 1, 3), one(1)}},
		opCase{op: "CumProd", name: "int", in: []arg{ids(3, -2, 5), one(0)}, values: true},
		opCase{op: "Det", in: []arg{x(4, 4)}},
		opCase{op: "Det", opset: 11, name: "batch", in: []arg{x(2, 3, 3, 3)}},
		opCase{op: "Det", name: "one", in: []arg{x(2, 1, 1)}},
		opCase{op: "Det", name: "singular", in: []arg{xg(zeros(0, 1, 2), 2, 3, 3)}},
		opCase{op: "Det", name: "rank one", in: []arg{xg(zeros(0, 1, 2, 3, 4, 5), 1, 3, 3)}},

		opCase{op: "CofactorAlong", domain: "gtk", in: []arg{x(2, 3, 3), x(2, 3, 3)}},
		opCase{op: "Einsum", name: "product", attrs: is("equation", "bij, bjk -> bik"), in: []arg{x(2, 3, 4), x(2, 4, 5)}},
		opCase{op: "Einsum", name: "weights", attrs: is("equation", "bij,jk->bik"), in: []arg{x(2, 3, 4), w(4, 5)}},
		opCase{op: "Einsum", name: "heads", attrs: is("equation", "bqhd,bkhd->bhqk"), in: []arg{x(2, 3, 2, 4), x(2, 5, 2, 4)}},
		opCase{op: "Einsum", name: "implicit", attrs: is("equation", "ba,bc"), in: []arg{x(3, 2), x(3, 4)}},
		opCase{op: "Einsum", name: "transpose", attrs: is("equation", "ij->ji"), in: []arg{x(2, 3)}},
		opCase{op: "Einsum", name: "sum", attrs: is("equation", "ij->i"), in: []arg{x(2, 3)}},
		opCase{op: "Einsum", name: "trace", attrs: is("equation", "ii"), in: []arg{x(3, 3)}},
		opCase{op: "Einsum", name: "diagonal", attrs: is("equation", "...ii->...i"), in: []arg{x(2, 3, 3)}},
		opCase{op: "Einsum", name: "three times", attrs: is("equation", "iii,ij->j"), in: []arg{x(3, 3, 3), w(3, 2)}},
		opCase{op: "Einsum", name: "ellipsis", attrs: is("equation", "...ij,jk->...ik"), in: []arg{x(2, 3, 2, 4), w(4, 3)}},
		opCase{op: "Einsum", name: "ellipses", attrs: is("equation", "a...,...a->..."), in: []arg{x(2, 3, 4), x(4, 2)}},
		opCase{op: "Einsum", name: "ellipsis implicit", attrs: is("equation", "...j,j..."), in: []arg{x(3, 2), x(2, 3)}},
		opCase{op: "Einsum", name: "many", attrs: is("equation", "ij,jk,kl,l->i"), in: []arg{x(2, 3), w(3, 4), w(4, 2), w(2)}},
		opCase{op: "Einsum", name: "outer", attrs: is("equation", "i,j,k->kij"), in: []arg{x(2), x(3), x(2)}},
		opCase{op: "Einsum", name: "alone", attrs: is("equation", "ij,kl->"), in: []arg{x(2, 3), x(2, 2)}},
		opCase{op: "Einsum", name: "one for all", attrs: is("equation", "ij,ij->ij"), in: []arg{x(2, 3), x(1, 3)}},
		opCase{op: "Einsum", name: "one for a sum", attrs: is("equation", "ij,ij->i"), in: []arg{x(2, 1), x(1, 3)}},
		opCase{op: "Einsum", name: "scalar", attrs: is("equation", "->"), in: []arg{x()}},
		opCase{op: "Einsum", name: "elementwise", attrs: is("equation", "ij,ij->ij"), in: []arg{x(2, 3), x(2, 3)}},
		opCase{op: "Einsum", name: "int", attrs: is("equation", "i,i"), in: []arg{ids(1, 2, 3), ids(4, -5, 6)}, values: true},
		opCase{op: "DFT", in: []arg{x(2, 5, 3, 1), {}, one(1)}},
		opCase{op: "DFT", name: "complex", in: []arg{x(2, 6, 2)}},
		opCase{op: "DFT", name: "inverse", attrs: is("inverse", 1), in: []arg{x(2, 6, 2), one(8)}},
		opCase{op: "DFT", name: "inverse of real", attrs: is("inverse", 1), in: []arg{x(2, 3, 1)}},
		opCase{op: "DFT", name: "onesided", attrs: is("onesided", 1), in: []arg{x(7, 2, 1), {}, one(0)}},
		opCase{op: "DFT", name: "longer", attrs: is("onesided", 1), in: []arg{x(2, 5, 1), one(8)}},
		opCase{op: "DFT", name: "shorter", in: []arg{x(2, 9, 1), one(4), one(-2)}},
		opCase{op: "DFT", name: "onesided inverse", attrs: is("onesided", 1, "inverse", 1), in: []arg{x(2, 5, 3, 2), {}, one(1)}},
		opCase{op: "DFT", name: "odd inverse", attrs: is("onesided", 1, "inverse", 1), in: []arg{x(2, 5, 2), one(7)}},
		opCase{op: "DFT", name: "short inverse", attrs: is("onesided", 1, "inverse", 1), in: []arg{x(1, 6, 2), one(6)}},
		opCase{op: "DFT", name: "large prime", in: []arg{x(1, 37, 1)}},
		opCase{op: "DFT", name: "one", in: []arg{x(3, 1, 2)}},
		opCase{op: "DFT", opset: 17, in: []arg{x(2, 6, 1)}},
		opCase{op: "DFT", opset: 17, name: "axis", attrs: is("axis", 2, "onesided", 1), in: []arg{x(2, 3, 6, 1), one(5)}},
		opCase{op: "STFT", in: []arg{x(2, 20, 1), one(3), w(8)}},
		opCase{op: "STFT", name: "fixed window", in: []arg{x(1, 9, 1), one(2), floatsOf(0, 1, 2, 1)}},
		opCase{op: "STFT", name: "complex", attrs: is("onesided", 0), in: []arg{x(1, 12, 2), one(4), {}, one(5)}},

		opCase{op: "HannWindow", in: []arg{one(7)}, values: true},
		opCase{op: "HannWindow", name: "symmetric", attrs: is("periodic", 0), in: []arg{one(6)}, values: true},
		opCase{op: "HammingWindow", in: []arg{one(7)}, values: true},
		opCase{op: "BlackmanWindow", name: "one", attrs: is("periodic", 0), in: []arg{one(1)}, values: true},
		opCase{op: "MelWeightMatrix", in: []arg{one(8), one(16), one(8192), floatsOf0(0), floatsOf0(4096)}, values: true},

		opCase{op: "StringConcat", in: []arg{words("a", "", "cc"), words("x")}, values: true},
		opCase{op: "StringSplit", attrs: is("delimiter", ",", "maxsplit", 2), in: []arg{words("a,b,c,d", "", "x,,")}, outs: 2, values: true},
		opCase{op: "StringSplit", name: "space", in: []arg{words(" a  b ", " ", "x")}, outs: 2, values: true},
		opCase{op: "StringNormalizer", attrs: is("case_change_action", "UPPER", "stopwords", []string{"The"}),
			in: []arg{words("the", "Quick", "THE", "straße")}, values: true},
		opCase{op: "RegexFullMatch", attrs: is("pattern", "a+|b"), in: []arg{words("aa", "ab", "b", "")}, values: true},
		opCase{op: "TfIdfVectorizer", attrs: is("max_gram_length", 2, "min_gram_length", 1, "max_skip_count", 1, "mode", "TFIDF",
			"ngram_counts", ints(0, 2), "ngram_indexes", ints(2, 0, 1), "pool_int64s", ints(5, 6, 5, 6), "weights", []float32{2, 3, 5}),
			in: []arg{given(tensor.From([]int64{5, 6, 5, 1, 6, 6}, 2, 3))}, values: true},
	)
}

// largeMathCases are those of largeCases for these operators.
func largeMathCases() []opCase {
	n := make([]uint32, 180000)
	for i := range n {
		n[i] = uint32(i) * 2654435761
	}
	bits := given(tensor.From(n, len(n)))
	cs := []opCase{{op: "BitShift", attrs: is("direction", "RIGHT"), in: []arg{bits, bits}, values: true},
		{op: "BitwiseNot", in: []arg{bits}, values: true}, {op: "Unique", in: []arg{bits}, outs: 4, values: true}}
	for _, op := range []string{"BitwiseAnd", "BitwiseOr", "BitwiseXor"} {
		cs = append(cs, opCase{op: op, in: []arg{bits, bits}, values: true})
	}
	return cs
}
