package engine

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// isHalf notes which outputs of n, a node of a file, are in half precision there. What half-precision inputs have been widened to tells.
func (im *importer) isHalf(n *graph.Node, attrs any) {
	g, any := im.main.g, false
	in, out := make([]tensor.DType, n.NumIn), make([]tensor.DType, len(n.Out))
	for i, v := range n.In[:n.NumIn] {
		if v == 0 {
			continue
		}
		if in[i] = g.Info(v).DType; im.halves[v] {
			in[i], any = tensor.Float16, true
		}
	}
	if !any || len(n.Bodies) > 0 || n.Op.Types(attrs, in, out) != nil {
		return
	}
	for i, v := range n.Out {
		if v != 0 && out[i] == tensor.Float16 && g.Info(v).DType == tensor.Float32 {
			im.halves[v] = true
		}
	}
}

// roundHalves rounds to half precision where ONNX Runtime does on a CPU. What a model in half precision computes is computed in single, and
// is rounded only where it passes a node that hands on half precision as it is (ops.KeepsHalf) and has a neighbour that does so too; a
// Cast to half precision that nothing but such nodes reads stays, others are bypassed. So a model gives the numbers that it was looked
// at with. There is no gradient in the rounding.
func (im *importer) roundHalves(g *graph.Graph) {
	if len(im.halves) == 0 {
		return
	}
	half := func(v graph.Value) bool { return v != 0 && im.halves[v] }
	readers := map[graph.Value][]*graph.Node{}
	keeps := map[*graph.Node]bool{} // has half precision in and out
	for _, n := range g.Nodes {
		for _, v := range n.In {
			if half(v) {
				readers[v] = append(readers[v], n)
			}
		}
		keeps[n] = ops.KeepsHalf(n.Op) && len(n.Bodies) == 0 && slices.ContainsFunc(n.Out, half)
	}
	made := func(v graph.Value) *graph.Node { // what computes v, nil where that is not rounded: inputs, weights, what was narrowed as whole
		def := g.Info(v).Def
		if def != nil && def.Op == ops.Cast && g.Info(def.In[0]).DType == tensor.Float16 {
			return nil
		}
		return def
	}
	wide := map[*graph.Node]bool{} // of those, in single precision: alone among nodes that do not
	for _, n := range g.Nodes {
		if !keeps[n] {
			continue
		}
		computed, alone := false, true
		for _, v := range n.In {
			if half(v) && g.Info(v).Def != nil {
				computed, alone = true, alone && !keeps[g.Info(v).Def]
			}
		}
		for _, v := range n.Out {
			if half(v) {
				alone = alone && !slices.ContainsFunc(readers[v], func(m *graph.Node) bool { return keeps[m] || m.Op == ops.Shape })
			}
		}
		wide[n] = computed && alone
	}
	native := func(n *graph.Node) bool { return n != nil && keeps[n] && !wide[n] }
	nodes := g.Nodes
	g.Nodes = nil
	b := graph.NewBuilder(g)
	rounded := map[graph.Value]graph.Value{}
	round := func(v graph.Value) graph.Value {
		if rounded[v] == 0 {
			rounded[v] = b.Add(ops.RoundHalf, nil, v)
		}
		return rounded[v]
	}
	for _, n := range nodes {
		for i, v := range n.In {
			if !half(v) {
				continue
			}
			from, narrowed := im.narrowed[v]
			if !narrowed {
				from = v
			}
			def := made(from)
			computes := native(def) && def.Op == ops.LayerNormalization // and does not only hand on
			switch {
			case computes, native(n) && (narrowed || def != nil && !native(def)):
				n.In[i] = round(from)
			case narrowed && !native(n) && n.Op != ops.Cast:
				n.In[i] = from
			}
		}
		g.Nodes = append(g.Nodes, n)
	}
}
