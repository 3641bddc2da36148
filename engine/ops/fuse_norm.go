package ops

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// LayerNorm are the attributes of a LayerNormalization or RMSNormalization over axis and all that follow.
func LayerNorm(axis int, epsilon float32) any {
	return &layerNormAttrs{Axis: axis, Epsilon: epsilon, Stash: 1}
}

// LastAxes is the first of the axes that n, a Reduce operator, reduces, counted from behind, when these are known to be it and all that
// follow, and n keeps them as 1. Its input has rank axes, -1 where that is not known.
func LastAxes(g *graph.Graph, n *graph.Node, rank int) (axis int, ok bool) {
	switch a := n.Attrs.(type) {
	case *reduceOldAttrs:
		ok = a.KeepDims
	case *reduceAttrs:
		ok = a.KeepDims
	}
	if !ok {
		return 0, false
	}
	var given *tensor.Tensor
	if v := input(n, 1); v != 0 {
		if g.Info(v).Kind != graph.Constant {
			return 0, false
		}
		given = g.Info(v).Data
	}
	list, ok := ReduceAxes(n, given)
	if !ok || len(list) == 0 {
		return 0, false
	}
	list = slices.Clone(list)
	for i, k := range list {
		if k >= 0 && rank >= 0 {
			list[i] = k - rank
		}
	}
	slices.Sort(list)
	for i, k := range list {
		if k != i-len(list) {
			return 0, false
		}
	}
	return list[0], true
}
