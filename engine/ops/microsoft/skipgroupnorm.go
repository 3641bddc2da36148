package microsoft

import "github.com/gtk-onnx/gtk/engine/graph"

// SkipGroupNorm is the GroupNorm of X + skip + bias, which is the second output. Skip is like X, or [N,1,1,C], or [N,C].
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.SkipGroupNorm
var SkipGroupNorm = new(graph.Spec)

func init() {
	define(SkipGroupNorm, graph.Def[groupNormAttrs]{
		Name: "SkipGroupNorm", Since: []int{1}, Doc: contrib + "SkipGroupNorm",
		In:    []graph.Formal{real("X"), weight("gamma"), weight("beta"), real("skip"), bias("bias")},
		Out:   []graph.Formal{{Name: "Y"}, {Name: "S", Optional: true}},
		Check: func(a *groupNormAttrs, _ *graph.Node) error { return a.check() },
		Lower: func(a *groupNormAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			skip := n.In[3]
			// [N,C] is [N,1,1,C]: what lies between the first and the last axis, or else ones.
			between := slice(b, concat(b, 0, extents(b, skip, 1, -1), b.Ints(1, 1)), b.Ints(0), b.Ints(2), 0)
			skip = reshape(b, skip, extents(b, skip, 0, 1), between, extent(b, skip, -1))
			x := add(b, add(b, n.In[0], skip), input(n, 4))
			return []graph.Value{a.normalised(b, x, n.In[1], n.In[2]), x}, nil
		},
	})
}
