package convert

import (
	"errors"
	"slices"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Upsample has one list of scales from version 7 on, as an input from 9 on, and is Resize from 10 on.
func init() {
	register("Upsample", 7, rule{up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		h, w := attr(n, "height_scale"), attr(n, "width_scale")
		if h == nil || w == nil || h.GetRefAttrName()+w.GetRefAttrName() != "" {
			return nil, errors.New("attributes height_scale and width_scale are needed")
		}
		put(n, onnx.AttrFloats("scales", 1, 1, h.GetF(), w.GetF()))
		drop(n, "height_scale", "width_scale")
		return keep(n), nil
	}})
	register("Upsample", 9, rule{
		up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			a := attr(n, "scales")
			if a == nil || a.GetRefAttrName() != "" {
				return nil, errors.New("attribute scales is missing, or taken from the call of the function, and becomes an input")
			}
			name, nodes := k.add(n, "scales", tensor.From(slices.Clone(a.GetFloats()), len(a.GetFloats())))
			setInput(n, 1, name)
			drop(n, "scales")
			return keep(n, nodes...), nil
		},
		down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			t := k.constant(input(n, 1))
			if t == nil || t.DType() != tensor.Float32 {
				return nil, errors.New("its scales are computed or fed, and were an attribute before")
			}
			put(n, onnx.AttrFloats("scales", slices.Clone(t.F32())...))
			k.release(input(n, 1))
			setInput(n, 1, "")
			return keep(n), nil
		},
	})
	register("Upsample", 10, rule{up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		n.OpType = new("Resize")
		return keep(n), nil
	}})
}
