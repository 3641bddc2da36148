package ml

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// CategoryMapper turns the strings cats_strings into the integers cats_int64s, or the reverse, by the type of X; what is in neither
// becomes default_int64 or default_string. Y has X's shape.
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxml_CategoryMapper.html
var CategoryMapper = new(graph.Spec)

type categoryMapperAttrs struct {
	Ints          []int    `onnx:"cats_int64s"`
	Strings       []string `onnx:"cats_strings"`
	DefaultInt    int      `onnx:"default_int64,default=-1"`
	DefaultString string   `onnx:"default_string,default=_Unused"`
}

func init() {
	define(CategoryMapper, graph.Def[categoryMapperAttrs]{
		Name: "CategoryMapper", Since: []int{1},
		In:  []graph.Formal{{Name: "X", NoGrad: true, Types: []tensor.DType{tensor.String, tensor.Int64}}},
		Out: []graph.Formal{{Name: "Y"}},
		Types: func(_ *categoryMapperAttrs, in, out []tensor.DType) error {
			out[0] = tensor.Int64
			if in[0] == tensor.Int64 {
				out[0] = tensor.String
			}
			return nil
		},
		Check: func(a *categoryMapperAttrs, _ *graph.Node) error {
			if len(a.Ints) != len(a.Strings) {
				return fmt.Errorf("attributes cats_int64s and cats_strings have %d and %d elements", len(a.Ints), len(a.Strings))
			}
			return nil
		},
		Infer: sameShape[categoryMapperAttrs],
		Run: func(a *categoryMapperAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.String {
				mapElements(c.In[0].Strings(), c.Out[0].I64(), tableOf(a.Strings, int64s(a.Ints)), int64(a.DefaultInt))
			} else {
				mapElements(c.In[0].I64(), c.Out[0].Strings(), tableOf(int64s(a.Ints), a.Strings), a.DefaultString)
			}
			return nil
		},
	})
}

// tableOf maps keys to the values beside them; of equal keys the first counts.
func tableOf[K comparable, V any](keys []K, values []V) map[K]V {
	m := make(map[K]V, len(keys))
	for i, k := range keys {
		if _, twice := m[k]; !twice {
			m[k] = values[i]
		}
	}
	return m
}

func mapElements[K comparable, V any](x []K, y []V, m map[K]V, otherwise V) {
	for i, k := range x {
		v, there := m[k]
		if !there {
			v = otherwise
		}
		y[i] = v
	}
}

func int64s(x []int) []int64 {
	y := make([]int64, len(x))
	for i, v := range x {
		y[i] = int64(v)
	}
	return y
}
