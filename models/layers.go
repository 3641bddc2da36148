package models

import (
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Layers builds a network of convolutions layer by layer, as the builders of this package do: for networks whose form is decided elsewhere.
// Its methods add a layer, draw its weights, and return the name of the layer's output [N,C,H,W].
type Layers struct{ b *net }

// NewLayers begins a network for operator set 17, whose weights are drawn from seed.
func NewLayers(name string, seed uint64) *Layers { return &Layers{newNet(name, 17, seed)} }

// Input adds an input of pictures [N,channels,size,size].
func (l *Layers) Input(name string, channels, size int) string {
	return l.b.input(name, "N", channels, size, size)
}

// Integers adds an input of n int64.
func (l *Layers) Integers(name string, n int) string {
	l.b.g.Input = append(l.b.g.Input, onnx.ValueInfo(name, tensor.Int64, n))
	return name
}

// Conv adds a Conv with a k×k kernel, half of it padding, and weights by He et al. 2015; group is the number of groups. Its parameter is
// name.weight.
func (l *Layers) Conv(x, name string, in, out, k, stride, group int) string {
	return l.b.conv(x, name, in, out, k, stride, k/2, group, false, true)
}

// Norm adds a BatchNormalization of c channels with running statistics, whose parameters are name.weight, name.bias, name.running_mean and
// name.running_var.
func (l *Layers) Norm(x, name string, c int) string { return l.b.norm(x, name, c) }

// Linear adds a Gemm with the parameters name.weight [out,in] and name.bias.
func (l *Layers) Linear(x, name string, in, out int) string { return l.b.linear(x, name, in, out) }

// Relu adds a Relu.
func (l *Layers) Relu(x string) string { return l.b.relu(x) }

// Relu6 adds a Clip to 0..6.
func (l *Layers) Relu6(x string) string { return l.b.relu6(x) }

// AveragePool adds an average over k×k, in which padding does not count.
func (l *Layers) AveragePool(x string, k, stride, pad int) string {
	kk, s, p := int64(k), int64(stride), int64(pad)
	return l.b.node("AveragePool", []string{x}, onnx.AttrInts("kernel_shape", kk, kk), onnx.AttrInts("strides", s, s),
		onnx.AttrInts("pads", p, p, p, p))
}

// Pooled adds a global average and a Flatten: [N,C].
func (l *Layers) Pooled(x string) string { return l.b.pooled(x) }

// Node adds a node with one output, named after its operator.
func (l *Layers) Node(op string, in []string, attrs ...*onnxpb.AttributeProto) string {
	return l.b.node(op, in, attrs...)
}

// Constant adds an initializer, and returns its name. Of one that is there already only the name is returned.
func (l *Layers) Constant(name string, t *tensor.Tensor) string {
	if l.b.count["constant "+name] == 0 {
		l.b.count["constant "+name]++
		l.b.g.Initializer = append(l.b.g.Initializer, onnx.TensorToProto(name, t))
	}
	return name
}

// Parameter adds an initializer whose numbers are all v.
func (l *Layers) Parameter(name string, v float32, shape ...int) string {
	return l.b.param(name, constant(v), shape...)
}

// If adds an If on the bool cond, whose branches are what then and other add. Their initializers are those of the network itself.
func (l *Layers) If(name, cond string, then, other func() string) string {
	return l.b.named("If", name, []string{cond}, onnx.AttrGraph("then_branch", l.branch(name+".then", then)),
		onnx.AttrGraph("else_branch", l.branch(name+".else", other)))
}

// branch is the body that f adds.
func (l *Layers) branch(name string, f func() string) *onnxpb.GraphProto {
	outside := l.b.g.Node
	l.b.g.Node = nil
	y := f()
	body := &onnxpb.GraphProto{Name: &name, Node: l.b.g.Node, Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo(y, tensor.Float32, "", "", "",
		"")}}
	l.b.g.Node = outside
	return body
}

// Parameters are the names of the initializers so far, in order.
func (l *Layers) Parameters() []string {
	var names []string
	for _, t := range l.b.g.Initializer {
		names = append(names, t.GetName())
	}
	return names
}

// Finish names x the output of the network, of k scores for each example.
func (l *Layers) Finish(x, name string, k int) *onnx.Model { return l.b.finish(x, name, "N", k) }
