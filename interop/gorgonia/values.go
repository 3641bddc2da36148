// Package gorgonia lets programs built on gorgonia.org/gorgonia use gtk, and the reverse:
//
//   - [Op] makes an ONNX model one operator of a gorgonia graph, with its gradient by inputs and parameters;
//   - [Solver] makes a gorgonia.Solver of an optimiser, so that a gorgonia graph trains with diffGrad, with
//     decoupled decay, clipped by global norm, on a schedule;
//   - [FromSolver] makes gorgonia's own solvers step gtk's parameters;
//   - [UseSGEMM] gives gorgonia, its tensor package and gonum a faster single-precision matrix product.
package gorgonia

import (
	"errors"
	"fmt"
	"unsafe"

	G "gorgonia.org/gorgonia"
	T "gorgonia.org/tensor"

	// Keeps the version that go.mod requires: gorgonia's own choice panics on start with a Go as new as this one.
	_ "go4.org/unsafe/assume-no-moving-gc"

	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

// Params views values of gorgonia as parameters that share their memory, in the same order: *tensor.Dense of
// float32 or float64, and scalars. Their names are "index:name", because names need not be unique in gorgonia.
// A gradient that is a transposed or sliced view is copied. All parameters decay, as with gorgonia's solvers.
//
// Params is what [optim.Optimizer.Restore] needs to resume a training.
func Params(model []G.ValueGrad) ([]*optim.Param, error) {
	ps := make([]*optim.Param, len(model))
	for i, m := range model {
		p, err := param(i, m)
		if err != nil {
			return nil, err
		}
		ps[i] = p
	}
	return ps, nil
}

func param(i int, m G.ValueGrad) (*optim.Param, error) {
	name := fmt.Sprintf("%d:", i)
	if m == nil {
		return nil, fmt.Errorf("gorgonia: parameter %s is nil", name)
	}
	if n, ok := m.(G.Namer); ok {
		name += n.Name()
	}
	g, err := m.Grad()
	if err != nil {
		return nil, fmt.Errorf("gorgonia: parameter %s: no gradient: %w", name, err)
	}
	if d, ok := g.(*T.Dense); ok && d != nil && !plain(d) && d.IsMaterializable() {
		g, _ = d.Materialize().(*T.Dense)
	}
	p := &optim.Param{Name: name, Decay: true}
	if p.W, err = view(m.Value()); err != nil {
		return nil, fmt.Errorf("gorgonia: parameter %s: weights: %w", name, err)
	}
	if p.G, err = view(g); err != nil {
		return nil, fmt.Errorf("gorgonia: parameter %s: gradient: %w", name, err)
	}
	return p, nil
}

// plain reports whether the elements of d lie in memory in row-major order without gaps.
func plain(d *T.Dense) bool {
	return d.IsNativelyAccessible() && !d.RequiresIterator() && !d.DataOrder().IsColMajor()
}

// view is the tensor that shares the memory of v.
func view(v G.Value) (*tensor.Tensor, error) {
	switch v := v.(type) {
	case *G.F32:
		return scalar((*float32)(v))
	case *G.F64:
		return scalar((*float64)(v))
	case *T.Dense:
		switch {
		case v == nil:
		case !plain(v):
			return nil, fmt.Errorf("%v%v is not contiguous in row-major order; use a materialised copy", v.Dtype(), v.Shape())
		case v.Dtype() == T.Float32:
			return dense(v.Float32s(), v.Shape())
		case v.Dtype() == T.Float64:
			return dense(v.Float64s(), v.Shape())
		default:
			return nil, fmt.Errorf("%v%v; only float32 and float64 can be trained", v.Dtype(), v.Shape())
		}
	}
	return nil, fmt.Errorf("%T is not a dense tensor and not a floating-point scalar", v)
}

func scalar[F optim.Float](v *F) (*tensor.Tensor, error) {
	if v == nil {
		return nil, errors.New("nil scalar")
	}
	return tensor.From(unsafe.Slice(v, 1)), nil
}

func dense[F optim.Float](data []F, shape T.Shape) (*tensor.Tensor, error) {
	if n, err := tensor.Shape(shape).CheckedLen(tensor.DTypeOf[F]()); err != nil || n != len(data) {
		return nil, fmt.Errorf("%d elements do not fill shape %v", len(data), shape)
	}
	return tensor.From(data, shape...), nil
}
