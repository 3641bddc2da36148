package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/tensor"
)

// Kind is what an input is to a reader: how its maps are best shown.
type Kind string

// The kinds of inputs.
const (
	KindPicture Kind = "picture" // maps [H,W]
	KindSeries  Kind = "series"  // maps [1,L] over the steps
	KindTable   Kind = "table"   // maps [1,F] over the features
	KindTokens  Kind = "tokens"  // maps [1,T] over the tokens; what is differentiated by is their embedding
)

// source is the input that is explained.
type source struct {
	io    engine.IO
	in    graph.Value // as it is fed
	at    graph.Value // differentiated by: the input, the real numbers that it is cast to, or the embedding of its numbers
	kind  Kind
	axes  []int // of the input that are places: one or two
	fed   View  // of the input
	shown View  // of at
}

// sources are the inputs of m that can be explained, in its order.
func sources(m *engine.Model) []source {
	var out []source
	g := m.Graph()
	for _, io := range m.Inputs() {
		in := g.Lookup(io.Name)
		if in == 0 {
			continue
		}
		if s := (source{io: io, in: in, at: in}); isReal(g.Info(in).DType) {
			out = append(out, s)
		} else if at, tokens := differentiable(g, in); at != 0 {
			s.at = at
			if tokens {
				s.kind = KindTokens
			}
			out = append(out, s)
		}
	}
	return out
}

func isReal(d tensor.DType) bool { return d == tensor.Float32 || d == tensor.Float64 }

// differentiable is the first real value that integers in lead to, through nodes that read nothing else that varies: an embedding (the
// largest, when several tables are looked up), else a cast. 0 when there is none.
func differentiable(g *graph.Graph, in graph.Value) (at graph.Value, tokens bool) {
	if at, tokens = realFrom(g, in, false); at == 0 {
		at, _ = realFrom(g, in, true)
		tokens = at != 0
	}
	return at, tokens
}

// realFrom is differentiable, through comparisons too if wanted: numbers that are compared with all others and cast are embedded one for
// one.
func realFrom(g *graph.Graph, in graph.Value, compared bool) (at graph.Value, tokens bool) {
	reached, fixed := map[graph.Value]bool{in: true}, map[graph.Value]bool{}
	rows := 0
	for _, n := range g.Nodes {
		if len(n.Out) == 0 || n.Out[0] == 0 || len(n.Bodies) > 0 {
			continue
		}
		from, others := graph.Value(0), 0
		for _, v := range n.In {
			switch {
			case v == 0 || g.Info(v).Data != nil || fixed[v]:
			case reached[v] && from == 0:
				from = v
			case v != from:
				others++
			}
		}
		if n.Op == ops.Shape || n.Op == ops.Size || from == 0 && others == 0 {
			for _, o := range n.Out {
				fixed[o] = true
			}
			continue
		}
		if from == 0 || others > 0 {
			continue
		}
		out := n.Out[0]
		switch d := g.Info(out).DType; {
		case isReal(d) && len(n.In) > 1 && n.In[1] == from && g.Info(n.In[0]).Data != nil:
			if table := g.Info(n.In[0]).Data.Shape(); len(table) == 2 && table[0] > rows {
				at, tokens, rows = out, true, table[0]
			}
		case isReal(d) && at == 0:
			at = out
		case !isReal(d) && (compared || d != tensor.Bool):
			reached[out] = true
		}
	}
	return at, tokens
}

// chooseSource is the input called name or, for "", the one with the most numbers in an example that the score depends on. Masks come
// last, and of two of one size the one that is looked up in an embedding first.
func chooseSource(m *engine.Model, name string, shapes map[string]tensor.Shape, relevant func(graph.Value) bool) (source, error) {
	all := sources(m)
	var names []string
	for _, io := range m.Inputs() {
		names = append(names, io.Name)
	}
	if name != "" {
		i := slices.IndexFunc(all, func(s source) bool { return s.io.Name == name })
		switch {
		case i >= 0:
			return all[i], nil
		case slices.Contains(names, name):
			return source{}, fmt.Errorf("explain: input %q has no gradient: nothing real is made of it alone", name)
		}
		return source{}, fmt.Errorf("explain: the model has no input %q%s; its inputs are %s", name, didYouMean(name, names),
			shown.Names(names, 12))
	}
	all = slices.DeleteFunc(all, func(s source) bool { return !relevant(s.at) })
	if len(all) == 0 {
		return source{}, fmt.Errorf("explain: no input of the model (%s) can be differentiated by: "+
			"the score depends on none that is real, cast to real or looked up in an embedding", shown.Names(names, 12))
	}
	rank := func(s source) (mask bool, size int, tokens bool) {
		return strings.Contains(strings.ToLower(s.io.Name), "mask"), shapes[s.io.Name].Len(), s.kind == KindTokens
	}
	best := all[0]
	for _, s := range all[1:] {
		m0, n0, t0 := rank(best)
		m1, n1, t1 := rank(s)
		if m0 && !m1 || m0 == m1 && (n1 > n0 || n1 == n0 && t1 && !t0) {
			best = s
		}
	}
	return best, nil
}

