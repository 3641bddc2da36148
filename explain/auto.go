package explain

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// part is the elements of a value that have a place along so many axes of the input: along all that are followed, or along none, as a
// class token or a mean over everything.
type part struct {
	v     graph.Value
	known int
}

// live tells which parts of the values the score depends on through parts that follow: the gradient by others is zero whatever the
// weights. It is how the tokens of pictures are dead after the last attention of a transformer that reads the class token.
func (t *terrain) live() map[part]bool {
	live := map[part]bool{}
	for _, v := range t.scores {
		for _, known := range t.parts(v) {
			live[part{v, known}] = !t.pointed
		}
		live[part{v, 0}] = true
	}
	for _, n := range slices.Backward(t.nodes) {
		for i, v := range n.In {
			if v == 0 || !t.between[v] {
				continue
			}
			for _, known := range t.parts(v) {
				if slices.ContainsFunc(t.reach(n, i, known), func(to part) bool { return live[to] }) {
					live[part{v, known}] = true
				}
			}
		}
	}
	return live
}

// bounded refuses values with more positions than are looked at.
func (t *terrain) bounded() error {
	for _, n := range t.nodes {
		for _, v := range n.Out {
			if v == 0 || !t.between[v] {
				continue
			}
			if k := jointOf(t.places(v)).Len(); k > mostPositions {
				return fmt.Errorf("explain: %s gives %d positions; %d at most are explained: give smaller inputs", n.Label(), k,
					mostPositions)
			}
		}
	}
	return nil
}

// jointOf is the shape that the places of a value are broadcast to.
func jointOf(places ops.Coords) tensor.Shape {
	var joint tensor.Shape
	for i, c := range places {
		if i == 0 {
			joint = slices.Clone(c.Shape)
		}
		for k := range joint {
			joint[k] = max(joint[k], c.Shape[k])
		}
	}
	return joint
}

// parts are how many places elements of v have: the part of each number.
func (t *terrain) parts(v graph.Value) []int {
	if p, ok := t.partsOf[v]; ok {
		return p
	}
	places := t.places(v)
	joint := jointOf(places)
	known := make([]int, max(1, joint.Len()))
	for _, c := range places {
		for i, x := range c.Expand(joint) {
			if x == x {
				known[i]++
			}
		}
	}
	slices.Sort(known)
	t.partsOf[v] = slices.Compact(known)
	return t.partsOf[v]
}

// reach are the parts of the outputs of n that a part of its input i has an influence on.
func (t *terrain) reach(n *graph.Node, i, known int) []part {
	var out []part
	flow := ops.Across
	if f := t.flows[n]; i < len(f) {
		flow = f[i]
	}
	for _, o := range n.Out {
		if o == 0 || !t.between[o] {
			continue
		}
		parts := t.parts(o)
		if flow == ops.Across || flow == ops.Along && !t.samePlaces(n.In[i], o) {
			for _, k := range parts {
				out = append(out, part{o, k})
			}
		} else if slices.Contains(parts, known) {
			out = append(out, part{o, known})
		}
	}
	return out
}

// samePlaces reports whether the elements of v, broadcast, are where those of o are.
func (t *terrain) samePlaces(v, o graph.Value) bool {
	a, b := t.places(v), t.places(o)
	return len(a) == len(b) && slices.EqualFunc(a, b, ops.Coord.Same)
}

// cuts are the values that every path from the input to the scores passes through, in order: with the nodes in order, those at whose
// making no other value is still to be read.
func (t *terrain) cuts() []graph.Value {
	uses := map[graph.Value]int{}
	for _, v := range t.scores {
		uses[v]++
	}
	for _, n := range t.nodes {
		for i, v := range n.In {
			if v != 0 && t.between[v] && !slices.Contains(n.In[:i], v) {
				uses[v]++
			}
		}
	}
	open := 1 // the input
	var out []graph.Value
	for _, n := range t.nodes {
		for i, v := range n.In {
			if v == 0 || !t.between[v] || slices.Contains(n.In[:i], v) {
				continue
			}
			if uses[v]--; uses[v] == 0 {
				open--
			}
		}
		made := graph.Value(0)
		for _, o := range n.Out {
			if o != 0 && t.between[o] && uses[o] > 0 {
				open++
				made = o
			}
		}
		if open == 1 && made != 0 {
			out = append(out, made)
		}
	}
	return out
}

