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

// Layer is a tensor of a model at which maps can be made.
type Layer struct {
	Name  string       // of the tensor: the output of Node
	Node  string       // name of the node that computes it
	Op    string       // its operator
	Shape tensor.Shape // for one row
	View  View         // how it is read as [N,C,h,w]
	Auto  bool         // the one that "auto" means
}

// ListLayers lists the tensors between the explained input and the score that can be read as channels at positions, in order. shapes are
// those of the inputs by name; Input, Output and Objective of c say what is explained. Where it is not known what the output means, the
// layers are those before all of it.
func ListLayers(m *engine.Model, shapes map[string]tensor.Shape, c Config) ([]Layer, error) {
	e := &Explainer{c: c, warned: map[string]bool{}, listing: true}
	if c.Score == "" {
		e.c.Score = Logit
	}
	feeds := map[string]*tensor.Tensor{}
	for _, io := range m.Inputs() {
		s, ok := shapes[io.Name]
		if !ok {
			return nil, fmt.Errorf("explain: the shape of input %v is not given", io)
		}
		if k := m.BatchAxis(io.Name); k >= len(s) {
			return nil, fmt.Errorf("explain: input %v has no known axis %d for examples: its layers cannot be listed from the model alone; "+
				"explain an example, and name a layer by its value (gtk inspect lists them)", io, k)
		}
		x, err := tensor.Make("input "+shown.Name(io.Name), io.DType, s...)
		if err != nil {
			return nil, fmt.Errorf("explain: %w", err)
		}
		feeds[io.Name] = x
	}
	t, err := e.survey(m, feeds)
	if err != nil {
		return nil, err
	}
	auto, _, err := t.auto()
	if err != nil {
		auto = 0
	}
	var out []Layer
	for _, v := range t.layers() {
		n := t.g.Info(v).Def
		l := Layer{Name: t.g.Info(v).Name, Node: n.Name, Op: n.Op.Name, Shape: slices.Clone(t.shapes[v]), Auto: v == auto}
		l.View, _ = t.view(v)
		l.Shape[l.View.axis] = l.View.per
		out = append(out, l)
	}
	return out, nil
}

// terrain is what lies between the explained input and the score of a model.
type terrain struct {
	*trace
	src     source
	scores  []graph.Value // what the explained number is made of
	pointed bool          // the number is made of the scores at one position
	nodes   []*graph.Node // that depend on src.at and that a score depends on, in order
	between map[graph.Value]bool

	views   map[graph.Value]viewed
	partsOf map[graph.Value][]int
}

type viewed struct {
	v   View
	err error
}

// upstream are the values that some of vs depend on by their numbers, themselves included: what is made of the shape of a value alone does
// not depend on it, nor what is made of whole numbers.
func upstream(g *graph.Graph, vs []graph.Value) map[graph.Value]bool {
	before := map[graph.Value]bool{}
	for _, v := range vs {
		before[v] = true
	}
	for _, n := range slices.Backward(g.Nodes) {
		if slices.ContainsFunc(n.Out, func(v graph.Value) bool { return v != 0 && before[v] && g.Info(v).DType.IsFloat() }) {
			for _, v := range n.In {
				if v != 0 {
					before[v] = true
				}
			}
		}
	}
	return before
}

// newTerrain finds the nodes between src.at and the scores, apart from those that work on shapes, numbers and conditions.
func newTerrain(t *trace, src source, scores []graph.Value, before map[graph.Value]bool) *terrain {
	r := &terrain{trace: t, src: src, scores: scores, between: map[graph.Value]bool{src.at: true}, views: map[graph.Value]viewed{},
		partsOf: map[graph.Value][]int{}}
	for _, n := range t.g.Nodes {
		if !slices.ContainsFunc(n.In, func(v graph.Value) bool { return r.between[v] }) {
			continue
		}
		relevant := false
		for _, o := range n.Out {
			if o != 0 && before[o] && t.values[o] == nil && t.g.Info(o).DType.IsFloat() {
				r.between[o] = true
				relevant = true
			}
		}
		if relevant {
			r.nodes = append(r.nodes, n)
		}
	}
	return r
}

// view is how v is read as [N,C,h,w]: as its elements were followed from the input or, where that says nothing, as [N,C,h,w] if it has
// four axes.
func (t *terrain) view(v graph.Value) (View, error) {
	if w, ok := t.views[v]; ok {
		return w.v, w.err
	}
	var w viewed
	switch s := t.shapes[v]; {
	case s == nil:
		w.err = fmt.Errorf("has a shape that only a run can tell")
	case s.Len() == 0:
		w.err = fmt.Errorf("is empty")
	case t.coords[v] == nil:
		w.err = fmt.Errorf("does not come from the input")
	default:
		if w.v, w.err = newView(s, t.n, t.coords[v][0], t.places(v)); w.err != nil && len(s) == 4 && s[0] == t.n {
			w.v, w.err = parseView("nchw", s, t.n, [2]int{})
		}
		if w.err == nil && !w.v.spread() && t.src.shown.spread() && len(s) < 4 {
			w.err = fmt.Errorf("all of it is at one position")
		}
	}
	t.views[v] = w
	return w.v, w.err
}

