package rewrite

import "github.com/gtk-onnx/gtk/engine/graph"

// Freeze turns the parameters of g for which except is false into constants, which may then be folded, fused with and kept packed; a nil
// except is none. Who runs the result must see that they stay as they are, or freeze anew.
func Freeze(g *graph.Graph, except func(graph.Value) bool) {
	for v, in := range g.Values {
		if in.Kind == graph.Parameter && (except == nil || !except(v)) {
			in.Kind = graph.Constant
		}
	}
}
