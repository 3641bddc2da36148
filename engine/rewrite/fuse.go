package rewrite

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// Fuse lets kernels do what follows them: what is affine with constants, an addition, an activation, the mask of a Relu in its
// gradient. It does so only where nothing else, no gradient either, reads what is between, and values in keep stay available. Bodies are
// copied first, since other graphs may have them too.
func Fuse(g *graph.Graph, keep []graph.Value) error {
	if err := Whole(g, keep, nil); err != nil {
		return err
	}
	FoldAffine(g, keep, nil)
	if err := FuseDense(g, keep, nil); err != nil {
		return err
	}
	fuseResidual(g, keep)
	fuseActivation(g, keep)
	fuseReluGrad(g, keep)
	fuseClip(g, keep)
	FuseSliceGrad(g, keep)
	maskFromInput(g)
	for _, n := range g.Nodes {
		n.Bodies = slices.Clone(n.Bodies)
		for i, b := range n.Bodies {
			c := *b
			c.G = b.G.Clone()
			if err := Fuse(c.G, nil); err != nil {
				return err
			}
			n.Bodies[i] = &c
		}
	}
	return nil
}

// Whole makes one operator of the several that exporters write for it. Before a graph is differentiated, keep must hold what it is
// differentiated by, and skip leave out nodes with other gradient rules; nil skips none.
func Whole(g *graph.Graph, keep []graph.Value, skip func(*graph.Node) bool) error {
	if err := FuseLayerNorm(g, keep, skip); err != nil {
		return err
	}
	if err := FuseGelu(g, keep, skip); err != nil {
		return err
	}
	return FuseAttention(g, keep, skip)
}

// FoldAffine folds batch normalisation, and what adds or multiplies by a constant for each channel, into the weights of the layer before
// it, where all of these are constants and none is in keep. Before a graph is differentiated, keep must hold what it is differentiated by,
// and skip leave out nodes with other gradient rules; nil skips none.
func FoldAffine(g *graph.Graph, keep []graph.Value, skip func(*graph.Node) bool) {
	f := newFuser(g, keep)
	known := make(map[*graph.Node]bool, len(g.Nodes))
	left := func(n *graph.Node) bool {
		out, met := known[n]
		if !met {
			out = n.Frozen || len(n.Out) == 0 || skip != nil && skip(n) ||
				slices.ContainsFunc(n.In, func(v graph.Value) bool { return v != 0 && g.Info(v).Data != nil && f.pinned[v] })
			known[n] = out
		}
		return out
	}
	for _, n := range f.nodes() {
		if f.dropped(n) || left(n) {
			continue
		}
		for next := f.only[n.Out[0]]; next != nil && !left(next) && ops.FoldAffine(g, n, next); next = f.only[n.Out[0]] {
			f.bypass(n, next)
		}
	}
	f.done()
}

// fuser is a graph whose nodes are dropped and moved. Each node has a place in the order, which another may take.
type fuser struct {
	g      *graph.Graph
	places []*graph.Node // nil where a node was dropped
	at     map[*graph.Node]int
	pinned map[graph.Value]bool // kept, so that nothing may be fused across it
	only   []*graph.Node        // by value, the one node that reads it where exactly one does and it is not pinned
}

func newFuser(g *graph.Graph, keep []graph.Value) *fuser {
	f := &fuser{g: g, places: slices.Clone(g.Nodes), at: make(map[*graph.Node]int, len(g.Nodes)), pinned: map[graph.Value]bool{}}
	for i, n := range f.places {
		f.at[n] = i
	}
	for _, v := range keep {
		f.pinned[v] = true
	}
	f.only = g.OnlyReaders()
	for _, list := range [][]graph.Value{keep, g.Outputs} {
		for _, v := range list {
			f.only[v] = nil
		}
	}
	return f
}

// nodes are the nodes in order, for a loop that changes them.
func (f *fuser) nodes() []*graph.Node { return slices.Clone(f.places) }

// dropped reports whether n is no longer in the graph.
func (f *fuser) dropped(n *graph.Node) bool {
	_, ok := f.at[n]
	return !ok
}

// bypass makes first compute what second did: its output takes the place of second's, and second is dropped.
func (f *fuser) bypass(first, second *graph.Node) {
	out := second.Out[0]
	first.Out[0] = out
	in := f.g.Info(out)
	in.Def, in.Index = first, 0
	f.drop(second)
}

// drop takes n out of the graph.
func (f *fuser) drop(n *graph.Node) {
	f.places[f.at[n]] = nil
	delete(f.at, n)
}

// replace is bypass for a node that also moves to the place of second, since it now reads values defined between the two.
func (f *fuser) replace(first, second *graph.Node) {
	at := f.at[second]
	f.bypass(first, second)
	f.places[f.at[first]] = nil
	f.places[at], f.at[first] = first, at
}

// done gives the graph its nodes.
func (f *fuser) done() {
	f.g.Nodes = slices.DeleteFunc(f.places, func(n *graph.Node) bool { return n == nil })
}

func fuseResidual(g *graph.Graph, keep []graph.Value) {
	f := newFuser(g, keep)
	for _, add := range f.nodes() {
		if add.Op != ops.Add || add.In[0] == add.In[1] {
			continue
		}
		// The later of the two convolutions takes the other operand as its residual.
		for _, i := range []int{1, 0} {
			in := g.Info(add.In[i])
			if in.Def == nil || f.only[add.In[i]] != add || f.dropped(in.Def) {
				continue
			}
			if ops.FuseResidual(g, in.Def, add.In[1-i]) {
				f.replace(in.Def, add)
				break
			}
		}
	}
	f.done()
}

func fuseActivation(g *graph.Graph, keep []graph.Value) {
	f := newFuser(g, keep)
	for _, n := range f.nodes() {
		if f.dropped(n) || len(n.Out) == 0 || n.Frozen {
			continue
		}
		act := f.only[n.Out[0]]
		if act == nil || act.Frozen || act.In[0] != n.Out[0] {
			continue
		}
		a, ok := ops.ActivationOf(g, act)
		if ok && ops.FuseActivation(n, a) {
			f.bypass(n, act)
		}
	}
	f.done()
}

func fuseReluGrad(g *graph.Graph, keep []graph.Value) {
	f := newFuser(g, keep)
	for _, n := range g.Nodes {
		if len(n.Out) > 0 && f.only[n.Out[0]] != nil {
			ops.FuseReluGrad(n, f.only[n.Out[0]])
		}
	}
}