// traced reports whether the view of v comes from following positions, more than one.
func (t *terrain) traced(v graph.Value) bool {
	return t.usable(v) && t.views[v].v.spread() && slices.ContainsFunc(t.places(v), ops.Coord.Known)
}

// usable reports whether maps can be made at v.
func (t *terrain) usable(v graph.Value) bool {
	if !t.between[v] || !isReal(t.g.Info(v).DType) || t.g.Info(v).Def == nil || slices.Contains(t.scores, v) {
		return false
	}
	_, err := t.view(v)
	return err == nil
}

// layers are the values at which maps can be made, in order.
func (t *terrain) layers() []graph.Value {
	var out []graph.Value
	if t.usable(t.src.at) {
		out = append(out, t.src.at)
	}
	for _, n := range t.nodes {
		for _, o := range n.Out {
			if o != 0 && t.usable(o) {
				out = append(out, o)
			}
		}
	}
	return out
}

// layer is the value called name, a tensor or the first output of a node, and how it is read: LAYER or LAYER@VIEW.
func (t *terrain) layer(name string) (graph.Value, View, error) {
	name, as := cutView(name)
	v, err := t.named(name)
	if base, view, ok := strings.Cut(name, "@"); err != nil && ok {
		if _, plain := t.named(base); plain == nil || base == "auto" {
			err = fmt.Errorf("explain: layer %q: there is no view %q%s; want %s", base, view, didYouMean(view, layouts), viewNames)
		}
	}
	if err != nil {
		return 0, View{}, err
	}
	shape := "a shape that only a run can tell"
	if t.shapes[v] != nil {
		shape = fmt.Sprintf("%v%v", t.g.Info(v).DType, t.shapes[v])
	}
	switch {
	case slices.Contains(t.scores, v) || v == t.src.in:
		return 0, View{}, fmt.Errorf("explain: layer %q is the model's input or score itself; the last layers before it are %s", name,
			t.last())
	case !t.between[v]:
		return 0, View{}, fmt.Errorf("explain: layer %q is not between the input %q and the class score; the last ones are %s", name,
			t.src.io.Name, t.last())
	case !isReal(t.g.Info(v).DType):
		return 0, View{}, fmt.Errorf("explain: layer %q has %s; maps need real numbers, as of %s", name, shape, t.last())
	case as != "" && t.shapes[v] != nil:
		w, err := parseView(as, t.shapes[v], t.n, t.tokenGrid())
		if err != nil {
			err = fmt.Errorf("explain: layer %q: %w", name, err)
		}
		return v, w, err
	}
	w, err := t.view(v)
	if err != nil {
		return 0, View{}, fmt.Errorf("explain: layer %q has %s and cannot be read as channels at positions: %w; "+
			"say how after an @, as in %s@nhwc (%s), or take one of %s", name, shape, err, name, viewNames, t.last())
	}
	return v, w, nil
}

// named is the tensor called name, or the first output of the one node called so.
func (t *terrain) named(name string) (graph.Value, error) {
	if v := t.g.Lookup(name); v != 0 {
		return v, nil
	}
	var outs []string
	var v graph.Value
	for _, n := range t.g.Nodes {
		if n.Name == name && len(n.Out) > 0 && n.Out[0] != 0 {
			v = n.Out[0]
			outs = append(outs, fmt.Sprintf("%q (%s)", t.g.Info(v).Name, n.Op.Name))
		}
	}
	switch len(outs) {
	case 0:
		var known []string
		for _, v := range t.layers() {
			known = append(known, t.g.Info(v).Name)
		}
		for _, n := range t.nodes {
			known = append(known, n.Name)
		}
		return 0, fmt.Errorf("explain: the model has no layer %q%s; the last ones are %s", name, didYouMean(name, known), t.last())
	case 1:
		return v, nil
	}
	return 0, fmt.Errorf("explain: layer %q: two or more nodes are called so; name the tensor: %s", name, shown.Names(outs, 12))
}

// last are the names of the last layers, for messages.
func (t *terrain) last() string {
	var names []string
	for _, v := range t.layers() {
		names = append(names, t.g.Info(v).Name)
	}
	if len(names) == 0 {
		return "no tensor of this model"
	}
	return shown.Names(names[max(0, len(names)-5):], 12)
}

// tokenGrid is the grid of positions of the last layer that has one.
func (t *terrain) tokenGrid() [2]int {
	for _, v := range slices.Backward(t.layers()) {
		if t.traced(v) {
			return [2]int{t.views[v].v.H, t.views[v].v.W}
		}
	}
	return [2]int{}
}
