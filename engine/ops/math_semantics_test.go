package ops_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// computed is what one case gives in float32.
func computed(t *testing.T, c opCase) []*tensor.Tensor {
	t.Helper()
	p, err := c.build(tensor.Float32, false)
	if err != nil {
		t.Fatalf("%s: %v", c, err)
	}
	out, err := p.run(nil, p.feeds, p.node.Out)
	if err != nil {
		t.Fatalf("%s: %v", c, err)
	}
	return out
}

func strs(s ...string) arg { return given(tensor.FromStrings(s, len(s))) }

// What the operators without an oracle give, worked out by hand; the weights of n-grams are those of ONNX Runtime 1.30.
func TestMathByHand(t *testing.T) {
	for _, tc := range []struct {
		c    opCase
		want string
	}{
		{opCase{op: "StringSplit", attrs: is("delimiter", ","), in: []arg{strs("a,b,,c", "")}, outs: 2},
			`[[a b  c] [   ]] [4 1]`},
		{opCase{op: "StringSplit", name: "max", attrs: is("delimiter", ",", "maxsplit", 1), in: []arg{strs("a,b,,c")}, outs: 2},
			`[[a b,,c]] [2]`},
		{opCase{op: "StringSplit", name: "space max", attrs: is("maxsplit", 1), in: []arg{strs("  a b  c ")}, outs: 2}, `[[a b  c ]] [2]`},
		{opCase{op: "StringSplit", name: "blank", in: []arg{strs(" \t")}, outs: 2}, `[[]] [0]`},
		{opCase{op: "StringNormalizer", name: "no stop words", attrs: is("case_change_action", "LOWER"), in: []arg{strs("ÄB", "c")}},
			`[äb c]`},
		{opCase{op: "StringNormalizer", name: "fold", attrs: is("stopwords", []string{"É"}), in: []arg{strs("é", "X")}}, `[X]`},
		{opCase{op: "StringNormalizer", name: "turkish", attrs: is("case_change_action", "UPPER", "locale", "tr_TR"),
			in: []arg{strs("i")}}, `[İ]`},
		{opCase{op: "RegexFullMatch", attrs: is("pattern", "a|ab"), in: []arg{strs("ab", "abc", "a\n")}}, `[true false false]`},
		{opCase{op: "StringConcat", in: []arg{strs("a", "b"), given(tensor.FromStrings([]string{"x", "y"}, 2, 1))}},
			`[[ax bx] [ay by]]`},
		{opCase{op: "Unique", name: "NaN", in: []arg{floatsOf(2, nan(), 1, nan(), -1)}, outs: 4},
			`[-1 1 2 NaN] [4 2 0 1] [2 3 1 3 0] [1 1 1 2]`},
		{opCase{op: "Unique", name: "empty", in: []arg{given(tensor.New(tensor.Int64, 0))}, outs: 2}, `[] []`},
		{opCase{op: "Unique", name: "complex", in: []arg{given(tensor.From([]complex64{1i, 1, 1i, -1}, 4))}, outs: 2},
			`[(-1+0i) (0+1i) (1+0i)] [3 0 1]`},
		{opCase{op: "TfIdfVectorizer", attrs: is("max_gram_length", 2, "min_gram_length", 1, "max_skip_count", 0, "mode", "TFIDF",
			"ngram_counts", ints(0, 2), "ngram_indexes", ints(2, 0, 1), "pool_int64s", ints(5, 6, 5, 6), "weights", []float32{2, 3, 5}),
			in: []arg{ids(5, 6, 5, 1, 6, 6)}}, `[9 5 4]`},
		{opCase{op: "TfIdfVectorizer", name: "words", attrs: is("max_gram_length", 2, "min_gram_length", 2, "max_skip_count", 0,
			"mode", "IDF", "ngram_counts", ints(0, 0), "ngram_indexes", ints(0, 1), "pool_strings", []string{"ab", "c", "a", "bc"}),
			in: []arg{strs("a", "bc", "a", "bc")}}, `[0 1]`},
		{opCase{op: "BitCast", name: "float", attrs: is("to", 1), in: []arg{given(tensor.From([]int32{1065353216}, 1))}}, `[1]`},
		{opCase{op: "BitShift", name: "all", attrs: is("direction", "RIGHT"), in: []arg{given(tensor.From([]uint64{1 << 63, 8}, 2)),
			given(tensor.From([]uint64{64, 3}, 2))}}, `[0 1]`},
		{opCase{op: "OneHot", name: "words", in: []arg{ids(1), scalarID(2), strs("off", "on")}}, `[[off on]]`},
	} {
		var got []string
		for _, y := range computed(t, tc.c) {
			got = append(got, printed(y))
		}
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("%s: %s, want %s", tc.c, s, tc.want)
		}
	}
}

