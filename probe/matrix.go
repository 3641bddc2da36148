package probe

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/task"
)

// Matrix is what stands in the place of the Hessian.
type Matrix string

// The matrices. With the loss as a function ℓ of what the model gives, z, and z' the Jacobian of that: z'ᵀ·∇²ℓ·z'; for the cross-entropy,
// with diag(p) alone in place of ∇²ℓ = diag(p) − ppᵀ; and the mean of gᵢ·gᵢᵀ over the gradients of the loss of each example.
const (
	GaussNewton Matrix = "ggn"
	WeightedGN  Matrix = "wgn"
	Fisher      Matrix = "fisher"
)

// multiply adds the product of Config.Matrix with the vector that is fed.
func (l *Landscape) multiply(b *engine.Build) (engine.Outputs, error) {
	loss, err := l.c.Loss(b)
	if err != nil {
		return nil, err
	}
	z, err := b.Value(l.c.Task.Reads())
	if err != nil {
		return nil, err
	}
	var wrt, v []graph.Value
	for _, p := range l.params {
		w, err := b.Value(p.Name)
		if err != nil {
			return nil, err
		}
		dims := []graph.Dim{}
		for _, n := range p.Value.Shape() {
			dims = append(dims, graph.Dim{Size: n})
		}
		wrt, v = append(wrt, w), append(v, b.Input(directionInput+p.Name, p.Value.DType(), dims))
	}
	var hv []graph.Value
	switch l.c.Matrix {
	case GaussNewton:
		hv, err = grad.GaussNewton(b.G, loss, z, wrt, v, grad.Options{})
	case WeightedGN:
		var w graph.Value
		if w, err = l.weight(b, z); err == nil {
			hv, err = grad.Weighted(b.G, z, w, wrt, v, grad.Options{})
		}
	case Fisher:
		hv, err = l.fisher(b, wrt, v)
	default:
		return nil, fmt.Errorf("probe: there is no matrix %q: want ggn, wgn or fisher", l.c.Matrix)
	}
	if err != nil {
		return nil, err
	}
	out := engine.Outputs{}
	for i, p := range l.params {
		if hv[i] != 0 {
			out[directionInput+p.Name] = hv[i]
		}
	}
	return out, b.Err()
}

// weight is what the second derivative of the loss by z has on its diagonal without the square: of an example, its weight times p.
func (l *Landscape) weight(b *engine.Build, z graph.Value) (graph.Value, error) {
	t := l.c.Task
	ce, ok := t.Loss.(*task.CrossEntropy)
	if !ok || t.Kind != task.Multiclass || t.Uneven() || t.Reads() != t.Head.Logits || ce.Weights != "" ||
		l.c.Rows != nil {
		return 0, errors.New("probe: the weighted Gauss-Newton matrix (wgn) is that of the cross-entropy of one class an example, from " +
			"logits, without weights of classes and without a teacher: take ggn")
	}
	d := b.DType(z)
	w := b.Input(task.WeightInput, d, []graph.Dim{{Size: -1, Symbol: "N"}})
	p := b.Add(ops.Softmax, ops.AlongAxis(1), b.Add(ops.Flatten, nil, z))
	p = b.Add(ops.Mul, nil, p, b.Add(ops.Unsqueeze, nil, w, b.Ints(1)))
	return b.Add(ops.Reshape, nil, p, b.Add(ops.Shape, nil, z)), b.Err()
}

// fisher is the mean of the products of the gradients of the examples. Those of the weighted losses w·ℓᵢ are w times as long, and w is one
// over the number of terms.
func (l *Landscape) fisher(b *engine.Build, wrt, v []graph.Value) ([]graph.Value, error) {
	if l.c.Rows != nil {
		return nil, errors.New("probe: the Fisher matrix is that of the loss of the task, without a teacher: take ggn")
	}
	each, err := l.c.Task.PerTerm()(b)
	if err != nil {
		return nil, err
	}
	hv, err := grad.OuterProducts(b.G, each, wrt, v, grad.Options{})
	if err != nil {
		return nil, err
	}
	for i, h := range hv {
		if h != 0 {
			hv[i] = b.Add(ops.Mul, nil, h, b.Scalar(b.DType(h), l.total))
		}
	}
	return hv, b.Err()
}
