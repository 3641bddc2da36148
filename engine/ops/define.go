// Package ops holds the operators: one file per ONNX operator, with its specification, attributes, shape rule, kernel call,
// gradient and per-example rule, and beside it the private operators (domain "gtk") that its gradient needs.
//
// A gradient operator takes a reference input ("like X") where ONNX would compute a shape, so that derived graphs are
// free of shapes.
package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Standard is the set of all operators of this package.
var Standard = graph.NewSet()

// Private is the domain of the operators that ONNX does not have.
const Private = "gtk"

// define fills the handle s with d and adds it to Standard. Handles are declared first and filled in init, because the
// gradient rules of operators refer to each other.
func define[A any](s *graph.Spec, d graph.Def[A]) {
	*s = *d.Spec()
	Standard.Add(s)
}

// noAttrs is the attribute struct of operators that have none.
type noAttrs struct{}

// Element type sets of formals.
var (
	floats  = []tensor.DType{tensor.Float32, tensor.Float64}
	numeric = []tensor.DType{tensor.Float32, tensor.Float64, tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64, tensor.Uint8,
		tensor.Uint16, tensor.Uint32, tensor.Uint64}
	indexes = []tensor.DType{tensor.Int32, tensor.Int64}
	int64s  = []tensor.DType{tensor.Int64}
	bools   = []tensor.DType{tensor.Bool}
)

// sameShape is the shape rule of elementwise operators of one input.
func sameShape[A any](_ *A, c *graph.InferCtx) error {
	for i := range c.NumOut() {
		c.Out(i, c.Shape(0)...)
	}
	return nil
}

// outType is a Types rule: every output has type d.
func outType[A any](d tensor.DType) func(*A, []tensor.DType, []tensor.DType) error {
	return func(_ *A, _, out []tensor.DType) error {
		for i := range out {
			out[i] = d
		}
		return nil
	}
}

// typeOf is a Types rule: every output has the type of input i.
func typeOf[A any](i int) func(*A, []tensor.DType, []tensor.DType) error {
	return func(_ *A, in, out []tensor.DType) error {
		for k := range out {
			out[k] = in[i]
		}
		return nil
	}
}

// broadcast is the shape that a and b broadcast to, as NumPy does: https://onnx.ai/onnx/repo-docs/Broadcasting.html
func broadcast(a, b tensor.Shape) (tensor.Shape, error) {
	r := max(len(a), len(b))
	out := make(tensor.Shape, r)
	for i := range r {
		x, y := 1, 1
		if k := i - (r - len(a)); k >= 0 {
			x = a[k]
		}
		if k := i - (r - len(b)); k >= 0 {
			y = b[k]
		}
		switch {
		case x == y || y == 1:
			out[i] = x
		case x == 1:
			out[i] = y
		default:
			return nil, fmt.Errorf("shapes %v and %v do not broadcast", a, b)
		}
	}
	return out, nil
}

// axis is the axis a of a shape of rank r, counted from the end when negative.
func axis(a, r int) (int, error) {
	if a < -r || a >= r {
		return 0, fmt.Errorf("axis %d is outside rank %d", a, r)
	}
	if a < 0 {
		a += r
	}
	return a, nil
}

// axesOf counts the axes list of a shape of rank r from the front, and tells which there are. One that is given twice is an error.
func axesOf(list []int, r int) (at []int, in []bool, err error) {
	at, in = make([]int, len(list)), make([]bool, r)
	for i, a := range list {
		if at[i], err = axis(a, r); err != nil {
			return nil, nil, err
		}
		if in[at[i]] {
			return nil, nil, fmt.Errorf("axis %d is given twice", a)
		}
		in[at[i]] = true
	}
	return at, in, nil
}

// product of the extents.
func product(s []int) int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// only returns grads with g at position i and none elsewhere.
func only(n *graph.Node, i int, g graph.Value) []graph.Value {
	out := make([]graph.Value, n.NumIn)
	out[i] = g
	return out
}

// add, sub, mul, div and neg are the arithmetic of gradient rules. A 0 operand of add is no term at all.
func add(b *graph.Builder, x, y graph.Value) graph.Value {
	switch {
	case x == 0:
		return y
	case y == 0:
		return x
	}
	return Plus(b, x, y)
}
func sub(b *graph.Builder, x, y graph.Value) graph.Value { return b.Add(Sub, nil, x, y) }
func mul(b *graph.Builder, x, y graph.Value) graph.Value { return b.Add(Mul, nil, x, y) }
func div(b *graph.Builder, x, y graph.Value) graph.Value { return b.Add(Div, nil, x, y) }
func neg(b *graph.Builder, x graph.Value) graph.Value    { return b.Add(Neg, nil, x) }

// scale is x times the constant k.
func scale(b *graph.Builder, x graph.Value, k float64) graph.Value {
	return mul(b, x, b.Scalar(b.DType(x), k))
}

// sumLike is dy summed over the axes along which like was broadcast to dy's shape.
func sumLike(b *graph.Builder, dy, like graph.Value) graph.Value {
	if dy == 0 {
		return 0
	}
	return b.Add(ReduceSumLike, nil, dy, like)
}
