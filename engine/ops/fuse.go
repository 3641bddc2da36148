package ops

import (
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Activation is a clamp that a kernel applies to its result: Relu is [0, +Inf], Clip its bounds.
type Activation struct{ Lo, Hi float32 }

// ActivationOf is the clamp that n computes, when it is a Relu, or a Clip with constant bounds, of float32.
func ActivationOf(g *graph.Graph, n *graph.Node) (Activation, bool) {
	if g.Info(n.Out[0]).DType != tensor.Float32 {
		return Activation{}, false
	}
	if n.Op == Relu {
		return Activation{0, float32(math.Inf(1))}, true
	}
	if lo, hi, ok := clipBounds(g, n); ok {
		return Activation{lo, hi}, true
	}
	return Activation{}, false
}

// FuseActivation makes the kernel of n apply a, and reports whether it can.
func FuseActivation(n *graph.Node, a Activation) bool {
	switch old := n.Attrs.(type) {
	case *gemmAttrs:
		if old.act != nil {
			return false
		}
		c := *old
		c.act = &a
		n.Attrs = &c
	case *convAttrs:
		if old.act != nil || (n.Op != Conv) {
			return false
		}
		c := *old
		c.act = &a
		n.Attrs = &c
	case *batchNormAttrs:
		if old.relu || a.Lo != 0 || !math.IsInf(float64(a.Hi), 1) {
			return false
		}
		c := *old
		c.relu = true
		n.Attrs = &c
	default:
		return false
	}
	return true
}

// FuseReluGrad makes grad, a gradient of batch normalisation whose dY is what relu computes, apply the ReluGrad itself, and reports
// whether it can.
func FuseReluGrad(relu, grad *graph.Node) bool {
	if relu.Op != ReluGrad || (grad.Op != BatchNormGrad && grad.Op != BatchNormTrainGrad) || grad.NumIn != 5 || grad.In[4] != relu.Out[0] {
		return false
	}
	grad.In = []graph.Value{grad.In[0], grad.In[1], grad.In[2], grad.In[3], relu.In[1], relu.In[0]}
	grad.NumIn = 6
	return true
}

// MaskFromInput makes the gradient of a batch normalisation with a Relu behind compute the mask of that again from its input, as the
// normalisation bn, which has the Relu in it, computed it: the mask need not be kept for it, nor read. It reports whether it can.
func MaskFromInput(bn, grad *graph.Node) bool {
	a, ok := bn.Attrs.(*batchNormAttrs)
	if !ok || !a.relu || bn.Op.Domain != "" || grad.NumIn != 6 || grad.In[5] != bn.Out[0] || grad.In[0] != bn.In[0] || grad.In[1] != bn.In[1] {
		return false
	}
	switch {
	case grad.Op == BatchNormTrainGrad && a.Training && len(bn.Out) > 4 && grad.In[2] == bn.Out[3] && grad.In[3] == bn.Out[4]:
	case grad.Op == BatchNormGrad && !a.Training && grad.In[2] == bn.In[3] && grad.In[3] == bn.In[4] &&
		grad.Attrs.(*batchNormAttrs).Epsilon == a.Epsilon:
	default:
		return false
	}
	grad.In = append(slices.Clone(grad.In[:5]), 0, bn.In[2])
	grad.NumIn = 7
	return true
}

// FuseResidual makes the convolution n add z, of its output's shape, and reports whether it can. A constant is hardly ever of that shape.
func FuseResidual(g *graph.Graph, n *graph.Node, z graph.Value) bool {
	a, ok := n.Attrs.(*convAttrs)
	if !ok || g.Info(z).Data != nil || g.Info(z).DType != tensor.Float32 || n.Op != Conv || a.act != nil || a.residual {
		return false
	}
	c := *a
	c.residual = true
	n.Attrs = &c
	in := []graph.Value{n.In[0], n.In[1], 0, z}
	if n.NumIn > 2 {
		in[2] = n.In[2]
	}
	n.In, n.NumIn = in, len(in)
	return true
}
