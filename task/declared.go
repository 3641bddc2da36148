package task

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// symbolSizes are the extents of symbolic axes for inputs of the shapes in.
func symbolSizes(m *engine.Model, in []tensor.Shape) map[string]int {
	sizes := map[string]int{}
	for i, x := range m.Inputs() {
		for k, d := range x.Dims {
			if d.Symbol != "" && d.Size < 0 && i < len(in) && k < len(in[i]) {
				sizes[d.Symbol] = in[i][k]
			}
		}
	}
	return sizes
}

// written is the shape of an output as the file declares it, where symbols have the given sizes: for what only a run can infer. nil when an
// axis is open.
func written(sizes map[string]int, io engine.IO) tensor.Shape {
	if io.Dims == nil {
		return nil
	}
	shape := make(tensor.Shape, len(io.Dims))
	for k, d := range io.Dims {
		n, known := sizes[d.Symbol]
		switch {
		case d.Size >= 0:
			shape[k] = d.Size
		case known && d.Symbol != "":
			shape[k] = n
		default:
			return nil
		}
	}
	return shape
}

// batchSymbols are the symbols of the first axes of the inputs, up to an input that has its symbol twice: "None" and the like stand for any
// size.
func batchSymbols(m *engine.Model) map[string]bool {
	symbols := map[string]bool{}
	for _, in := range m.Inputs() {
		if len(in.Dims) == 0 || in.Dims[0].Symbol == "" {
			continue
		}
		if slices.ContainsFunc(in.Dims[1:], func(d graph.Dim) bool { return d.Symbol == in.Dims[0].Symbol }) {
			break
		}
		symbols[in.Dims[0].Symbol] = true
	}
	return symbols
}

// paired reports whether an axis behind the first has the size of the batch, as the similarities of CLIP do: a row is no example's alone.
func paired(batches map[string]bool, io engine.IO) bool {
	for k, d := range io.Dims {
		if k > 0 && batches[d.Symbol] {
			return true
		}
	}
	return false
}
