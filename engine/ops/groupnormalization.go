package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// GroupNormalization normalises each of num_groups runs of channels of each image of X [N,C,i…] to mean 0 and variance 1, then scales and
// shifts: scale and bias are [C], and [num_groups] in version 18.
//
// Source: https://onnx.ai/onnx/operators/onnx__GroupNormalization.html. Deviation: as in LayerNormalization.
var GroupNormalization = new(graph.Spec)

type groupNormAttrs struct {
	Groups  int     `onnx:"num_groups,required"`
	Epsilon float32 `onnx:"epsilon,default=1e-5"`
	Stash   int     `onnx:"stash_type,default=1"`
}

func init() {
	def := graph.Def[groupNormAttrs]{
		Name: "GroupNormalization", Role: graph.Normalisation, Since: []int{21},
		Doc: "https://onnx.ai/onnx/operators/onnx__GroupNormalization.html",
		In: []graph.Formal{
			{Name: "X", Types: floats}, {Name: "scale", Types: floats, Weight: true}, {Name: "bias", Types: floats, Weight: true},
		},
		Out: []graph.Formal{{Name: "Y"}}, Types: sameOperands[groupNormAttrs],
		Check: func(a *groupNormAttrs, _ *graph.Node) error {
			if a.Groups < 1 {
				return fmt.Errorf("num_groups is %d, want at least 1", a.Groups)
			}
			return nil
		},
		Lower: func(a *groupNormAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			// Scale 1 and shift 0 of each group.
			d := b.DType(n.In[0])
			k := []graph.Value{b.Scalar(d, 1), b.Scalar(d, 0)}
			for i, v := range k {
				k[i] = b.Add(Expand, nil, v, b.Ints(a.Groups))
			}
			y := b.Add(ReshapeLike, nil, a.normalised(b, n.In[0], k[0], k[1]), n.In[0])
			y = mul(b, y, b.Add(ChannelVector, nil, n.In[1], y))
			return []graph.Value{add(b, y, b.Add(ChannelVector, nil, n.In[2], y))}, nil
		},
	}
	define(GroupNormalization, def)
	def.Since = []int{18}
	def.Lower = func(a *groupNormAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
		return []graph.Value{b.Add(ReshapeLike, nil, a.normalised(b, n.In[0], n.In[1], n.In[2]), n.In[0])}, nil
	}
	define(new(graph.Spec), def)
}

// normalised is x [N,C,i…] as [N,groups,C/groups,i…], each group normalised, scaled and shifted.
func (a *groupNormAttrs) normalised(b *graph.Builder, x, scale, bias graph.Value) graph.Value {
	g := b.Ints(a.Groups)
	x = shaped(b, x, extent(b, x, 0), g, div(b, extent(b, x, 1), g), b.Add(Shape, &shapeAttrs{Start: 2}, x))
	return b.Add(InstanceNormalization, &epsilonAttrs{Epsilon: a.Epsilon}, x, scale, bias)
}
