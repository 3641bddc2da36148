package rewrite

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// Integers computes in numbers of 8 bits what stands between DequantizeLinear and QuantizeLinear, layer by layer, where their scales are
// constants and nothing else reads what is between, no gradient either; values in keep stay available. The results differ from those in
// float32 by the rounding of sums that lie between two steps. It comes before constants are folded, which would hide quantised weights.
func Integers(g *graph.Graph, keep []graph.Value) error {
	f := newFuser(g, keep)
	only := func(v graph.Value) *graph.Node { return f.only[v] }
	for _, q := range f.nodes() {
		if q.Op != ops.QuantizeLinear || q.For != nil || q.Frozen {
			continue
		}
		b := graph.NewBuilder(g)
		n := ops.InIntegers(b, q, only)
		if n == nil {
			if err := b.Err(); err != nil {
				return err
			}
			continue
		}
		g.Nodes = g.Nodes[:len(g.Nodes)-1] // it takes the place of q
		f.at[n] = f.at[q]
		f.places[f.at[q]] = n
		delete(f.at, q)
		out := q.Out[0]
		n.Out[0] = out
		info := g.Info(out)
		info.Def, info.Index = n, 0
	}
	f.done()
	Dead(g, keep)
	return nil
}
