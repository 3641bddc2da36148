package convert

import (
	"errors"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// Version 20 takes volumes, and has other names for its modes.
func init() {
	rename := func(n *onnxpb.NodeProto, names map[string]string) ([]*onnxpb.NodeProto, error) {
		if a := attr(n, "mode"); a != nil {
			if a.GetRefAttrName() != "" {
				return nil, errors.New("attribute mode is taken from the call of the function, and its names changed")
			}
			if to := names[string(a.GetS())]; to != "" {
				put(n, onnx.AttrString("mode", to))
			}
		}
		return keep(n), nil
	}
	register("GridSample", 20, rule{
		up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			return rename(n, map[string]string{"bilinear": "linear", "bicubic": "cubic"})
		},
		down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			if dims, known := k.s.Shape(input(n, 0)); !known || len(dims) != 4 {
				return nil, errors.New("its input may be a volume, and could only be a picture before")
			}
			return rename(n, map[string]string{"linear": "bilinear", "cubic": "bicubic"})
		},
	})
}
