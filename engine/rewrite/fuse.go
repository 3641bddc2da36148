package rewrite

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// Fuse lets kernels do what follows them: what is affine with constants, an addition, an activation, the mask of a Relu in its
// gradient. It does so only where nothing else, no gradient either, reads what is between, and values in keep stay available. Bodies are
// copied first, since other graphs may have them too.
func Fuse(g *graph.Graph, keep []graph.Value) {
	FoldAffine(g, keep, nil)
	fuseResidual(g, keep)
	fuseActivation(g, keep)
	fuseReluGrad(g, keep)
	for _, n := range g.Nodes {
		n.Bodies = slices.Clone(n.Bodies)
		for i, b := range n.Bodies {
			c := *b
			c.G = b.G.Clone()
			Fuse(c.G, nil)
			n.Bodies[i] = &c
		}
	}
}

// FoldAffine folds batch normalisation, and what adds or multiplies by a constant for each channel, into the weights of the layer before
// it, where all of these are constants and none is in keep. Before a graph is differentiated, keep must hold what it is differentiated by,
// and skip leave out nodes with other gradient rules; nil skips none.
func FoldAffine(g *graph.Graph, keep []graph.Value, skip func(*graph.Node) bool) {
	only := onlyReader(g, keep)
	left := func(n *graph.Node) bool {
		if n.Frozen || len(n.Out) == 0 || skip != nil && skip(n) {
			return true
		}
		return slices.ContainsFunc(n.In, func(v graph.Value) bool { return v != 0 && g.Info(v).Data != nil && slices.Contains(keep, v) })
	}
	for _, n := range slices.Clone(g.Nodes) {
		if left(n) {
			continue
		}
		for next := only[n.Out[0]]; next != nil && !left(next) && ops.FoldAffine(g, n, next); next = only[n.Out[0]] {
			bypass(g, n, next)
		}
	}
}

// onlyReader returns, for each value that exactly one node reads and that is not in keep, that node.
func onlyReader(g *graph.Graph, keep []graph.Value) map[graph.Value]*graph.Node {
	only := map[graph.Value]*graph.Node{}
	for v, ns := range g.Uses() {
		if len(ns) == 1 && !slices.Contains(keep, v) && !slices.Contains(g.Outputs, v) {
			only[v] = ns[0]
		}
	}
	return only
}

// bypass makes first compute what second did: its output takes the place of second's, and second is dropped.
func bypass(g *graph.Graph, first, second *graph.Node) {
	out := second.Out[0]
	first.Out[0] = out
	in := g.Info(out)
	in.Def, in.Index = first, 0
	at := slices.Index(g.Nodes, second)
	g.Nodes = slices.Delete(g.Nodes, at, at+1)
}

// move puts n at the place of at, for when n now reads values defined between the two.
func move(g *graph.Graph, n *graph.Node, at int) {
	from := slices.Index(g.Nodes, n)
	g.Nodes = slices.Delete(g.Nodes, from, from+1)
	g.Nodes = slices.Insert(g.Nodes, at-1, n)
}

func fuseResidual(g *graph.Graph, keep []graph.Value) {
	only := onlyReader(g, keep)
	for _, add := range slices.Clone(g.Nodes) {
		if add.Op != ops.Add || add.In[0] == add.In[1] {
			continue
		}
		// The later of the two convolutions takes the other operand as its residual.
		for _, i := range []int{1, 0} {
			in := g.Info(add.In[i])
			if in.Def == nil || only[add.In[i]] != add || !slices.Contains(g.Nodes, in.Def) {
				continue
			}
			if ops.FuseResidual(g, in.Def, add.In[1-i]) {
				conv := in.Def
				at := slices.Index(g.Nodes, add)
				move(g, conv, at)
				bypass(g, conv, add)
				break
			}
		}
	}
}

func fuseActivation(g *graph.Graph, keep []graph.Value) {
	only := onlyReader(g, keep)
	for _, n := range slices.Clone(g.Nodes) {
		if len(n.Out) == 0 || n.Frozen {
			continue
		}
		act := only[n.Out[0]]
		if act == nil || act.Frozen || act.In[0] != n.Out[0] {
			continue
		}
		a, ok := ops.ActivationOf(g, act)
		if ok && ops.FuseActivation(n, a) {
			bypass(g, n, act)
		}
	}
}

func fuseReluGrad(g *graph.Graph, keep []graph.Value) {
	only := onlyReader(g, keep)
	for _, n := range g.Nodes {
		if len(n.Out) > 0 && only[n.Out[0]] != nil {
			ops.FuseReluGrad(n, only[n.Out[0]])
		}
	}
}
