package explain

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// seen tells, for each value and axis of places, at which places of it the score has a gradient as far as what is cut out of it tells: a
// net that reads the last step of a sequence sees no other of it, but all of what that step was made of.
func (t *terrain) seen() map[graph.Value][][]float32 {
	seen := map[graph.Value][][]float32{}
	add := func(v graph.Value, k int, places []float32) {
		if seen[v] == nil {
			seen[v] = make([][]float32, len(t.places(v)))
		}
		seen[v][k] = levelsOf(append(slices.Clone(places), seen[v][k]...))
	}
	for _, v := range t.scores {
		for k, c := range t.places(v) {
			add(v, k, levelsOf(c.X))
		}
	}
	for _, n := range slices.Backward(t.nodes) {
		for i, v := range n.In {
			if v == 0 || !t.between[v] {
				continue
			}
			for _, o := range n.Out {
				if o == 0 || !t.between[o] {
					continue
				}
				for k, c := range t.places(v) {
					add(v, k, t.seenThrough(n, i, k, levelsOf(c.X), o, seen[o]))
				}
			}
		}
	}
	return seen
}

// seenThrough are those of the places of input i of n along axis k that are seen when n gives o, of which the places to are.
func (t *terrain) seenThrough(n *graph.Node, i, k int, all []float32, o graph.Value, to [][]float32) []float32 {
	flow := ops.Across
	if f := t.flows[n]; i < len(f) {
		flow = f[i]
	}
	given := t.places(o)
	if flow == ops.Across || n.Op.Role == graph.Pool || t.window(n) || k >= len(given) {
		return all
	}
	left := levelsOf(given[k].X)
	if len(left) == 0 || slices.ContainsFunc(left, func(x float32) bool { return !among(all, x) }) { // other places than those of the input
		return all
	}
	if k >= len(to) {
		return nil // nothing of o is seen
	}
	return slices.DeleteFunc(slices.Clone(all), func(x float32) bool { return !among(to[k], x) })
}

// window reports whether n is a convolution that sums over neighbouring positions.
func (t *terrain) window(n *graph.Node) bool {
	if n.Op.Role != graph.Linear || len(n.In) < 2 || n.In[1] == 0 {
		return false
	}
	s := t.shapes[n.In[1]]
	return len(s) > 2 && s[2:].Len() > 1
}

// among reports whether x is one of levels, which rise.
func among(levels []float32, x float32) bool {
	i := nearest(levels, x)
	return i >= 0 && levels[i]-x <= samePlace && x-levels[i] <= samePlace
}

// positionsSeen is at how many of the positions of v the score has a gradient, of so many that would cover the input.
func (t *terrain) positionsSeen(v graph.Value, seen map[graph.Value][][]float32) (some, all int) {
	some, all = 1, 1
	for k, c := range t.places(v) {
		n := len(levelsOf(c.X))
		if n == 0 {
			continue
		}
		all *= n
		if k < len(seen[v]) {
			some *= len(seen[v][k])
		} else {
			some = 0
		}
	}
	w := t.views[v].v
	for k, n := range []int{t.src.shown.H, t.src.shown.W} {
		if from, to := w.covers[k].steps(n); to-from < n {
			all = all * n / (to - from)
		}
	}
	return some, all
}
