package ops

import (
	"fmt"
	"math"
	"sort"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Multinomial draws, for each row of input [N,C], sample_size numbers of classes, each with the probability exp(input)/Σ exp(input). See
// draws for what they follow from: a sample is the first class up to which the probabilities add up to more than its uniform number.
//
// Source: https://onnx.ai/onnx/operators/onnx__Multinomial.html
var Multinomial = new(graph.Spec)

type multinomialAttrs struct {
	DType  tensor.DType `onnx:"dtype,default=6"`
	Sample int          `onnx:"sample_size,default=1"`
	Seed   *float32     `onnx:"seed"`
}

func init() {
	define(Multinomial, graph.Def[multinomialAttrs]{
		Name: "Multinomial", Since: []int{7, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__Multinomial.html", Random: true,
		In: []graph.Formal{{Name: "input", NoGrad: true, Types: floats}}, Out: []graph.Formal{{Name: "output"}},
		Types: func(a *multinomialAttrs, _, out []tensor.DType) error {
			if out[0] = a.DType; a.DType != tensor.Int32 && a.DType != tensor.Int64 {
				return fmt.Errorf("attribute dtype: %v, want int32 or int64", a.DType)
			}
			return nil
		},
		Infer: func(a *multinomialAttrs, c *graph.InferCtx) error {
			s := c.Shape(0)
			if len(s) != 2 || a.Sample < 1 || s[1] < 1 && s[0] > 0 {
				return fmt.Errorf("%d samples from an input of shape %v, want at least one from [N,C] with at least one class", a.Sample, s)
			}
			c.Out(0, s[0], a.Sample)
			return nil
		},
		Run: func(a *multinomialAttrs, c *graph.RunCtx) error {
			d, p, classes := newDraws(c, a.Seed), c.In[0].Float64s(), c.In[0].Dim(1)
			for r := range c.In[0].Dim(0) {
				row := p[r*classes : (r+1)*classes]
				top, sum := math.Inf(-1), 0.0
				for _, v := range row {
					top = max(top, v)
				}
				if math.IsInf(top, 0) || top != top {
					return fmt.Errorf("the log-probabilities of row %d are %v at most", r, top)
				}
				for k, v := range row { // sums up to each class
					sum += math.Exp(v - top)
					row[k] = sum
				}
				for s := range a.Sample {
					u := d.uniform(r*a.Sample+s) * sum
					k := min(sort.Search(classes, func(k int) bool { return row[k] > u }), classes-1)
					if i := r*a.Sample + s; a.DType == tensor.Int64 {
						c.Out[0].I64()[i] = int64(k)
					} else {
						tensor.Data[int32](c.Out[0])[i] = int32(k)
					}
				}
			}
			return nil
		},
	})
	followRules["Multinomial"] = (*follower).refuse
}
