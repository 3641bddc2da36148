package ops

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Activation is a clamp that a kernel applies to its result: Relu is [0, +Inf], Clip its bounds.
type Activation struct{ Lo, Hi float32 }

var relu = Activation(*kernel.Relu)

// ActivationOf is the clamp that n computes, when it is a Relu, or a Clip with constant bounds, of float32.
func ActivationOf(g *graph.Graph, n *graph.Node) (Activation, bool) {
	if g.Info(n.Out[0]).DType != tensor.Float32 {
		return Activation{}, false
	}
	if n.Op == Relu {
		return relu, true
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
		if old.act != nil {
			return false
		}
		c := *old
		c.act = &a
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
	if !ok || a.act == nil || *a.act != relu || grad.NumIn != 6 || grad.In[5] != bn.Out[0] || !gradOf(bn, grad) {
		return false
	}
	grad.In = append(slices.Clone(grad.In[:5]), 0, bn.In[2])
	grad.NumIn = 7
	return true
}

// FuseClip makes the batch normalisation bn clamp its result as the Clip does that reads it, and its gradient apply the ClipGrad, which
// computes what was clipped again from the input of bn, so that neither that nor what is clipped need be kept. It reports whether it can.
// Nothing but clip and back may read the result of bn.
func FuseClip(g *graph.Graph, bn, clip, back, grad *graph.Node) bool {
	old, ok := bn.Attrs.(*batchNormAttrs)
	if !ok || old.act != nil || clip.Op != Clip || back.Op != ClipGrad || clip.In[0] != bn.Out[0] || back.In[0] != bn.Out[0] ||
		!slices.Equal(clip.In[1:clip.NumIn], back.In[2:back.NumIn]) || grad.NumIn != 5 || grad.In[4] != back.Out[0] || !gradOf(bn, grad) {
		return false
	}
	act, ok := ActivationOf(g, clip)
	if !ok {
		return false
	}
	a, b := *old, *grad.Attrs.(*batchNormAttrs)
	a.act, b.act = &act, &act
	bn.Attrs, grad.Attrs = &a, &b
	grad.In = append(slices.Clone(grad.In[:4]), back.In[1], 0, bn.In[2])
	grad.NumIn = 7
	return true
}

// gradOf reports whether grad is the gradient of the batch normalisation bn, by the same statistics.
func gradOf(bn, grad *graph.Node) bool {
	a, b := bn.Attrs.(*batchNormAttrs), grad.Attrs.(*batchNormAttrs)
	switch {
	case bn.Op.Domain != "" || grad.In[0] != bn.In[0] || grad.In[1] != bn.In[1]:
	case grad.Op == BatchNormTrainGrad:
		return a.Training && len(bn.Out) > 4 && grad.In[2] == bn.Out[3] && grad.In[3] == bn.Out[4]
	case grad.Op == BatchNormGrad:
		return !a.Training && grad.In[2] == bn.In[3] && grad.In[3] == bn.In[4] && b.Epsilon == a.Epsilon
	}
	return false
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
