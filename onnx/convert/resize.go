package convert

import (
	"cmp"
	"errors"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Version 10 places its grid at the first pixel and rounds down, which 11 has to say; up to 12 a region and scales must be there, if empty.
func init() {
	register("Resize", 10, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		n.OpType = new("Upsample")
		return keep(n), nil
	}})
	register("Resize", 11, rule{
		up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			roi, nodes := k.add(n, "roi", tensor.New(tensor.Float32, 0))
			n.Input = []string{input(n, 0), roi, input(n, 1)}
			put(n, onnx.AttrString("coordinate_transformation_mode", "asymmetric"))
			if text(n, "mode", "nearest") == "nearest" {
				put(n, onnx.AttrString("nearest_mode", "floor"))
			}
			return keep(n, nodes...), nil
		},
		down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			mode := text(n, "mode", "nearest")
			scales := k.constant(input(n, 2))
			switch {
			case text(n, "coordinate_transformation_mode", "half_pixel") != "asymmetric",
				mode == "nearest" && text(n, "nearest_mode", "round_prefer_floor") != "floor", mode == "cubic":
				return nil, errors.New("it places or rounds otherwise than it did before: only mode nearest or linear, asymmetric, floor")
			case input(n, 3) != "" || scales != nil && scales.Len() == 0:
				return nil, errors.New("it has sizes, and only scales were there before")
			}
			drop(n, "coordinate_transformation_mode", "nearest_mode", "cubic_coeff_a", "exclude_outside", "extrapolation_value")
			k.release(input(n, 1))
			n.Input = []string{input(n, 0), input(n, 2)}
			return keep(n), nil
		},
	})
	register("Resize", 13, rule{down: func(k *conv, n *onnxpb.NodeProto) (all []*onnxpb.NodeProto, err error) {
		for i, what := range []string{"roi", "scales"} {
			if input(n, i+1) == "" {
				name, nodes := k.add(n, what, tensor.New(tensor.Float32, 0))
				all = append(all, nodes...)
				for len(n.Input) <= i+1 {
					n.Input = append(n.Input, "")
				}
				n.Input[i+1] = name
			}
		}
		return keep(n, all...), nil
	}})
	register("Resize", 19, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		if text(n, "coordinate_transformation_mode", "half_pixel") == "half_pixel_symmetric" {
			return nil, errors.New("coordinate_transformation_mode half_pixel_symmetric came with operator set 19")
		}
		return keep(n), nil
	}})
}

// text is a string attribute, given where it is left out.
func text(n *onnxpb.NodeProto, name, given string) string {
	if a := attr(n, name); a != nil {
		return cmp.Or(a.GetRefAttrName(), string(a.GetS()))
	}
	return given
}
