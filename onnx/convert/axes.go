package convert

import (
	"fmt"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// toInput makes input i of the integers of an attribute, if n has it.
func toInput(k *conv, n *onnxpb.NodeProto, name string, i int) ([]*onnxpb.NodeProto, error) {
	if attr(n, name) == nil {
		return keep(n), nil
	}
	in, nodes, err := k.fromAttribute(n, name, false)
	if err != nil {
		return nil, err
	}
	setInput(n, i, in)
	drop(n, name)
	return keep(n, nodes...), nil
}

// toAttribute makes an attribute of input i, which must be constant, if n has it.
func toAttribute(k *conv, n *onnxpb.NodeProto, name string, i int) ([]*onnxpb.NodeProto, error) {
	in := input(n, i)
	if in == "" {
		return keep(n), nil
	}
	v, ok := k.ints(in)
	if !ok {
		return nil, fmt.Errorf("input %d %q (%s) is computed or fed, and was an attribute before", i, in, name)
	}
	put(n, onnx.AttrInts(name, v...))
	setInput(n, i, "")
	k.release(in)
	return keep(n), nil
}

// axesMoved is the rule of an operator whose axes became input 1.
func axesMoved() rule {
	return rule{
		up:   func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) { return toInput(k, n, "axes", 1) },
		down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) { return toAttribute(k, n, "axes", 1) },
	}
}
