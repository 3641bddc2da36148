package convert

import (
	"errors"
	"slices"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// Version 7 trains where it has several outputs, 9 normalises channels only, 14 says whether it trains, and has other outputs.
func init() {
	register("BatchNormalization", 7, rule{
		up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			if err := tested(n); err != nil {
				return nil, err
			}
			return keep(n), alone(n)
		},
		down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			put(n, onnx.AttrInt("is_test", 1))
			return keep(n), alone(n)
		},
	})
	register("BatchNormalization", 9, rule{up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		if !is(n, "spatial", 1, 1) {
			return nil, errors.New("attribute spatial is 0: it has statistics of each position, which went with version 9")
		}
		drop(n, "spatial")
		return keep(n), nil
	}})
	one := func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) { return keep(n), alone(n) }
	register("BatchNormalization", 14, rule{up: one, down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		if !is(n, "training_mode", 0, 0) {
			return nil, errors.New("it trains (training_mode), which is said otherwise before")
		}
		return keep(n), alone(n)
	}})
}

// alone cuts outputs off that are left out, and fails when n has more than one.
func alone(n *onnxpb.NodeProto) error {
	if slices.ContainsFunc(n.GetOutput()[min(1, len(n.GetOutput())):], func(o string) bool { return o != "" }) {
		return errors.New("it trains: it has outputs beside the first, which mean something else in the other version")
	}
	n.Output = n.Output[:min(1, len(n.Output))]
	return nil
}