// What is refused, and what the error names.
func TestMathRefused(t *testing.T) {
	for _, tc := range []struct {
		c    opCase
		want string
	}{
		{opCase{op: "RegexFullMatch", attrs: is("pattern", "a)(b"), in: []arg{strs("x")}}, `"a)(b"`},
		{opCase{op: "StringNormalizer", in: []arg{given(tensor.FromStrings([]string{"a", "b"}, 2, 1))}}, "want [C] or [1,C]"},
		{opCase{op: "StringNormalizer", attrs: is("case_change_action", "TITLE"), in: []arg{strs("x")}}, "TITLE"},
		{opCase{op: "Einsum", attrs: is("equation", "ij,jk"), in: []arg{x(2, 3)}}, "2 terms for 1 inputs"},
		{opCase{op: "Einsum", attrs: is("equation", "ij->ijj"), in: []arg{x(2, 3)}}, "twice"},
		{opCase{op: "Einsum", attrs: is("equation", "ij->k"), in: []arg{x(2, 3)}}, "no operand has"},
		{opCase{op: "Einsum", attrs: is("equation", "i1"), in: []arg{x(2, 3)}}, "no letter"},
		{opCase{op: "Einsum", attrs: is("equation", "ij,jk"), in: []arg{x(2, 3), x(4, 5)}}, "shape [4,5]"},
		{opCase{op: "Einsum", attrs: is("equation", "ii"), in: []arg{x(2, 3)}}, "no diagonal"},
		{opCase{op: "Einsum", attrs: is("equation", "...i...->i"), in: []arg{x(2, 3)}}, "more than one ellipsis"},
		{opCase{op: "Einsum", attrs: is("equation", "ijk->i"), in: []arg{x(2, 3)}}, "the term has 3 axes"},
		{opCase{op: "DFT", in: []arg{x(2, 3)}}, "[...,2] for complex"},
		{opCase{op: "DFT", in: []arg{x(2, 3, 1), {}, scalarID(-1)}}, "real and imaginary"},
		{opCase{op: "DFT", in: []arg{x(2, 3, 1), scalarID(0)}}, "dft_length is 0"},
		{opCase{op: "DFT", attrs: is("onesided", 1), in: []arg{x(2, 3, 2)}}, "want [...,1]"},
		{opCase{op: "DFT", attrs: is("onesided", 1, "inverse", 1), in: []arg{x(2, 1, 2)}}, "too little"},
		{opCase{op: "STFT", in: []arg{x(1, 8, 1), scalarID(0), {}, scalarID(4)}}, "frame_step"},
		{opCase{op: "STFT", in: []arg{x(1, 3, 1), scalarID(1), {}, scalarID(4)}}, ""},
		{opCase{op: "Det", in: []arg{x(2, 3)}}, "square"},
		{opCase{op: "OneHot", in: []arg{ids(1), scalarID(-2), floatsOf(0, 1)}}, "depth"},
		{opCase{op: "OneHot", in: []arg{ids(1), scalarID(2), floatsOf(0, 1, 2)}}, "want [2]"},
		{opCase{op: "ReverseSequence", in: []arg{x(4, 2), ids(5, 1)}}, "sequence_lens[0] is 5"},
		{opCase{op: "ReverseSequence", attrs: is("time_axis", 2), in: []arg{x(4, 2), ids(1, 1)}}, "time_axis"},
		{opCase{op: "Compress", attrs: is("axis", 0), in: []arg{x(2, 2), given(tensor.From([]bool{true, false, true}, 3))}}, ""},
		{opCase{op: "Compress", attrs: is("axis", 0), in: []arg{x(2, 2), given(tensor.From([]bool{true, false}, 2, 1))}}, ""},
		{opCase{op: "BitCast", attrs: is("to", 7), in: []arg{given(tensor.From([]int32{1}, 1))}}, "bits"},
		{opCase{op: "BitShift", attrs: is("direction", "UP"), in: []arg{given(tensor.From([]uint8{1}, 1)),
			given(tensor.From([]uint8{1}, 1))}}, "UP"},
		{opCase{op: "HannWindow", attrs: is("output_datatype", 8), in: []arg{scalarID(3)}}, "output_datatype"},
		{opCase{op: "HannWindow", in: []arg{scalarID(-3)}}, "size"},
		{opCase{op: "Bernoulli", in: []arg{floatsOf(0.5, 1.5)}}, "probability"},
		{opCase{op: "Multinomial", in: []arg{given(tensor.New(tensor.Float32, 2, 0))}}, "at least one class"},
		{opCase{op: "RandomUniform", attrs: is("low", 2.0, "shape", ints(2))}, "low <= high"},
		{opCase{op: "TfIdfVectorizer", attrs: is("max_gram_length", 2, "min_gram_length", 1, "max_skip_count", 0, "mode", "TF",
			"ngram_counts", ints(0, 1), "ngram_indexes", ints(0, 1), "pool_int64s", ints(1, 2)), in: []arg{ids(1)}}, "ngram_counts"},
	} {
		p, err := tc.c.build(tensor.Float32, false)
		if err == nil {
			_, err = p.runOnce(nil, p.feeds, p.node.Out)
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s %v: error %v, want one with %q", tc.c, tc.c.attrs, err, tc.want)
		}
	}
}

func nan() float32 {
	var z float32
	return z / z
}

// printed writes the elements of t, nested as its axes.
func printed(t *tensor.Tensor) string {
	var b strings.Builder
	var write func(idx []int)
	write = func(idx []int) {
		if len(idx) == t.Rank() {
			fmt.Fprint(&b, t.At(idx...))
			return
		}
		b.WriteByte('[')
		for i := range t.Dim(len(idx)) {
			if i > 0 {
				b.WriteByte(' ')
			}
			write(append(idx[:len(idx):len(idx)], i))
		}
		b.WriteByte(']')
	}
	write(nil)
	return b.String()
}
