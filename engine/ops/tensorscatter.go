package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// TensorScatter is past_cache [N,…,T,…] with update [N,…,S,…] written over it along axis, for example i from write_indices[i] on, or from
// the start; in mode circular what goes beyond the end comes at the beginning.
//
// Source: https://onnx.ai/onnx/operators/onnx__TensorScatter.html
var TensorScatter = new(graph.Spec)

type tensorScatterAttrs struct {
	Axis int    `onnx:"axis,default=-2"`
	Mode string `onnx:"mode,default=linear"`
}

func init() {
	define(TensorScatter, graph.Def[tensorScatterAttrs]{
		Name: "TensorScatter", Since: []int{24}, Doc: "https://onnx.ai/onnx/operators/onnx__TensorScatter.html",
		In: []graph.Formal{{Name: "past_cache"}, {Name: "update"},
			{Name: "write_indices", Optional: true, NoGrad: true, Types: int64s}},
		Out: []graph.Formal{{Name: "present_cache"}},
		Check: func(a *tensorScatterAttrs, _ *graph.Node) error {
			if a.Mode != "linear" && a.Mode != "circular" {
				return fmt.Errorf("mode is %q, want linear or circular", a.Mode)
			}
			if a.Axis == 0 {
				return fmt.Errorf("axis is 0, that of the examples")
			}
			return nil
		},
		Lower: func(a *tensorScatterAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			past, update := n.In[0], n.In[1]
			// Where each element of update goes along axis: a running count, from where its example begins.
			at := b.Add(CumSum, &cumSumAttrs{Exclusive: true}, intOnes(b, b.Add(Shape, nil, update)), b.Const(tensor.Scalar(int64(a.Axis))))
			if from := input(n, 2); from != 0 {
				// [N,1…], of the rank of update
				rest := intOnes(b, sub(b, b.Add(Shape, nil, b.Add(Shape, nil, update)), b.Ints(1)))
				at = add(b, at, shaped(b, from, b.Add(Shape, nil, from), rest))
			}
			if a.Mode == "circular" {
				at = b.Add(Mod, nil, at, extent(b, past, a.Axis))
			}
			return []graph.Value{b.Add(ScatterElements, &scatterAttrs{Axis: a.Axis, Reduction: "none"}, past, at, update)}, nil
		},
	})
}
