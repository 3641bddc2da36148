package convert

import (
	"errors"
	"math"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Attention came with version 23. Its body is written for as many heads of keys as of queries, without past keys.
func init() {
	register("Attention", 23, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		b, err := k.bodyOf(n, 23)
		if err != nil {
			return nil, err
		}
		no := func(why string) ([]*onnxpb.NodeProto, error) {
			return nil, errors.New("the operator came with operator set 23, and its body is not written where " + why)
		}
		q, known := k.s.Shape(input(n, 0))
		key, known2 := k.s.Shape(input(n, 1))
		if !known || !known2 || len(q) != len(key) || len(q) != 3 && len(q) != 4 {
			return no("the ranks of queries and keys are not known")
		}
		causal, ok := number(n, "is_causal", 0)
		heads, ok2 := number(n, "q_num_heads", 0)
		kvHeads, ok3 := number(n, "kv_num_heads", 0)
		precision, ok4 := number(n, "softmax_precision", 0)
		softcap, err := decimal(n, "softcap", 0)
		if err != nil || !(ok && ok2 && ok3 && ok4) {
			return no("attributes are taken from the call of a function")
		}
		if len(q) == 4 {
			heads, kvHeads = q[1], key[1]
		}
		switch {
		case heads < 1 || heads != kvHeads:
			return no("heads of queries and keys may differ in number")
		case input(n, 6) != "" || shorter(k, input(n, 3), key[len(key)-2]):
			return no("fewer keys count than there are")
		case input(n, 4)+input(n, 5)+output(n, 1)+output(n, 2)+output(n, 3) != "":
			return no("there are past keys, or outputs beside the first")
		case softcap != 0 || precision != 0 && tensor.DType(precision) != b.d:
			return no("softcap or softmax_precision are given")
		case causal != 0 && (q[len(q)-2] < 0 || key[len(q)-2] < 0 || q[len(q)-2]*key[len(q)-2] > 1<<22):
			return no("it is causal, and the lengths are not known, or large")
		}
		size := q[len(q)-1]
		if len(q) == 3 && size > 0 {
			size /= heads
		}
		scale, err := decimal(n, "scale", 0)
		if err != nil || scale == 0 && size < 1 {
			return no("the size of a head, of which the scale follows, is not known")
		}
		if scale == 0 {
			scale = 1 / math.Sqrt(float64(size))
		}
		return b.attention(heads, math.Sqrt(scale), causal != 0, q, key)
	}})
}

// shorter reports whether the mask is known to be for another number of keys.
func shorter(k *conv, mask string, keys int64) bool {
	s, known := k.s.Shape(mask)
	return known && len(s) > 0 && s[len(s)-1] > 1 && keys >= 0 && s[len(s)-1] != keys
}

// attention is softmax(s·Q(s·K)ᵀ + mask)·V for each head.
func (b *body) attention(heads int64, s float64, causal bool, q, key []int64) ([]*onnxpb.NodeProto, error) {
	x := [3]string{input(b.n, 0), input(b.n, 1), input(b.n, 2)}
	flat := len(q) == 3
	if flat {
		shape := b.constant("heads", tensor.From([]int64{0, 0, heads, -1}, 4))
		for i := range x {
			x[i] = b.op("Transpose", []string{b.op("Reshape", []string{x[i], shape})}, onnx.AttrInts("perm", 0, 2, 1, 3))
		}
	}
	root := b.number(s)
	kt := b.op("Transpose", []string{x[1]}, onnx.AttrInts("perm", 0, 1, 3, 2))
	score := b.op("MatMul", []string{b.op("Mul", []string{x[0], root}), b.op("Mul", []string{kt, root})})
	if mask := input(b.n, 3); mask != "" {
		switch b.k.s.DType(mask) {
		case tensor.Undefined:
			return nil, errors.New("the operator came with operator set 23, and the type of its mask, which its body needs, is not known")
		case tensor.Bool:
			mask = b.op("Where", []string{mask, b.number(0), b.number(math.Inf(-1))})
		}
		score = b.op("Add", []string{score, mask})
	}
	if causal {
		rows, cols := int(q[len(q)-2]), int(key[len(q)-2])
		m := make([]float64, rows*cols)
		for i := range m {
			if i%cols > i/cols {
				m[i] = math.Inf(-1)
			}
		}
		t, err := tensor.From(m, rows, cols).Convert(b.d)
		if err != nil {
			return nil, err
		}
		score = b.op("Add", []string{score, b.constant("causal", t)})
	}
	p := b.op("Softmax", []string{score}, onnx.AttrInt("axis", -1))
	if !flat {
		return b.done("MatMul", []string{p, x[2]})
	}
	y := b.op("Transpose", []string{b.op("MatMul", []string{p, x[2]})}, onnx.AttrInts("perm", 0, 2, 1, 3))
	return b.done("Reshape", []string{y, b.constant("joined", tensor.From([]int64{0, 0, -1}, 3))})
}
