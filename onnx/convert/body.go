package convert

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// body writes what an operator stands for in simpler ones, in the element type d.
type body struct {
	k     *conv
	n     *onnxpb.NodeProto
	d     tensor.DType
	half  tensor.DType // that the result is narrowed to at the end, Undefined if it is not
	nodes []*onnxpb.NodeProto
	err   error
}

// bodyOf is the body of an operator that came with a version, for the element type of its input 0.
func (k *conv) bodyOf(n *onnxpb.NodeProto, since int) (*body, error) {
	b := &body{k: k, n: n, d: k.s.DType(input(n, 0))}
	if b.d == tensor.Undefined {
		return nil, fmt.Errorf("the operator came with operator set %d, and the type of its input, which its body needs, is not known", since)
	}
	return b, nil
}

// wide is input 0, in single precision where it is in half: the steps of a body would round more than the operator does.
func (b *body) wide() string {
	x := input(b.n, 0)
	if b.d != tensor.Float16 && b.d != tensor.BFloat16 {
		return x
	}
	b.half, b.d = b.d, tensor.Float32
	return b.cast(x, b.d)
}

// op is the output of a node.
func (b *body) op(name string, ins []string, attrs ...*onnxpb.AttributeProto) string {
	return b.typed(b.d, name, ins, attrs...)
}

func (b *body) typed(d tensor.DType, name string, ins []string, attrs ...*onnxpb.AttributeProto) string {
	n, out := b.k.part(b.n, name, name, d, ins, attrs...)
	b.nodes = append(b.nodes, n)
	return out
}

// number is a constant of the type of the body.
func (b *body) number(v float64) string {
	t, err := tensor.Scalar(v).Convert(b.d)
	if err != nil {
		b.err = errors.Join(b.err, err)
		return ""
	}
	return b.constant("number", t)
}

func (b *body) constant(what string, t *tensor.Tensor) string {
	name, nodes := b.k.add(b.n, what, t)
	b.nodes = append(b.nodes, nodes...)
	return name
}

// mean is the mean over axes.
func (b *body) mean(x string, axes []int64) string {
	if b.k.set >= 18 {
		return b.op("ReduceMean", []string{x, b.constant("axes", tensor.From(axes, len(axes)))}, onnx.AttrInt("keepdims", 1))
	}
	return b.op("ReduceMean", []string{x}, onnx.AttrInts("axes", axes...), onnx.AttrInt("keepdims", 1))
}

// cast is x in another type.
func (b *body) cast(x string, d tensor.DType) string {
	return b.typed(d, "Cast", []string{x}, onnx.AttrInt("to", int64(d)))
}

// done ends the body with the node that has the name and output of the one whose place it takes.
func (b *body) done(name string, ins []string, attrs ...*onnxpb.AttributeProto) ([]*onnxpb.NodeProto, error) {
	if b.err != nil {
		return nil, b.err
	}
	if b.half != tensor.Undefined {
		ins, attrs, name = []string{b.op(name, ins, attrs...)}, []*onnxpb.AttributeProto{onnx.AttrInt("to", int64(b.half))}, "Cast"
	}
	return keep(becomes(b.n, name, ins, attrs...), b.nodes...), nil
}

// decimal is a number of an attribute, given where it is left out; one that is taken from the call of a function is an error.
func decimal(n *onnxpb.NodeProto, name string, given float32) (float64, error) {
	switch a := attr(n, name); {
	case a == nil:
		return float64(given), nil
	case a.GetRefAttrName() != "":
		return 0, fmt.Errorf("attribute %s is taken from the call of the function, and its body needs the number", name)
	default:
		return float64(a.GetF()), nil
	}
}
