// Package ml holds the operators of the domain ai.onnx.ml, classical models as scikit-learn, LightGBM and XGBoost export them: one file
// per operator. Importing it adds them to ops.Standard.
//
// Where ONNX's text leaves something open, or says it in a way that no exporter follows, an operator does what ONNX Runtime does, which
// exporters check themselves against; its comment says so.
package ml

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Domain is ONNX's domain of classical models.
const Domain = "ai.onnx.ml"

// define fills the handle s with d, in Domain, and adds it to ops.Standard.
func define[A any](s *graph.Spec, d graph.Def[A]) {
	d.Domain = Domain
	d.Doc = "https://onnx.ai/onnx/operators/onnx_aionnxml_" + d.Name + ".html"
	*s = *d.Spec()
	ops.Standard.Add(s)
}

// Element type sets of formals.
var (
	numbers  = []tensor.DType{tensor.Float32, tensor.Float64, tensor.Int64, tensor.Int32}
	reals    = []tensor.DType{tensor.Float32, tensor.Float64}
	entries  = []tensor.DType{tensor.Float32, tensor.Float64, tensor.Int64, tensor.Int32, tensor.String}
	float32s = []tensor.DType{tensor.Float32}
)

// outType is a Types rule: every output has type d.
func outType[A any](d tensor.DType) func(*A, []tensor.DType, []tensor.DType) error {
	return func(_ *A, _, out []tensor.DType) error {
		for i := range out {
			out[i] = d
		}
		return nil
	}
}

// sameShape is the shape rule of elementwise operators.
func sameShape[A any](_ *A, c *graph.InferCtx) error {
	c.Out(0, c.Shape(0)...)
	return nil
}

// table is X as rows and columns: [N,C], or [C], which is one row.
func table(s tensor.Shape) (rows, columns int, err error) {
	switch len(s) {
	case 1:
		return 1, s[0], nil
	case 2:
		return s[0], s[1], nil
	}
	return 0, 0, fmt.Errorf("shape %v: want [N,C] or [C]", s)
}

// real is a type to compute in.
type real interface{ float32 | float64 }

// numbersOf are the elements of x, which must not be changed, in type T.
func numbersOf[T real](x *tensor.Tensor) ([]T, error) {
	d := tensor.Float32
	if _, double := any(*new(T)).(float64); double {
		d = tensor.Float64
	}
	t, err := x.Convert(d)
	if err != nil {
		return nil, err
	}
	return tensor.Data[T](t), nil
}

// widened are the elements of a list of attributes in double precision.
func widened(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// exactlyOne fails unless exactly one of the two attributes has elements.
func exactlyOne(a string, na int, b string, nb int) error {
	if (na > 0) == (nb > 0) {
		return fmt.Errorf("attributes %s and %s have %d and %d elements: want one of them", a, b, na, nb)
	}
	return nil
}
