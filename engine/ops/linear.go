package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// OutAxis is the axis of the weight, input 1 of rank r, along which the outputs of a node with the role graph.Linear are counted: channels
// of a convolution, columns of a matrix.
func OutAxis(n *graph.Node, r int) int {
	switch a := n.Attrs.(type) {
	case *gemmAttrs:
		if a.TransB {
			return 0
		}
	case *convAttrs:
		return 0
	case *convTransposeAttrs:
		return 1
	}
	return max(0, r-1)
}
