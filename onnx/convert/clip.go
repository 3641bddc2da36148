package convert

import (
	"fmt"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// The bounds became inputs in version 11.
func init() {
	register("Clip", 11, rule{
		up: func(k *conv, n *onnxpb.NodeProto) (nodes []*onnxpb.NodeProto, err error) {
			for i, what := range []string{"min", "max"} {
				if attr(n, what) == nil {
					continue
				}
				more, err := k.floatInput(n, what, i+1)
				if err != nil {
					return nil, err
				}
				nodes = append(nodes, more...)
			}
			return keep(n, nodes...), nil
		},
		down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			for i, what := range []string{"max", "min"} {
				if err := k.floatAttribute(n, what, 2-i); err != nil {
					return nil, err
				}
			}
			return keep(n), nil
		},
	})
}

// floatInput makes input i of a number in an attribute, in the type of input 0.
func (k *conv) floatInput(n *onnxpb.NodeProto, what string, i int) ([]*onnxpb.NodeProto, error) {
	a, d := attr(n, what), k.s.DType(input(n, 0))
	if a.GetRefAttrName() != "" {
		return nil, fmt.Errorf("attribute %s is taken from the call of the function, and becomes an input", what)
	}
	if d == tensor.Undefined {
		return nil, fmt.Errorf("attribute %s becomes an input of the type of input 0 %q, which is not known: give the model value_info", what,
			input(n, 0))
	}
	t, err := tensor.Scalar(a.GetF()).Convert(d)
	if err != nil {
		return nil, err
	}
	name, nodes := k.add(n, what, t)
	setInput(n, i, name)
	drop(n, what)
	return nodes, nil
}

// floatAttribute makes an attribute of input i, one constant number, if n has it.
func (k *conv) floatAttribute(n *onnxpb.NodeProto, what string, i int) error {
	in := input(n, i)
	if in == "" {
		return nil
	}
	t := k.constant(in)
	if t == nil || t.Len() != 1 || !t.DType().IsFloat() {
		return fmt.Errorf("input %d %q (%s) is computed or fed, or no number, and was an attribute before", i, in, what)
	}
	f, err := t.Convert(tensor.Float64)
	if err != nil {
		return err
	}
	v := f.Float64s()[0]
	if float64(float32(v)) != v && v == v {
		return fmt.Errorf("input %d %q (%s) is %g, which the attribute of before cannot hold", i, in, what, v)
	}
	put(n, onnx.AttrFloat(what, float32(v)))
	setInput(n, i, "")
	k.release(in)
	return nil
}
