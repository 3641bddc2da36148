package engine

import (
	"math"
	"strings"
	"unicode"
)

// sign is what the name of a number says about its being learned.
type sign uint8

const (
	unknown  sign = iota
	artefact      // exporters give such names to numbers of the program
	hinted        // a word for parameters, which programs use too
	named         // an attribute of a module, or a word for what is learned only
)

// learnedWords are names that only learned numbers have; parameterWords are names of parameters that numbers of a program may have too;
// fixedWords are those of numbers that are not learned.
var (
	learnedWords = []string{"temperature", "logit_scale", "logit_bias", "resweight", "rezero", "layer_scale", "layerscale",
		"readvariableop"}
	parameterWords = []string{"weight", "bias", "kernel", "alpha", "beta", "gamma", "scale", "shift", "gain", "slope", "tau", "lambda",
		"lambd", "theta"}
	fixedWords = []string{"const", "eps", "epsilon", "buffer", "mean", "std", "var", "variance", "mask", "inv_freq", "anchor",
		"stride", "grid", "momentum",
		"running", "moving", "threshold", "min", "max", "zero_point", "factor", "half", "pi", "tensor_scalar", "lifted_tensor",
		"scalar_tensor", "helper"}
)

// signOf reads name. ops has the names of operators in lower case: exporters call what they fold after the operator.
//
// PyTorch names parameters by the path of their module (layers.0.alpha), Keras and TensorFlow by that of their layer (block/alpha, with
// ReadVariableOp behind it), PaddlePaddle with a suffix (linear_0.b_0); all call numbers of the program val_12, onnx::Mul_7,
// /block/Constant_output_0, const_fold_opt__3, mul/y:0 and the like.
func signOf(name string, ops map[string]bool) sign {
	low := strings.ToLower(strings.TrimSuffix(name, ":0"))
	parts := strings.FieldsFunc(low, func(r rune) bool { return r == '.' || r == '/' })
	if len(parts) == 0 {
		return unknown
	}
	last := parts[len(parts)-1]
	if contains(low, learnedWords) {
		return named
	}
	if exporterMade(name, ops) || contains(last, fixedWords) {
		return artefact
	}
	word := strings.TrimFunc(last, func(r rune) bool { return unicode.IsDigit(r) || r == '_' })
	path := len(parts) > 1
	switch {
	case path && !strings.Contains(low, "/") && word != "": // an attribute of a module
		return named
	case contains(last, parameterWords) && path:
		return named
	case contains(last, parameterWords):
		return hinted
	}
	return unknown
}

// exporterMade reports whether name is one that exporters make up: a number, the name of an operator with or without one, or a constant.
func exporterMade(name string, ops map[string]bool) bool {
	low := strings.ToLower(strings.TrimSuffix(name, ":0"))
	if strings.Contains(low, "::") || strings.Contains(low, "constant") || strings.Contains(low, "const_fold") || strings.Contains(low,
		"lifted_tensor") {
		return true
	}
	last := low[strings.LastIndexAny(low, "./")+1:]
	if ops[strings.ReplaceAll(strings.TrimRight(last, "0123456789_"), "_", "")] {
		return true
	}
	stem := strings.TrimRight(last, "0123456789")
	switch strings.Trim(stem, "_") {
	case "", "val", "v", "t", "const", "scalar", "tensor", "literal", "new_shape", "unsqueeze", "embedding", "x", "y":
		return stem != last || last == "x" || last == "y" || last == "const" || last == ""
	}
	return false
}

func contains(s string, words []string) bool {
	for _, w := range words {
		for rest := s; ; {
			i := strings.Index(rest, w)
			if i < 0 {
				break
			}
			end := i + len(w)
			before, after := i == 0 || !unicode.IsLetter(rune(rest[i-1])), end == len(rest) || !unicode.IsLetter(rune(rest[end]))
			if before && after {
				return true
			}
			rest = rest[end:]
		}
	}
	return false
}

// quantisation reports whether name is that of the scale of a quantised tensor: another tensor has the name without its suffix, or the
// same with another suffix, as quantisation tools give them.
func (j *judge) quantisation(name string) bool {
	stem, ok := strings.CutSuffix(name, "_scale")
	return ok && (j.names[stem+"_quantized"] || j.names[stem+"_zero_point"])
}

// powerOfTen reports whether v is 0.1, 0.01 and so on, with which learned scales begin.
func powerOfTen(v float64) bool {
	k := math.Log10(math.Abs(v))
	return v > 0 && v < 1 && math.Abs(k-math.Round(k)) < 1e-5
}

// written reports whether v, known to the relative precision tol, is a number that programs have: a small fraction, a root, a decimal of
// few digits, or one of some formula.
func written(v, tol float64) bool {
	a := math.Abs(v)
	if a == 0 || math.IsInf(a, 0) || math.IsNaN(a) {
		return true
	}
	same := func(x, y float64) bool { return math.Abs(x-y) <= tol*math.Abs(y) }
	whole := func(x float64) bool { return x < 1<<20 && x > .5 && same(x, math.Round(x)) }
	for _, f := range []float64{0.044715, math.Sqrt(2 / math.Pi), 2 * math.Sqrt(2/math.Pi), 1.702, math.Pi, math.E, math.Ln2, math.Ln10,
		1 / math.Ln2, 1 / math.Ln10, math.Sqrt2, math.Sqrt(math.Pi)} {
		if same(a, f) || same(a, 1/f) {
			return true
		}
	}
	// n, 1/n, √n, 1/√n, n^¼, n^-¼ and few digits.
	for _, x := range []float64{a, 1 / a, a * a, 1 / (a * a), a * a * a * a, 1 / (a * a * a * a)} {
		if x < 4097 && whole(x) {
			return true
		}
	}
	e := math.Pow(10, 3-math.Floor(math.Log10(a)))
	return same(a*e, math.Round(a*e)) || a >= 4097 && whole(a)
}
