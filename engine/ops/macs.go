package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// MACs is the number of multiply-accumulate operations of a node that multiplies matrices or convolves, 0 for all others and where shapes,
// which are by value, are not known.
func MACs(n *graph.Node, shapes []tensor.Shape) int64 {
	shape := func(vs []graph.Value, i int) tensor.Shape {
		if i >= len(vs) || vs[i] == 0 {
			return nil
		}
		return shapes[vs[i]]
	}
	x, w, y := shape(n.In, 0), shape(n.In, 1), shape(n.Out, 0)
	size := func(s tensor.Shape) int64 { return int64(s.Len()) }
	switch n.Op.Name {
	case "QLinearConv", "QLinearMatMul":
		w = shape(n.In, 3)
	}
	if len(x) == 0 || len(w) == 0 {
		return 0
	}
	switch n.Op.Name {
	case "Conv", "ConvInteger", "QLinearConv":
		if w[0] > 0 && y != nil {
			return size(y) * (size(w) / int64(w[0]))
		}
	case "ConvTranspose":
		if w[0] > 0 {
			return size(x) * (size(w) / int64(w[0]))
		}
	case "Gemm":
		if len(y) == 2 && len(x) == 2 && y[0] > 0 {
			return size(y) * (size(x) / int64(y[0]))
		} else if a, ok := n.Attrs.(*gemmAttrs); ok && y != nil && !a.TransA {
			return size(y) * int64(x[len(x)-1])
		} else if y != nil && y[0] > 0 {
			return size(y) * (size(x) / int64(y[0]))
		}
	case "MatMul", "MatMulInteger", "QLinearMatMul":
		if y != nil {
			return size(y) * int64(x[len(x)-1])
		}
	case "Einsum":
		if a, ok := n.Attrs.(*einsumAttrs); ok && n.NumIn == 2 {
			return a.macs(x, w)
		}
	case "LSTM", "GRU", "RNN":
		if r := shape(n.In, 2); r != nil && x[len(x)-1] > 0 {
			return size(x) / int64(x[len(x)-1]) * (size(w) + size(r))
		}
	}
	return 0
}