// auto is the layer that maps are made at unless one is named. For tokens it is their embedding. Otherwise it is the last tensor with
// more than one position that all paths to the score pass through, of whose positions half or more have a gradient (else two or more, else
// one), and that is not the scores of positions themselves in another form, or the activation just before it when only pooling and the
// like lie between, or the normalisation just after it when the positions act through that alone: in a vision transformer that reads a
// class token, the first norm of the last block. note is what there is to know of the choice.
//
// The rule is that of https://github.com/frgfm/torch-cam (locate_candidate_layer) for convolutional nets and the advice of
// https://jacobgil.github.io/pytorch-gradcam-book/vision_transformers.html for transformers, made independent of module names.
func (t *terrain) auto() (v graph.Value, note string, err error) {
	if t.src.kind == KindTokens {
		return t.src.at, "", nil
	}
	narrow := false
	live, seen, scores := t.live(), t.seen(), t.nearScores()
	cuts := slices.DeleteFunc(t.cuts(), func(v graph.Value) bool { return !t.hasWeights(v) || scores[v] })
	last := func(enough func(some, all int) bool) graph.Value {
		for known := len(t.src.axes); known >= 0; known-- {
			for _, c := range slices.Backward(cuts) {
				if t.usable(c) && t.views[c].v.spread() && t.best(c) == known && (known == 0 || live[part{c, known}]) &&
					enough(t.positionsSeen(c, seen)) {
					return c
				}
			}
		}
		return 0
	}
	if v = last(func(some, all int) bool { return 2*some >= all }); v == 0 {
		v = last(func(some, _ int) bool { return some > 1 })
	}
	if v == 0 {
		if v = last(func(int, int) bool { return true }); v == 0 {
			return 0, "", fmt.Errorf("explain: no layer can be chosen automatically: no tensor with more than one position " +
				"lies on every path to the class score; name one, see the list of layers")
		}
		narrow = true
	}
	if w := t.normed(v, live); w != v {
		v = w
	} else {
		v = t.activated(t.unviewed(v))
	}
	i := slices.IndexFunc(t.nodes, func(n *graph.Node) bool { return slices.Contains(n.Out, v) })
	switch {
	case narrow:
		note = fmt.Sprintf("of layer %q the score reads one position: Grad-CAM shows what is alike at the others, methods that multiply by the "+
			"gradient show that position alone", t.g.Info(v).Name)
	case 4*(i+1) < len(t.nodes):
		note = fmt.Sprintf("layer %q was chosen, but most of the model comes after it: choose one by name", t.g.Info(v).Name)
	}
	return v, note, nil
}

// hasWeights reports whether v is made of products with weights, and is not just the input in another form.
func (t *terrain) hasWeights(v graph.Value) bool {
	up := upstream(t.g, []graph.Value{v})
	return slices.ContainsFunc(t.nodes, func(n *graph.Node) bool {
		return (n.Op.Role == graph.Linear || n.Op.Role == graph.Recurrent) && n.Out[0] != 0 && up[n.Out[0]]
	})
}

// nearScores are the values with nothing between them and scores at positions that weighs one number against another: those scores in
// another form.
func (t *terrain) nearScores() map[graph.Value]bool {
	far, near := map[graph.Value]bool{}, map[graph.Value]bool{}
	for _, v := range t.scores {
		near[v] = slices.ContainsFunc(t.places(v), ops.Coord.Varies)
	}
	for _, n := range slices.Backward(t.nodes) {
		for _, v := range n.In {
			for _, o := range n.Out {
				if v == 0 || o == 0 || !t.between[v] {
					continue
				}
				switch n.Op.Role {
				case graph.View, graph.Move, graph.Pool, graph.Activation, graph.Probability, graph.Normalisation, graph.Arithmetic:
					far[v], near[v] = far[v] || far[o], near[v] || near[o]
				default:
					far[v] = true
				}
			}
		}
	}
	maps.DeleteFunc(near, func(v graph.Value, is bool) bool { return !is || far[v] })
	return near
}

