package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// MACs is the number of multiply-accumulate operations of a node that multiplies matrices or convolves, or that is a gradient of one, 0 for
// all others and where shapes, which are by value, are not known.
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
	case "ConvDX":
		if w[0] > 0 {
			return size(x) * (size(w) / int64(w[0]))
		}
	case "ConvDW", "ConvPerExample", "ConvPerExampleNorm2": // of X, dY and a W
		if like := shape(n.In, 2); len(like) > 0 && like[0] > 0 {
			return size(w) * (size(like) / int64(like[0]))
		}
	case "ConvTransposeDX": // of dY and W
		if w[0] > 0 && y != nil {
			return size(y) * (size(w) / int64(w[0]))
		}
	case "ConvTransposeDW": // of X, dY and a W
		if like := shape(n.In, 2); len(like) > 0 && like[0] > 0 {
			return size(x) * (size(like) / int64(like[0]))
		}
	case "MatMulDA": // of dY, B and an A
		if like := shape(n.In, 2); len(like) > 0 {
			return size(x) * int64(like[len(like)-1])
		}
	case "MatMulDB": // of A and dY
		return size(w) * int64(x[len(x)-1])
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
	case "FusedAttention", "FusedAttentionGrad": // of Q, Kᵀ, V and, as the second output or the fourth input, P [.., T, S]
		p, o, times := shape(n.Out, 1), y, int64(1)
		if n.Op == FusedAttentionGrad {
			p, o, times = shape(n.In, 3), shape(n.In, 4), 2
		}
		if len(p) > 0 {
			return times * (size(x) + size(o)) * int64(p[len(p)-1])
		}
	case "Einsum":
		if a, ok := n.Attrs.(*einsumAttrs); ok && n.NumIn == 2 {
			return a.macs(x, w)
		}
	case "LSTM", "GRU", "RNN":
		if r := shape(n.In, 2); r != nil && x[len(x)-1] > 0 {
			return size(x) / int64(x[len(x)-1]) * (size(w) + size(r))
		}
	case "LSTMGrad", "GRUGrad", "RNNGrad": // by what goes in and by the weights
		if r := shape(n.In, 2); r != nil && x[len(x)-1] > 0 {
			return 2 * size(x) / int64(x[len(x)-1]) * (size(w) + size(r))
		}
	}
	return 0
}
