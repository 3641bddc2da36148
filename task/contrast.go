package task

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/options"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/tensor"
)

// Views says how many views of each example lie in a batch, one after another: [N·B,…] is view 0 of all B examples, then view 1. Those
// from Global on are crops of a small part, which are compared with the global ones but are nobody's positives.
type Views struct{ N, Global int }

// Objective is a loss that needs no labels: it compares what a model says of several views of the same examples. One file registers one;
// its options are the tagged fields of its struct.
type Objective interface {
	// Least is the least number of examples in a batch.
	Least() int
	// Of adds the loss of the projections z [N·B,F], a scalar.
	Of(b *engine.Build, v Views, z graph.Value) graph.Value
}

var objectives = registry.Table[func() Objective]{Kind: "objective"}

// Objectives is the table of objectives; each entry makes one with its default options.
func Objectives() *registry.Table[func() Objective] { return &objectives }

// ObjectiveOptions lists the options of an objective with their defaults.
func ObjectiveOptions(name string) []options.Option {
	made, err := objectives.Lookup(name)
	if err != nil {
		return nil
	}
	return options.List(made())
}

// NewObjective makes the objective NAME:KEY=VALUE:….
func NewObjective(spec string) (name string, o Objective, err error) {
	return options.Make(&objectives, spec, map[string]string{"ntxent": "nt-xent"})
}

// Contrast is o as the loss of the value called projection, for engine.Query.Loss.
func Contrast(o Objective, v Views, projection string) engine.Loss {
	return func(b *engine.Build) (graph.Value, error) {
		if v.N < 2 || v.Global < 1 || v.Global > v.N {
			return 0, fmt.Errorf("task: %d views of which %d are global: want at least two, and one that is global", v.N, v.Global)
		}
		z, err := b.Value(projection)
		if err != nil {
			return 0, err
		}
		if d := b.DType(z); d != tensor.Float64 && d != tensor.Float32 {
			z = b.Add(ops.Cast, ops.CastTo(tensor.Float32), z)
		}
		return o.Of(b, v, b.Add(ops.Flatten, nil, z)), b.Err()
	}
}

// directions are the rows of z [N·B,F] brought to length one, view by view.
func directions(b *engine.Build, v Views, z graph.Value) []graph.Value {
	d := b.DType(z)
	size := b.Add(ops.ReduceSumSquare, ops.KeepDims(true), z, b.Ints(1))
	size = b.Add(ops.Sqrt, nil, b.Add(ops.Max, nil, size, b.Scalar(d, 1e-24))) // zeros stay zeros, with a gradient of zero
	n := attrs(b.Builder, ops.Split, graph.Attrs{"axis": int64(0), "num_outputs": int64(v.N)})
	return b.AddN(ops.Split, n, v.N, b.Add(ops.Div, nil, z, size))
}

// cosines are all of two views, [B,B].
func cosines(b *engine.Build, x, y graph.Value) graph.Value {
	return b.Add(ops.MatMul, nil, x, b.Add(ops.Transpose, ops.Perm(1, 0), y))
}

// besides is s [B,B] less a number on its diagonal: the similarity of an example with itself says nothing.
func besides(b *engine.Build, s graph.Value, much float64) graph.Value {
	eye := b.Add(ops.EyeLike, nil, s)
	return b.Add(ops.Sub, nil, s, b.Add(ops.Mul, nil, eye, b.Scalar(b.DType(s), much)))
}

// pairwise is the cosine of row i of x with row i of y, [B,1].
func pairwise(b *engine.Build, x, y graph.Value) graph.Value {
	return b.Add(ops.ReduceSum, ops.KeepDims(true), b.Add(ops.Mul, nil, x, y), b.Ints(1))
}

// positives are the views that view a is compared with.
func (v Views) positives(a int) []int {
	var out []int
	for k := range v.Global {
		if k != a {
			out = append(out, k)
		}
	}
	return out
}
