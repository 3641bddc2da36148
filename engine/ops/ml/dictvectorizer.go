package ml

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// DictVectorizer makes a row [1,K] of a map: the value of each of the K keys of its vocabulary, 0 or empty where the map lacks it. Keys
// that are not in the vocabulary count nowhere, as in scikit-learn and ONNX Runtime, whose shape of Y it has too.
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxml_DictVectorizer.html
var DictVectorizer = new(graph.Spec)

type dictVectorizerAttrs struct {
	Ints    []int    `onnx:"int64_vocabulary"`
	Strings []string `onnx:"string_vocabulary"`
}

var dictValues = []tensor.DType{tensor.Float32, tensor.Float64, tensor.Int64, tensor.String}

func init() {
	define(DictVectorizer, graph.Def[dictVectorizerAttrs]{
		Name: "DictVectorizer", Since: []int{1},
		In: []graph.Formal{{Name: "X", NoGrad: true, Kinds: []tensor.Kind{tensor.Map}}}, Out: []graph.Formal{{Name: "Y"}},
		Types: func(a *dictVectorizerAttrs, in, out []tensor.DType) error {
			want := tensor.Int64
			if len(a.Strings) > 0 {
				want = tensor.String
			}
			if k, v := in[0].Key(), in[0].Inner(); k != want || !slices.Contains(dictValues, v) {
				return fmt.Errorf("input X is a %v, the vocabulary is of %v and the values may be %v", in[0], want, dictValues)
			}
			out[0] = in[0].Inner()
			return exactlyOne("int64_vocabulary", len(a.Ints), "string_vocabulary", len(a.Strings))
		},
		Infer: func(a *dictVectorizerAttrs, c *graph.InferCtx) error {
			c.Out(0, 1, max(len(a.Ints), len(a.Strings)))
			return nil
		},
		Run: func(a *dictVectorizerAttrs, c *graph.RunCtx) error {
			keys := c.In[0].Items()[0]
			at := make([]int, max(len(a.Ints), len(a.Strings))) // where the map has the key, or -1
			if keys.DType() == tensor.String {
				mapElements(a.Strings, at, tableOf(keys.Strings(), upTo(keys.Len())), -1)
			} else {
				mapElements(int64s(a.Ints), at, tableOf(keys.I64(), upTo(keys.Len())), -1)
			}
			switch x, y := c.In[0].Items()[1], c.Out[0]; x.DType() {
			case tensor.Float32:
				takeOr(x.F32(), y.F32(), at)
			case tensor.Float64:
				takeOr(tensor.Data[float64](x), tensor.Data[float64](y), at)
			case tensor.Int64:
				takeOr(x.I64(), y.I64(), at)
			default:
				takeOr(x.Strings(), y.Strings(), at)
			}
			return nil
		},
	})
}

// upTo is 0, 1 … n-1.
func upTo(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// takeOr is y[k] = x[at[k]], the zero value where at is -1.
func takeOr[T any](x, y []T, at []int) {
	clear(y)
	for k, i := range at {
		if i >= 0 {
			y[k] = x[i]
		}
	}
}
