package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Bernoulli is 1 with the probability that input has, else 0. See draws for what it follows from: element i is 1 where its uniform number
// is less than the probability. It has no gradient.
//
// Source: https://onnx.ai/onnx/operators/onnx__Bernoulli.html
var Bernoulli = new(graph.Spec)

type bernoulliAttrs struct {
	DType *int     `onnx:"dtype"`
	Seed  *float32 `onnx:"seed"`
}

func init() {
	define(Bernoulli, graph.Def[bernoulliAttrs]{
		Name: "Bernoulli", Since: []int{15, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__Bernoulli.html", Random: true,
		In: []graph.Formal{{Name: "input", NoGrad: true, Types: floats}}, Out: []graph.Formal{{Name: "output"}},
		Types: func(a *bernoulliAttrs, in, out []tensor.DType) error {
			if out[0] = typeOr(a.DType, in[0]); out[0] != tensor.Bool && !slices.Contains(writable, out[0]) {
				return fmt.Errorf("attribute dtype: %v is no type of numbers or truth values", out[0])
			}
			return nil
		},
		Infer: sameShape[bernoulliAttrs],
		Run: func(a *bernoulliAttrs, c *graph.RunCtx) error {
			p, err := c.In[0].Convert(tensor.Float64)
			if err != nil {
				return err
			}
			d, prob := newDraws(c, a.Seed), tensor.Data[float64](p)
			for i, p := range prob {
				if !(p >= 0 && p <= 1) {
					return fmt.Errorf("element %d of the input is %v, want a probability from 0 to 1", i, p)
				}
			}
			return d.fill(c, func(i int) float64 {
				if d.uniform(i) < prob[i] {
					return 1
				}
				return 0
			})
		},
	})
	followRules["Bernoulli"] = (*follower).refuse
}
