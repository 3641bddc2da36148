package convert

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// The sizes were an input or attribute in version 1, an attribute in 2 and are an input from 13 on; 18 counts equal parts by
// num_outputs, the last of which may be smaller.
func init() {
	register("Split", 2, rule{up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) { return toAttribute(k, n, "split", 1) }})
	register("Split", 13, rule{
		up:   func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) { return toInput(k, n, "split", 1) },
		down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) { return toAttribute(k, n, "split", 1) },
	})
	register("Split", 18, rule{
		up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			if input(n, 1) == "" {
				put(n, onnx.AttrInt("num_outputs", int64(len(n.GetOutput()))))
			}
			return keep(n), nil
		},
		down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			if input(n, 1) != "" {
				drop(n, "num_outputs")
				return keep(n), nil
			}
			parts, ok := number(n, "num_outputs", int64(len(n.GetOutput())))
			axis, ok2 := number(n, "axis", 0)
			dims, known := k.s.Shape(input(n, 0))
			if !ok || !ok2 || parts < 1 || parts != int64(len(n.GetOutput())) {
				return nil, errors.New("num_outputs is not the number of its outputs, or is taken from the call of the function")
			}
			drop(n, "num_outputs")
			if axis < 0 && known {
				axis += int64(len(dims))
			}
			if !known || axis < 0 || axis >= int64(len(dims)) || dims[axis] < 0 {
				return k.splitAtRun(n, axis, parts)
			}
			size := dims[axis]
			if size%parts == 0 {
				return keep(n), nil
			}
			each := (size + parts - 1) / parts
			sizes := make([]int64, parts)
			for i := range sizes {
				sizes[i] = max(0, min(each, size-int64(i)*each))
			}
			if sizes[parts-1] == 0 {
				return nil, fmt.Errorf("%d cannot be cut into %d parts", size, parts)
			}
			name, nodes := k.add(n, "split", tensor.From(sizes, len(sizes)))
			setInput(n, 1, name)
			return keep(n, nodes...), nil
		},
	})
}

// splitAtRun gives n sizes that are computed: all the same, rounded up, but for the last.
func (k *conv) splitAtRun(n *onnxpb.NodeProto, axis, parts int64) ([]*onnxpb.NodeProto, error) {
	if k.to < 13 {
		return nil, errors.New("it cuts an axis of unknown size into parts of which the last may be smaller, which it could not before")
	}
	b := &body{k: k, n: n, d: tensor.Int64}
	number := func(v int64) string { return b.constant("number", tensor.From([]int64{v}, 1)) }
	size := b.op("Gather", []string{b.op("Shape", []string{input(n, 0)}), number(axis)})
	each := b.op("Div", []string{b.op("Add", []string{size, number(parts - 1)}), number(parts)})
	last := b.op("Sub", []string{size, b.op("Mul", []string{each, number(parts - 1)})})
	var sizes []string
	for range parts - 1 {
		sizes = append(sizes, each)
	}
	setInput(n, 1, b.op("Concat", append(sizes, last), onnx.AttrInt("axis", 0)))
	return keep(n, b.nodes...), nil
}
