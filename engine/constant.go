package engine

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// constantNode names the content of a Constant node in s.
func (im *importer) constantNode(s *scope, np *onnxpb.NodeProto, where string) error {
	out := np.GetOutput()[0]
	if err := im.spend(len(im.prefix) + len(out)); err != nil {
		return err
	}
	as := np.GetAttribute()
	if len(as) == 1 && as[0].GetSparseTensor() != nil {
		im.sparse(s, out, as[0].GetSparseTensor(), where)
		return nil
	}
	var t *tensor.Tensor
	var from tensor.DType
	var err error
	if len(as) == 1 && onnx.AttrType(as[0]) == onnxpb.AttributeProto_TENSOR {
		t, from, err = im.tensor(as[0].GetT())
	} else {
		var attrs graph.Attrs
		if attrs, _, err = im.attributes(s, np, nil); err == nil {
			t, err = constantOf(attrs)
		}
		if err == nil {
			from = t.DType()
		}
	}
	if err != nil {
		return err
	}
	im.constant(s, out, t, from, im.known[as[0]])
	if im.known[as[0]] == nil {
		im.leaveOut(out, from, t.Shape(), dependsOnCall)
	}
	return nil
}

// constantOf is the tensor of a Constant node.
func constantOf(attrs graph.Attrs) (*tensor.Tensor, error) {
	for name, v := range attrs {
		switch x := v.(type) {
		case *tensor.Tensor:
			return wide(x, name)
		case int64:
			return tensor.Scalar(x), nil
		case float32:
			return tensor.Scalar(x), nil
		case []int64:
			return tensor.From(x, len(x)), nil
		case []float32:
			return tensor.From(x, len(x)), nil
		case string:
			return tensor.FromStrings([]string{x}), nil
		case []string:
			return tensor.FromStrings(x, len(x)), nil
		default:
			return nil, fmt.Errorf("attribute %s has a type that Constant does not take", name)
		}
	}
	return nil, errors.New("has no value attribute")
}

// copied is about what a copy of n takes: its lists and nodes, not the contents of tensors.
func copied(n *onnxpb.NodeProto) int {
	bytes := 256
	for _, a := range n.GetAttribute() {
		bytes += 128 + listBytes(a)
		for _, b := range a.GetG().GetNode() {
			bytes += copied(b)
		}
	}
	return bytes
}

// listBytes is about what a copy of the lists of an attribute takes.
func listBytes(a *onnxpb.AttributeProto) int {
	n := 8*len(a.GetInts()) + 4*len(a.GetFloats()) + 40*len(a.GetStrings()) + len(a.GetS())
	for _, s := range a.GetStrings() {
		n += len(s)
	}
	return n
}

// spend counts what functions copy with each call: names, which grow with the way to the call, and attributes.
func (im *importer) spend(n int) error {
	if im.bytes -= int64(n); im.bytes < 0 {
		return fmt.Errorf("engine: %w", &onnx.FormatError{Msg: "functions expand to too much: the names and attributes of their nodes take " +
			"more than 64 MiB and 16 times what the model holds"})
	}
	return nil
}
