// Package rewrite holds the passes that change a graph without changing what it computes, or change it in one documented way:
// folding constants, dropping dead nodes, merging equal ones, widening half precision, fusing for inference.
package rewrite

import (
	"github.com/gtk-onnx/gtk/engine/graph"
)

// Dead removes the nodes that none of keep and the graph's outputs depend on, the optional outputs that nobody reads, and what bodies
// compute or capture in vain.
func Dead(g *graph.Graph, keep []graph.Value) { g.Prune(keep) }
