// Package rewrite holds the passes that change a graph without changing what it computes, or change it in one documented way:
// folding constants, dropping dead nodes, merging equal ones, widening half precision, fusing for inference.
package rewrite

import (
	"github.com/gtk-onnx/gtk/engine/graph"
)

// Dead removes the nodes that none of keep and the graph's outputs depend on, and the optional outputs that nobody reads.
func Dead(g *graph.Graph, keep []graph.Value) {
	live := make([]bool, g.NumValues())
	for _, v := range keep {
		live[v] = true
	}
	for _, v := range g.Outputs {
		live[v] = true
	}
	var kept []*graph.Node
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := g.Nodes[i]
		used := false
		for _, v := range n.Out {
			used = used || (v != 0 && live[v])
		}
		if !used {
			continue
		}
		for k, v := range n.Out {
			if v != 0 && !live[v] {
				if f := n.Op.FormalOut(k); f != nil && f.Optional {
					n.Out[k] = 0
				}
			}
		}
		for _, v := range n.In {
			live[v] = true
		}
		kept = append(kept, n)
	}
	for i, j := 0, len(kept)-1; i < j; i, j = i+1, j-1 {
		kept[i], kept[j] = kept[j], kept[i]
	}
	g.Nodes = kept
}
