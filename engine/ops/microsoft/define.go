// Package microsoft holds the operators of the domain com.microsoft, as exporters and ONNX Runtime's optimiser write them: one file per
// operator. Nearly all are what they are made of, in operators of ai.onnx (graph.Def.Lower), so that kernels, gradients and rules per
// example are those of package ops.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
package microsoft

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// Domain is the domain of these operators.
const Domain = "com.microsoft"

// define fills the handle s with d, of the domain com.microsoft, and adds it to ops.Standard.
func define[A any](s *graph.Spec, d graph.Def[A]) {
	d.Domain = Domain
	*s = *d.Spec()
	ops.Standard.Add(s)
}
