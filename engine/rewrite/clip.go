package rewrite

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// fuseClip lets batch normalisations clip their result, as ReLU6 does, and their gradients the gradient of that.
func fuseClip(g *graph.Graph, keep []graph.Value) {
	f := newFuser(g, keep)
	readers := g.Readers()
	for _, n := range f.nodes() {
		if len(n.Out) == 0 || n.Out[0] == 0 || n.Frozen || f.pinned[n.Out[0]] || slices.Contains(g.Outputs, n.Out[0]) {
			continue
		}
		rs := readers[n.Out[0]]
		if len(rs) != 2 {
			continue
		}
		for _, pair := range [][2]*graph.Node{{rs[0], rs[1]}, {rs[1], rs[0]}} {
			clip, back := pair[0], pair[1]
			if clip.Frozen || len(back.Out) == 0 {
				continue
			}
			if grad := f.only[back.Out[0]]; grad != nil && ops.FuseClip(g, n, clip, back, grad) {
				f.bypass(n, clip)
				f.drop(back)
				break
			}
		}
	}
	f.done()
}
