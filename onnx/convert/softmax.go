package convert

import (
	"errors"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Up to version 12 all axes from axis on are one, from 13 on it is this axis alone.
func init() {
	for _, op := range []string{"Softmax", "LogSoftmax", "Hardmax"} {
		register(op, 13, rule{up: softmaxUp, down: softmaxDown})
	}
}

func softmaxUp(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
	axis, ok := number(n, "axis", 1)
	if !ok {
		return nil, errors.New("attribute axis is taken from the call of the function, and means something else")
	}
	dims, known := k.s.Shape(input(n, 0))
	if lastButOnes(dims, known, axis) {
		put(n, onnx.AttrInt("axis", axis))
		return keep(n), nil
	}
	x, d := input(n, 0), k.s.DType(input(n, 0))
	shape, sh := k.part(n, "Shape", "shape", tensor.Int64, []string{x})
	flat, f := k.part(n, "Flatten", "flat", d, []string{x}, onnx.AttrInt("axis", axis))
	soft, s := k.part(n, n.GetOpType(), "rows", d, []string{f}, onnx.AttrInt("axis", -1))
	return keep(becomes(n, "Reshape", []string{s, sh}), shape, flat, soft), nil
}

func softmaxDown(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
	axis, ok := number(n, "axis", -1)
	if !ok {
		return nil, errors.New("attribute axis is taken from the call of the function, and means something else")
	}
	dims, known := k.s.Shape(input(n, 0))
	if lastButOnes(dims, known, axis) {
		put(n, onnx.AttrInt("axis", axis))
		return keep(n), nil
	}
	r := int64(len(dims))
	if !known || axis < -r || axis >= r {
		return nil, errors.New("its axis alone is meant, and the rank of its input is not known")
	}
	if axis < 0 {
		axis += r
	}
	perm := make([]int64, r)
	for i := range perm {
		perm[i] = int64(i)
	}
	perm[axis], perm[r-1] = r-1, axis
	d := k.s.DType(input(n, 0))
	back, b := k.part(n, "Transpose", "axis-last", d, n.GetInput(), onnx.AttrInts("perm", perm...))
	soft, s := k.part(n, n.GetOpType(), "rows", d, []string{b}, onnx.AttrInt("axis", r-1))
	return keep(becomes(n, "Transpose", []string{s}, onnx.AttrInts("perm", perm...)), back, soft), nil
}

// lastButOnes reports whether all axes behind axis are of size 1, so that both readings agree.
func lastButOnes(dims []int64, known bool, axis int64) bool {
	if axis == -1 {
		return true
	}
	r := int64(len(dims))
	if axis < 0 {
		axis += r
	}
	if !known || axis < 0 || axis >= r {
		return false
	}
	for _, d := range dims[axis+1:] {
		if d != 1 {
			return false
		}
	}
	return true
}
