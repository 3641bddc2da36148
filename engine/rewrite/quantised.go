package rewrite

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// Quantised computes sums, products and softmaxes of dequantised numbers that are quantised again in the quantised numbers, as ONNX Runtime
// does where it may (QLinearAdd, QLinearMul, QLinearSoftmax): it rounds otherwise than the three operators one after the other, and what
// its tools quantised was looked at with its arithmetic. Values in keep stay available. It is for graphs that are not differentiated.
func Quantised(g *graph.Graph, keep []graph.Value) {
	only := g.OnlyReaders()
	for _, list := range [][]graph.Value{keep, g.Outputs} {
		for _, v := range list {
			only[v] = nil
		}
	}
	for _, n := range g.Nodes {
		for _, body := range n.Bodies {
			Quantised(body.G, nil)
		}
		if n.Op != ops.QuantizeLinear {
			continue
		}
		if m := g.Info(n.In[0]).Def; m != nil && only[n.In[0]] == n {
			ops.QuantisedTriple(g, m, n)
		}
	}
}
