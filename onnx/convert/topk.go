package convert

import (
	"errors"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// In version 10 k became an input.
func init() {
	register("TopK", 10, rule{
		up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) { return toInput(k, n, "k", 1) },
		down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			v, ok := k.ints(input(n, 1))
			if !ok || len(v) != 1 {
				return nil, errors.New("k is computed or fed, and was an attribute before")
			}
			put(n, onnx.AttrInt("k", v[0]))
			k.release(input(n, 1))
			setInput(n, 1, "")
			return keep(n), nil
		},
	})
}
