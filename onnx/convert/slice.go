package convert

import (
	"errors"
	"slices"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// In version 10 starts, ends and axes became inputs, and steps came.
func init() {
	names := []string{"starts", "ends", "axes"}
	register("Slice", 10, rule{
		up: func(k *conv, n *onnxpb.NodeProto) (all []*onnxpb.NodeProto, err error) {
			for i, name := range names {
				nodes, err := toInput(k, n, name, i+1)
				if err != nil {
					return nil, err
				}
				all = append(all, nodes[:len(nodes)-1]...)
			}
			return keep(n, all...), nil
		},
		down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			if in := input(n, 4); in != "" {
				steps, ok := k.ints(in)
				if !ok || slices.ContainsFunc(steps, func(s int64) bool { return s != 1 }) {
					return nil, errors.New("its steps are not all 1, and there were none before")
				}
				setInput(n, 4, "")
				k.release(in)
			}
			for i := len(names) - 1; i >= 0; i-- {
				if _, err := toAttribute(k, n, names[i], i+1); err != nil {
					return nil, err
				}
			}
			return keep(n), nil
		},
	})
}
