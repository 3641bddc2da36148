package exec

import (
	"context"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Specialize makes of the graph of a program one that computes the same values, for the shapes of a draft; nil leaves it as it is. try is
// the size of the arena of a plan for another graph.
type Specialize func(d *Draft, try func(g *graph.Graph) (bytes int, err error)) (*graph.Graph, error)

// Draft is what a plan for a combination of input shapes says of the graph. Graphs made of it keep its values and the numbers of its nodes,
// and copy no node with bodies.
type Draft struct {
	Graph *graph.Graph
	Fetch []graph.Value
	Steps []DraftStep // what runs, in its order; other nodes were computed while planning
	Bytes int         // of the arena
	Shape []tensor.Shape

	root []graph.Value
}

// DraftStep is a node that runs.
type DraftStep struct {
	Node    *graph.Node
	View    bool // its output shows its first input
	Dynamic bool // only a run knows its shapes
	Scratch int  // bytes of working memory
}

// Root is the value whose memory v shows.
func (d *Draft) Root(v graph.Value) graph.Value { return d.root[v] }

// Held is the bytes of the arena that v takes, 0 for a view and for what is not in it.
func (d *Draft) Held(v graph.Value) int {
	in := d.Graph.Info(v)
	if in.Kind != graph.Computed || d.root[v] != v || d.Shape[v] == nil || in.DType == tensor.String {
		return 0
	}
	return (in.DType.Size(d.Shape[v].Len()) + line - 1) / line * line
}

// draft says what pl is.
func (p *Program) draft(pl *plan) *Draft {
	d := &Draft{Graph: pl.g, Fetch: p.fetch, Bytes: pl.size, Shape: pl.shape, root: pl.root}
	for i := range pl.steps {
		st := &pl.steps[i]
		s := DraftStep{Node: st.node, View: st.view, Dynamic: st.dynamic}
		if st.scratch >= 0 {
			s.Scratch = pl.slots[st.scratch].lines()
		}
		d.Steps = append(d.Steps, s)
	}
	return d
}

// special is the plan for the graph that p.Special makes of that of pl.
func (p *Program) special(ctx context.Context, pl *plan, limit int) (*plan, error) {
	made := map[*graph.Graph]*plan{}
	try := func(g *graph.Graph) (int, error) {
		other, err := p.planOf(ctx, g, pl.key, limit)
		if err != nil {
			return 0, err
		}
		made[g] = other
		return other.size, nil
	}
	g, err := p.Special(p.draft(pl), try)
	if g == nil || err != nil {
		return pl, err
	}
	if made[g] == nil {
		if _, err := try(g); err != nil {
			return nil, err
		}
	}
	pl = made[g]
	pl.bodies = map[*graph.Node][]*Program{}
	if len(p.bodies) > 0 {
		byID := map[int][]*Program{}
		for n, subs := range p.bodies {
			byID[n.ID] = subs
		}
		for _, n := range g.Nodes {
			if len(n.Bodies) > 0 {
				pl.bodies[n] = byID[n.ID]
			}
		}
	}
	return pl, nil
}
