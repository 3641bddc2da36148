package convert

import (
	"errors"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Version 7 knows no training any more, 10 has a mask of booleans, in 12 the ratio is an input and so is whether it trains.
func init() {
	register("Dropout", 7, rule{
		up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			if err := tested(n); err != nil {
				return nil, err
			}
			return keep(n), nil
		},
		down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			put(n, onnx.AttrInt("is_test", 1))
			return keep(n), nil
		},
	})
	mask := func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		if output(n, 1) != "" && k.read(output(n, 1)) {
			return nil, errors.New("its mask is read, and is of another type")
		}
		n.Output = n.Output[:min(1, len(n.Output))]
		return keep(n), nil
	}
	register("Dropout", 10, rule{mask, mask})
	register("Dropout", 12, rule{
		up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			a := attr(n, "ratio")
			if a == nil {
				return keep(n), nil
			}
			if a.GetRefAttrName() != "" {
				return nil, errors.New("attribute ratio is taken from the call of the function, and becomes an input")
			}
			name, nodes := k.add(n, "ratio", tensor.Scalar(a.GetF()))
			setInput(n, 1, name)
			drop(n, "ratio")
			return keep(n, nodes...), nil
		},
		down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			if in := input(n, 2); in != "" {
				t := k.constant(in)
				if t == nil || t.DType() != tensor.Bool || t.Len() != 1 || t.Bytes()[0] != 0 {
					return nil, errors.New("it may train, which it could not before")
				}
				setInput(n, 2, "")
				k.release(in)
			}
			return keep(n), k.floatAttribute(n, "ratio", 1)
		},
	})
}

// tested drops the attribute that says that a node does not train, and fails where it may.
func tested(n *onnxpb.NodeProto) error {
	if !is(n, "is_test", 0, 1) {
		return errors.New("attribute is_test is not 1: it trains, which later versions say otherwise")
	}
	drop(n, "is_test", "consumed_inputs")
	return nil
}

// read reports whether any node or graph of the model may read a name.
func (k *conv) read(name string) bool {
	found := false
	see := func(g *onnxpb.GraphProto) {
		for _, v := range g.GetOutput() {
			found = found || v.GetName() == name
		}
	}
	for g := range k.m.Graphs() {
		see(g)
	}
	k.m.Walk(func(g *onnxpb.GraphProto, n *onnxpb.NodeProto) {
		for _, in := range n.GetInput() {
			found = found || in == name
		}
	})
	for _, f := range k.m.Proto.GetFunctions() {
		for _, o := range f.GetOutput() {
			found = found || o == name
		}
	}
	return found
}
