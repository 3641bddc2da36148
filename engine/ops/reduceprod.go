package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
)

// ReduceProd is the product over axes, as in ReduceSum. Its gradient is right where elements are 0 too; the gradient of that
// is not, where it would be due to an element that is 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__ReduceProd.html. Versions before 18 have the axes as an attribute.
var ReduceProd = new(graph.Spec)

func init() {
	defineReduce(ReduceProd, reduction{
		name: "ReduceProd", since: []int{18}, old: []int{1, 11, 13}, kind: kernel.ReduceProd,
		grad: func(r reduceNode, x, _, dy graph.Value) graph.Value {
			b := r.Builder
			// The product of the others: of all but the zeros, by the element, where no other is zero.
			zero := b.Scalar(b.DType(x), 0)
			isZero := b.Add(Equal, nil, x, zero)
			rest := b.Add(Where, nil, isZero, one(b, x), x)
			zeros := truth(b, isZero, x)
			others := sub(b, r.back(r.reduce(ReduceSum, zeros)), zeros)
			free := truth(b, b.Add(Equal, nil, others, zero), x)
			return mul(b, free, div(b, r.back(mul(b, dy, r.reduce(ReduceProd, rest))), rest))
		},
	})
}
