package convert

import (
	"errors"
	"math"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// From version 15 on it may be a part of the shape.
func init() {
	register("Shape", 15, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		start, ok := number(n, "start", 0)
		end, ok2 := number(n, "end", math.MaxInt64)
		if !ok || !ok2 {
			return nil, errors.New("its start or end is taken from the call of the function, and came with operator set 15")
		}
		drop(n, "start", "end")
		if start == 0 && end == math.MaxInt64 {
			return keep(n), nil
		}
		if k.to < 10 {
			return nil, errors.New("its start or end came with operator set 15")
		}
		all, shape := k.part(n, "Shape", "shape", tensor.Int64, n.GetInput())
		from, a := k.add(n, "start", tensor.From([]int64{start}, 1))
		to, b := k.add(n, "end", tensor.From([]int64{end}, 1))
		return keep(becomes(n, "Slice", []string{shape, from, to}), append(append(a, b...), all)...), nil
	}})
}
