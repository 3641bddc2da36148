package convert

import (
	"errors"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// Before version 18 the operators of optionals took optionals only.
func init() {
	for _, op := range []string{"OptionalHasElement", "OptionalGetElement"} {
		register(op, 18, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			if in := input(n, 0); in == "" || k.s.Lookup(in).GetOptionalType() == nil {
				return nil, errors.New("before operator set 18 its input was an optional, which this one is not known to be")
			}
			return keep(n), nil
		}})
	}
}
