package convert

import (
	"errors"
	"slices"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Version 18 has a scale and bias for each group, 21 for each channel. Before 18 it is an InstanceNormalization of groups.
func init() {
	register("GroupNormalization", 21, rule{
		up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			groups, ok := number(n, "num_groups", 0)
			dims, known := k.s.Shape(input(n, 0))
			b, err := k.bodyOf(n, 21)
			if err != nil || !ok || groups < 1 || !known || len(dims) < 2 || dims[1] < 0 || dims[1]%groups != 0 {
				return nil, errors.Join(err, errors.New("it has a scale and bias for each group, later for each channel, and how many channels "+
					"there are is not known"))
			}
			col := b.constant("column", tensor.From([]int64{groups, 1}, 2))
			wide := b.constant("channels", tensor.From([]int64{groups, dims[1] / groups}, 2))
			flat := b.constant("flat", tensor.From([]int64{-1}, 1))
			for i := 1; i <= 2; i++ {
				v := b.op("Expand", []string{b.op("Reshape", []string{input(n, i), col}), wide})
				setInput(n, i, b.op("Reshape", []string{v, flat}))
			}
			return keep(n, b.nodes...), nil
		},
		down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			if !is(n, "stash_type", 1, 1) {
				return nil, errors.New("attribute stash_type came with operator set 21")
			}
			dims, known := k.s.Shape(input(n, 0))
			if !known {
				return nil, errors.New("it has a scale and bias for each channel, before for each group, and the rank of its input is not known")
			}
			b, err := k.bodyOf(n, 21)
			if err != nil {
				return nil, err
			}
			groups, ok := number(n, "num_groups", 0)
			if !ok || groups < 1 || groups > 1<<20 {
				return nil, errors.New("attribute num_groups is not known")
			}
			one, zero := make([]float64, groups), make([]float64, groups)
			for i := range one {
				one[i] = 1
			}
			y := b.instances(groups, b.list("ones", one), b.list("zeros", zero))
			perChannel := slices.Concat([]int64{-1}, slices.Repeat([]int64{1}, max(0, len(dims)-2)))
			shape := b.constant("channels", tensor.From(perChannel, len(perChannel)))
			scale := b.op("Reshape", []string{input(n, 1), shape})
			bias := b.op("Reshape", []string{input(n, 2), shape})
			return b.done("Add", []string{b.op("Mul", []string{y, scale}), bias})
		},
	})
	register("GroupNormalization", 18, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		b, err := k.bodyOf(n, 18)
		if err != nil {
			return nil, err
		}
		groups, ok := number(n, "num_groups", 0)
		if !ok || groups < 1 {
			return nil, errors.New("attribute num_groups is not known")
		}
		return b.done("Identity", []string{b.instances(groups, input(n, 1), input(n, 2))})
	}})
}

// list is a constant of the type of the body.
func (b *body) list(what string, v []float64) string {
	t, err := tensor.From(v, len(v)).Convert(b.d)
	b.err = errors.Join(b.err, err)
	if err != nil {
		return ""
	}
	return b.constant(what, t)
}

// instances normalises each group of input 0 as an instance, with a scale and bias of each.
func (b *body) instances(groups int64, scale, bias string) string {
	eps, err := decimal(b.n, "epsilon", 1e-5)
	b.err = errors.Join(b.err, err)
	x := input(b.n, 0)
	g := b.op("Reshape", []string{x, b.constant("groups", tensor.From([]int64{0, groups, -1}, 3))})
	y := b.op("InstanceNormalization", []string{g, scale, bias}, onnx.AttrFloat("epsilon", float32(eps)))
	return b.op("Reshape", []string{y, b.typed(tensor.Int64, "Shape", []string{x})})
}
