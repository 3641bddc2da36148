package convert

import (
	"errors"
	"slices"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// The shape became an input in version 5; from 14 on a 0 in it may be meant.
func init() {
	register("Reshape", 5, rule{
		up:   func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) { return toInput(k, n, "shape", 1) },
		down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) { return toAttribute(k, n, "shape", 1) },
	})
	register("Reshape", 14, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		if is(n, "allowzero", 0, 0) {
			return keep(n), nil
		}
		shape, ok := k.ints(input(n, 1))
		if !ok || slices.Contains(shape, 0) {
			return nil, errors.New("attribute allowzero: a 0 in its shape may be meant, which it could not before")
		}
		drop(n, "allowzero")
		return keep(n), nil
	}})
}
