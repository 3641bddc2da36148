package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// StringConcat is the text of X followed by that of Y, elementwise with broadcasting.
//
// Source: https://onnx.ai/onnx/operators/onnx__StringConcat.html
var StringConcat = new(graph.Spec)

var stringsOnly = []tensor.DType{tensor.String}

func init() {
	define(StringConcat, graph.Def[noAttrs]{
		Name: "StringConcat", Since: []int{20}, Doc: "https://onnx.ai/onnx/operators/onnx__StringConcat.html",
		In:  []graph.Formal{{Name: "X", NoGrad: true, Types: stringsOnly}, {Name: "Y", NoGrad: true, Types: stringsOnly}},
		Out: []graph.Formal{{Name: "Z"}}, Infer: inferBinary[noAttrs],
		Types: outType[noAttrs](tensor.String),
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			x, y, z := c.In[0].Strings(), c.In[1].Strings(), c.Out[0].Strings()
			if len(z) == 0 {
				return nil
			}
			s := c.Out[0].Shape()
			w := walk{ext: s, ds: kernel.BroadcastStrides(s, c.In[0].Shape()), ss: kernel.BroadcastStrides(s, c.In[1].Shape())}
			bytes := 0
			for i, o := 0, newOdometer(w, s, 0); i < len(z); i++ {
				if bytes += len(x[o.d]) + len(y[o.s]); bytes > 1<<20 { // texts may double from node to node
					if err := c.Budget(bytes); err != nil {
						return err
					}
				}
				z[i] = x[o.d] + y[o.s]
				o.next()
			}
			return nil
		},
	})
}
