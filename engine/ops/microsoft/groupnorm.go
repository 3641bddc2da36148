package microsoft

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// GroupNorm normalises X [N,H,W,C], or without channels_last [N,C,H,W], over positions and the channels of each group, and gives
// gamma·X̂ + beta, or with activation 1 the SiLU of that.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.GroupNorm
var GroupNorm = new(graph.Spec)

type groupNormAttrs struct {
	Epsilon      float32 `onnx:"epsilon,default=1e-5"`
	Groups       int     `onnx:"groups,required"`
	Activation   int     `onnx:"activation,required"`
	ChannelsLast bool    `onnx:"channels_last,default=1"`
}

func (a *groupNormAttrs) check() error {
	if a.Activation != 0 && a.Activation != 1 {
		return fmt.Errorf("attribute activation is %d, want 0 or 1", a.Activation)
	}
	return headCount("groups", a.Groups)
}

func init() {
	define(GroupNorm, graph.Def[groupNormAttrs]{
		Name: "GroupNorm", Since: []int{1}, Doc: contrib + "GroupNorm",
		In: []graph.Formal{real("X"), weight("gamma"), weight("beta")}, Out: []graph.Formal{{Name: "Y"}},
		Check: func(a *groupNormAttrs, _ *graph.Node) error { return a.check() },
		Lower: func(a *groupNormAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{a.normalised(b, n.In[0], n.In[1], n.In[2])}, nil
		},
	})
}

func (a *groupNormAttrs) normalised(b *graph.Builder, x, gamma, beta graph.Value) graph.Value {
	shape, groups := b.Add(ops.Shape, nil, x), b.Ints(a.Groups)
	var each graph.Value // x with its groups as an axis
	axes := b.Ints(1, 3)
	if a.ChannelsLast {
		channels := extents(b, x, 3, 4)
		each = reshape(b, x, extents(b, x, 0, 1), product(b, extents(b, x, 1, 3)), groups, over(b, channels, groups))
	} else {
		channels := extents(b, x, 1, 2)
		each = reshape(b, x, extents(b, x, 0, 1), groups, over(b, channels, groups), product(b, extents(b, x, 2, 4)))
		axes = b.Ints(2, 3)
		gamma, beta = reshape(b, gamma, channels, b.Ints(1, 1)), reshape(b, beta, channels, b.Ints(1, 1))
	}
	mean := func(v graph.Value) graph.Value { return b.Add(ops.ReduceMean, ops.KeepDims(true), v, axes) }
	d := sub(b, each, mean(each))
	root := b.Add(ops.Sqrt, nil, add(b, mean(mul(b, d, d)), b.Scalar(b.DType(x), float64(a.Epsilon))))
	y := reshape(b, b.Add(ops.Div, nil, d, root), shape)
	y = add(b, mul(b, y, gamma), beta)
	if a.Activation == 1 {
		y = mul(b, y, b.Add(ops.Sigmoid, nil, y))
	}
	return y
}