// look finds what the axes of the input are, from its shape in t and from what the model does with it: the axis that the first weights
// sum over, and no other, is that of the channels.
func (s *source) look(t *trace, rows map[graph.Value]int) error {
	shape := t.shapes[s.in]
	if k := rows[s.in]; k > 0 {
		return fmt.Errorf("explain: input %v has its examples along axis %d; one with the examples first can be explained", s.io, k)
	}
	rank := len(shape)
	if rank < 1 || rank > 4 {
		return fmt.Errorf("explain: input %q has shape %v; pictures [N,C,H,W], series [N,C,L], tables [N,F] and tokens [N,T] "+
			"can be explained; volumes cannot be shown", s.io.Name, shape)
	}
	var all []int
	for k := 1; k < rank; k++ {
		all = append(all, k)
	}
	if s.kind == KindTokens {
		s.axes = all
		if len(all) > 2 || len(all) == 0 {
			return fmt.Errorf("explain: input %q has shape %v; numbers of tokens are [N,T]", s.io.Name, shape)
		}
	} else {
		s.kind, s.axes = roles(shape, s.summed(t, all, rows))
	}
	if len(s.axes) == 0 { // one number for each row
		s.axes = []int{0}
	}
	t.follow(s.in, s.axes, rows, nil)
	var err error
	if s.fed, err = newView(shape, t.n, t.coords[s.in][0], t.places(s.in)); err != nil {
		return fmt.Errorf("explain: input %q of shape %v: %w", s.io.Name, shape, err)
	}
	if s.shown = s.fed; s.at == s.in {
		return nil
	}
	if t.shapes[s.at] == nil || t.coords[s.at] == nil {
		return fmt.Errorf("explain: input %q: only a run can tell the shape of %q, which its maps are made at", s.io.Name,
			t.g.Info(s.at).Name)
	}
	if s.shown, err = newView(t.shapes[s.at], t.n, t.coords[s.at][0], t.places(s.at)); err != nil {
		return fmt.Errorf("explain: input %q: its maps are made at %q: %w", s.io.Name, t.g.Info(s.at).Name, err)
	}
	return nil
}

// summed are the axes of the input that vanish in the first node that sums over some of them with weights: all where none is left.
func (s *source) summed(t *trace, axes []int, rows map[graph.Value]int) []int {
	var lost []int
	t.follow(s.in, axes, rows, func(n *graph.Node, in []ops.Coords, out []ops.Coords) bool {
		weights := slices.ContainsFunc(n.In, func(v graph.Value) bool {
			return v != 0 && t.g.Info(v).Data != nil && isReal(t.g.Info(v).DType) && t.g.Info(v).Data.Rank() > 1
		})
		// of [T,N,C] or [N,T,C] the last axis, whichever output is read
		if weights && n.Op.Role == graph.Recurrent && len(in) > 0 && in[0] != nil {
			for k, a := range axes {
				if s := in[0][k+1].Shape; in[0][k+1].Varies() && s[len(s)-1] > 1 {
					lost = append(lost, a)
				}
			}
			return true
		}
		if !weights || len(out) == 0 || out[0] == nil {
			return false
		}
		for k, a := range axes {
			for _, c := range in {
				if c != nil && c[k+1].Varies() && !out[0][k+1].Known() {
					lost = append(lost, a)
					break
				}
			}
		}
		if len(lost) > 0 && len(axes) > 1 && !slices.ContainsFunc(out[0][1:], ops.Coord.Varies) {
			lost = axes // nothing is left by which to tell them apart
		}
		return len(lost) > 0
	})
	return lost
}

// roles decides what an input of the given shape is, of which the first weights sum over the axes lost, and which axes are places.
func roles(s tensor.Shape, lost []int) (Kind, []int) {
	var long []int // axes with more than one number
	for k := 1; k < len(s); k++ {
		if s[k] > 1 {
			long = append(long, k)
		}
	}
	if len(s) > 2 && len(long) == 1 { // a row [N,F,1,1], or a series of one channel [N,1,L]
		if slices.Contains(lost, long[0]) {
			return KindTable, long
		}
		return KindSeries, long
	}
	switch len(s) {
	case 1:
		return KindTable, nil
	case 2:
		if len(lost) == 1 || s[1] == 1 {
			return KindTable, []int{1}
		}
		return KindSeries, []int{1}
	case 3:
		if len(lost) == 1 {
			return KindSeries, []int{3 - lost[0]}
		}
		return KindPicture, []int{1, 2}
	}
	channels := 1
	few := func(k int) bool { return s[k] == 1 || s[k] == 3 || s[k] == 4 }
	switch {
	case len(lost) == 1:
		channels = lost[0]
	case !few(1) && few(3):
		channels = 3
	}
	return KindPicture, slices.DeleteFunc([]int{1, 2, 3}, func(k int) bool { return k == channels })
}
