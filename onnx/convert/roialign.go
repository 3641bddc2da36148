package convert

import (
	"errors"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// From version 16 on pixels are half a pixel further, unless it says output_half_pixel.
func init() {
	const name, old = "coordinate_transformation_mode", "output_half_pixel"
	register("RoiAlign", 16, rule{
		up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			put(n, onnx.AttrString(name, old))
			return keep(n), nil
		},
		down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			if text(n, name, "half_pixel") != old {
				return nil, errors.New("its pixels lie half a pixel further than they did before (coordinate_transformation_mode)")
			}
			drop(n, name)
			return keep(n), nil
		},
	})
}
