package ops

import (
	le "encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// TfIdfVectorizer counts n-grams of a pool in the words of X, [C] or [N,C], numbers or texts: Y[ngram_indexes[i]] is how often n-gram i of
// the pool occurs (TF), whether it does, times its weight (IDF), or how often, times its weight (TFIDF). Words of an n-gram may have up to
// max_skip_count words between them, equally many everywhere. weights[i] is the weight of n-gram i, by default 1.
//
// Source: https://onnx.ai/onnx/operators/onnx__TfIdfVectorizer.html
var TfIdfVectorizer = new(graph.Spec)

type tfIdfVectorizerAttrs struct {
	MaxGram int       `onnx:"max_gram_length,required"`
	MaxSkip int       `onnx:"max_skip_count,required"`
	MinGram int       `onnx:"min_gram_length,required"`
	Mode    string    `onnx:"mode,required"`
	Counts  []int     `onnx:"ngram_counts,required"`
	Indexes []int     `onnx:"ngram_indexes,required"`
	Ints    []int     `onnx:"pool_int64s"`
	Strings []string  `onnx:"pool_strings"`
	Weights []float32 `onnx:"weights"`
}

func init() {
	define(TfIdfVectorizer, graph.Def[tfIdfVectorizerAttrs]{
		Name: "TfIdfVectorizer", Since: []int{9}, Doc: "https://onnx.ai/onnx/operators/onnx__TfIdfVectorizer.html",
		In:    []graph.Formal{{Name: "X", NoGrad: true, Types: []tensor.DType{tensor.String, tensor.Int32, tensor.Int64}}},
		Out:   []graph.Formal{{Name: "Y"}},
		Types: outType[tfIdfVectorizerAttrs](tensor.Float32),
		Check: func(a *tfIdfVectorizerAttrs, _ *graph.Node) error {
			_, err := a.pool()
			return err
		},
		Infer: func(a *tfIdfVectorizerAttrs, c *graph.InferCtx) error {
			s := c.Shape(0)
			if len(s) != 1 && len(s) != 2 {
				return fmt.Errorf("input X has shape %v, want [C] or [N,C]", s)
			}
			c.Out(0, append(slices.Clone(s[:len(s)-1]), a.width())...)
			return nil
		},
		Run: func(a *tfIdfVectorizerAttrs, c *graph.RunCtx) error {
			x := c.In[0]
			if x.DType() == tensor.String != (a.Strings != nil) {
				return fmt.Errorf("input X has type %v, which is not that of the pool", x.DType())
			}
			pool, ok := (*c.Cache).(map[string]int)
			if !ok {
				var err error
				if pool, err = a.pool(); err != nil {
					return err
				}
				*c.Cache = pool
			}
			words := make([]string, x.Len())
			if x.DType() == tensor.String {
				for i, s := range x.Strings() {
					words[i] = wordOf(s)
				}
			} else {
				ids, err := x.Ints()
				if err != nil {
					return err
				}
				for i, k := range ids {
					words[i] = numberOf(k)
				}
			}
			y, width := c.Out[0].F32(), a.width()
			clear(y)
			cols := x.Dim(len(x.Shape()) - 1)
			for r := 0; cols > 0 && r < len(words)/cols; r++ {
				if err := a.count(c, pool, words[r*cols:(r+1)*cols], y[r*width:(r+1)*width]); err != nil {
					return err
				}
			}
			return nil
		},
	})
	followRules["TfIdfVectorizer"] = (*follower).refuse
}

func (a *tfIdfVectorizerAttrs) width() int {
	if len(a.Indexes) == 0 {
		return 0
	}
	return slices.Max(a.Indexes) + 1
}

// count sets y to the row of Y for one row of X.
func (a *tfIdfVectorizerAttrs) count(c *graph.RunCtx, pool map[string]int, words []string, y []float32) error {
	var key []byte
	for n := a.MinGram; n <= min(a.MaxGram, len(words)); n++ {
		for step := 1; step <= a.MaxSkip+1 && (n-1)*step < len(words); step++ {
			if c.Context != nil && c.Context.Err() != nil {
				return c.Context.Err()
			}
			for first := 0; first+(n-1)*step < len(words); first++ {
				key = key[:0]
				for k := range n {
					key = append(key, words[first+k*step]...)
				}
				i, ok := pool[string(key)]
				if !ok {
					continue
				}
				w := float32(1)
				if a.Mode != "TF" && a.Weights != nil {
					w = a.Weights[i]
				}
				if a.Mode == "IDF" {
					y[a.Indexes[i]] = w
				} else {
					y[a.Indexes[i]] += w
				}
			}
			if n == 1 {
				break // single words have nothing between them
			}
		}
	}
	return nil
}

// pool has the number of each n-gram by its words.
func (a *tfIdfVectorizerAttrs) pool() (map[string]int, error) {
	var words []string
	for _, s := range a.Strings {
		words = append(words, wordOf(s))
	}
	for _, k := range a.Ints {
		words = append(words, numberOf(k))
	}
	switch {
	case (a.Strings == nil) == (a.Ints == nil):
		return nil, fmt.Errorf("want one of the attributes pool_strings and pool_int64s")
	case !slices.Contains([]string{"TF", "IDF", "TFIDF"}, a.Mode):
		return nil, fmt.Errorf("attribute mode is %q, want TF, IDF or TFIDF", a.Mode)
	case a.MinGram < 1 || a.MaxGram < a.MinGram || a.MaxGram > len(a.Counts):
		return nil, fmt.Errorf("n-grams of %d to %d words, with ngram_counts for %d lengths", a.MinGram, a.MaxGram, len(a.Counts))
	case a.MaxSkip < 0 || a.MaxSkip == math.MaxInt:
		return nil, fmt.Errorf("attribute max_skip_count is %d", a.MaxSkip)
	case a.Weights != nil && len(a.Weights) != len(a.Indexes):
		return nil, fmt.Errorf("%d weights for %d n-grams", len(a.Weights), len(a.Indexes))
	}
	for i, k := range a.Indexes {
		if k < 0 || k > math.MaxInt32 {
			return nil, fmt.Errorf("ngram_indexes[%d] is %d", i, k)
		}
	}
	pool, number := map[string]int{}, 0
	for i, lo := range a.Counts {
		n, hi := i+1, len(words)
		if n < len(a.Counts) {
			hi = a.Counts[n]
		}
		if lo < 0 || hi < lo || hi > len(words) || (hi-lo)%n != 0 || i == 0 && lo != 0 {
			return nil, fmt.Errorf("ngram_counts %v do not divide a pool of %d words into n-grams", a.Counts, len(words))
		}
		for ; lo < hi; lo += n {
			key := ""
			for _, w := range words[lo : lo+n] {
				key += w
			}
			if number >= len(a.Indexes) {
				return nil, fmt.Errorf("the pool has more n-grams than ngram_indexes, %d", len(a.Indexes))
			}
			if n >= a.MinGram && n <= a.MaxGram {
				pool[key] = number
			}
			number++
		}
	}
	return pool, nil
}

// wordOf and numberOf write a word so that a row of words can be read in one way only.
func wordOf(s string) string {
	return string(le.AppendUvarint(nil, uint64(len(s)))) + s
}
func numberOf(k int) string { return string(le.LittleEndian.AppendUint64(nil, uint64(k))) }
