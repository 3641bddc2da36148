package convert

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Version 2 renamed paddings, in 11 pads and value are inputs, from 18 on pads may be those of some axes.
func init() {
	register("Pad", 2, rule{up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		if a := attr(n, "paddings"); a != nil {
			a.Name = new("pads")
		}
		return keep(n), nil
	}})
	register("Pad", 11, rule{
		up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			nodes, err := toInput(k, n, "pads", 1)
			if err != nil {
				return nil, err
			}
			if a := attr(n, "value"); a != nil && (a.GetF() != 0 || a.GetRefAttrName() != "") {
				more, err := k.floatInput(n, "value", 2)
				return append(more, nodes...), err
			}
			drop(n, "value")
			return nodes, nil
		},
		down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			if err := k.floatAttribute(n, "value", 2); err != nil {
				return nil, err
			}
			return toAttribute(k, n, "pads", 1)
		},
	})
	register("Pad", 18, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		if input(n, 3) == "" {
			return keep(n), nil
		}
		axes, ok := k.ints(input(n, 3))
		pads, ok2 := k.ints(input(n, 1))
		dims, known := k.s.Shape(input(n, 0))
		if !ok || !ok2 || !known || len(pads) != 2*len(axes) {
			return nil, errors.New("it pads some axes, and these, the pads or the rank of its input are not known")
		}
		all := make([]int64, 2*len(dims))
		for i, a := range axes {
			if a < 0 {
				a += int64(len(dims))
			}
			if a < 0 || a >= int64(len(dims)) {
				return nil, fmt.Errorf("there is no axis %d", axes[i])
			}
			all[a], all[int(a)+len(dims)] = pads[i], pads[i+len(axes)]
		}
		k.release(input(n, 1))
		k.release(input(n, 3))
		name, nodes := k.add(n, "pads", tensor.From(all, len(all)))
		setInput(n, 3, "")
		setInput(n, 1, name)
		return keep(n, nodes...), nil
	}})
}