// best is along how many axes the elements of v have places that have most.
func (t *terrain) best(v graph.Value) int { return slices.Max(t.parts(v)) }

// unviewed is v before it was put in another shape or order.
func (t *terrain) unviewed(v graph.Value) graph.Value {
	for {
		n := t.g.Info(v).Def
		if n == nil || n.Op.Role != graph.View || !t.passes(n) || n.In[0] == t.src.at || !t.usable(n.In[0]) ||
			!t.views[n.In[0]].v.spread() {
			return v
		}
		v = n.In[0]
	}
}

// activated is the activation that v is made of when only pooling, moving and copying lie between, else v.
func (t *terrain) activated(v graph.Value) graph.Value {
	for at := v; ; {
		n := t.g.Info(at).Def
		switch {
		case n == nil:
			return v
		case n.Op.Role == graph.Activation:
			return at
		case !t.passes(n) || n.In[0] == t.src.at || !t.usable(n.In[0]) || !t.views[n.In[0]].v.spread():
			return v
		}
		at = n.In[0]
	}
}

// passes reports whether n pools, moves or copies its first input and nothing else.
func (t *terrain) passes(n *graph.Node) bool {
	for i, v := range n.In {
		if t.between[v] != (i == 0) {
			return false
		}
	}
	return n.Op.Role == graph.Pool || n.Op.Role == graph.View || n.Op.Role == graph.Move
}

// normed is the last value after v, and before anything is summed or moved, through which all influence of the positions of v on the
// score passes.
func (t *terrain) normed(v graph.Value, live map[part]bool) graph.Value {
	reached := map[part]bool{{v, t.best(v)}: true}
	uses := map[part]int{}
	for _, n := range t.nodes {
		for p := range t.readsOf(n, reached, live) {
			uses[p]++
		}
		for p := range t.madeBy(n, reached, live) {
			reached[p] = true
		}
	}
	open, best := 1, v
	for _, n := range t.nodes {
		read := t.readsOf(n, reached, live)
		for p := range read {
			if uses[p]--; uses[p] == 0 {
				open--
			}
		}
		if len(read) == 0 {
			continue
		}
		made := t.madeBy(n, reached, live)
		open += len(made)
		if len(made) != 1 || open != 1 {
			continue
		}
		for p := range made {
			if p.known != t.best(v) || !t.traced(p.v) || !t.pointwise(n) {
				return best
			}
			best = p.v
		}
	}
	return best
}

// pointwise reports whether n works element by element on what it reads.
func (t *terrain) pointwise(n *graph.Node) bool {
	for i, v := range n.In {
		if f := t.flows[n]; v != 0 && t.between[v] && (i >= len(f) || f[i] != ops.Along) {
			return false
		}
	}
	return true
}

// readsOf are the parts reached that n reads on the way to the score.
func (t *terrain) readsOf(n *graph.Node, reached, live map[part]bool) map[part]bool {
	out := map[part]bool{}
	for i, v := range n.In {
		if v == 0 || !t.between[v] {
			continue
		}
		for _, known := range t.parts(v) {
			p := part{v, known}
			if reached[p] && slices.ContainsFunc(t.reach(n, i, known), func(to part) bool { return live[to] }) {
				out[p] = true
			}
		}
	}
	return out
}

// madeBy are the parts that n makes of what was reached and that the score depends on.
func (t *terrain) madeBy(n *graph.Node, reached, live map[part]bool) map[part]bool {
	out := map[part]bool{}
	for i, v := range n.In {
		if v == 0 || !t.between[v] {
			continue
		}
		for _, known := range t.parts(v) {
			if !reached[part{v, known}] {
				continue
			}
			for _, to := range t.reach(n, i, known) {
				if live[to] {
					out[to] = true
				}
			}
		}
	}
	return out
}
