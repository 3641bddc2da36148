package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// CausalConvWithState convolves each channel of input [N,C,T] with its own row of weight [C,1,K], over what comes before each step:
// past_state [N,C,K-1], or zeros, stands before the first. present_state are the last K-1 steps, for the next call. activation is none, or
// silu (swish).
//
// Source: https://onnx.ai/onnx/operators/onnx__CausalConvWithState.html
var CausalConvWithState = new(graph.Spec)

type causalConvAttrs struct {
	Activation string `onnx:"activation,default=none"`
}

func init() {
	define(CausalConvWithState, graph.Def[causalConvAttrs]{
		Name: "CausalConvWithState", Since: []int{27}, Doc: "https://onnx.ai/onnx/operators/onnx__CausalConvWithState.html",
		In: []graph.Formal{
			{Name: "input", Types: floats}, {Name: "weight", Types: floats, Weight: true},
			{Name: "bias", Types: floats, Optional: true, Weight: true}, {Name: "past_state", Types: floats, Optional: true},
		},
		Out: []graph.Formal{{Name: "output"}, {Name: "present_state", Optional: true}},
		Check: func(a *causalConvAttrs, _ *graph.Node) error {
			switch a.Activation {
			case "none", "silu", "swish":
				return nil
			}
			return fmt.Errorf("activation is %q, want none, silu or swish", a.Activation)
		},
		Lower: lowerCausalConv,
	})
}

func lowerCausalConv(a *causalConvAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	x, w, bias, past := n.In[0], n.In[1], input(n, 2), input(n, 3)
	before := sub(b, extent(b, w, 2), b.Ints(1))
	if past == 0 {
		zero := &constantOfShapeAttrs{Value: floatScalar(b.DType(x), 0).Reshape(1)}
		past = b.Add(ConstantOfShape, zero, b.Add(Concat, &concatAttrs{}, extents(b, x, 0, 2), before))
	}
	steps := extent(b, x, 2)
	all := b.Add(Concat, &concatAttrs{Axis: 2}, past, x)
	var y graph.Value
	if c := leading(b.G, w); c > 0 {
		in := []graph.Value{all, w}
		if bias != 0 {
			in = append(in, bias)
		}
		k := Conv.NewAttrs().(*convAttrs)
		k.Group = c
		y = b.Add(Conv, k, in...)
	} else {
		// How many groups there are is not known here: the K steps up to each one, [N,C,T,K], times the weights as columns.
		at := add(b, b.Add(Unsqueeze, nil, upTo(b, steps), b.Ints(1)), upTo(b, extent(b, w, 2)))
		y = b.Add(MatMul, nil, b.Add(Gather, &gatherAttrs{Axis: 2}, all, at), b.Add(Transpose, Perm(0, 2, 1), w))
		y = b.Add(Squeeze, nil, y, b.Ints(3))
		if bias != 0 {
			y = add(b, y, b.Add(ChannelVector, nil, bias, y))
		}
	}
	if a.Activation != "none" {
		y = b.Add(Swish, nil, y)
	}
	end := add(b, steps, before)
	return []graph.Value{y, b.Add(Slice, nil, all, steps, end, b.Ints(2))}, nil
}

// leading is the first extent of v where it is known before the run, else 0.
func leading(g *graph.Graph, v graph.Value) int {
	switch i := g.Info(v); {
	case i.Data != nil && i.Data.Rank() > 0:
		return i.Data.Dim(0)
	case len(i.Dims) > 0 && i.Dims[0].Size > 0:
		return i.Dims[0].Size
	}
	return 0
}
