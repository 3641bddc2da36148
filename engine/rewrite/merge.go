package rewrite

import (
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Merge makes nodes that compute the same thing from the same inputs one (common subexpressions), and equal small constants one.
// Values in keep stay as they are. Nodes with bodies stay too, and what is equal within a body is merged. Differentiating twice repeats a
// first sweep, which Merge removes.
func Merge(g *graph.Graph, keep []graph.Value) {
	pinned := make(map[graph.Value]bool, len(keep))
	for _, v := range keep {
		pinned[v] = true
	}
	for _, v := range g.Outputs {
		pinned[v] = true
	}
	to := make([]graph.Value, g.NumValues())
	for i := range to {
		to[i] = graph.Value(i)
	}
	seen := map[string]*graph.Node{}
	consts := map[string]graph.Value{}
	for v, in := range g.Values {
		if in.Kind == graph.Constant && in.Data.Len() <= 16 && in.Data.Bytes() != nil {
			k := in.Data.String() + string(in.Data.Bytes())
			if w, ok := consts[k]; ok {
				to[v] = w
			} else {
				consts[k] = v
			}
		}
	}
	var kept []*graph.Node
	for _, n := range g.Nodes {
		for i, v := range n.In {
			n.In[i] = to[v]
		}
		if n.Op.Random || len(n.Bodies) > 0 || n.Frozen {
			kept = append(kept, n)
			continue
		}
		k := key(n)
		first, ok := seen[k]
		if !ok {
			seen[k] = n
			kept = append(kept, n)
			continue
		}
		blocked := false
		for i, v := range n.Out {
			if v != 0 && (pinned[v] || first.Out[i] == 0) {
				blocked = true
			}
		}
		if blocked {
			kept = append(kept, n)
			continue
		}
		for i, v := range n.Out {
			if v != 0 {
				to[v] = first.Out[i]
			}
		}
	}
	g.Nodes = kept
	for _, n := range g.Nodes {
		for _, b := range n.Bodies {
			Merge(b.G, nil)
		}
	}
}

// key is equal for nodes that compute the same: operator, attributes, inputs and which outputs there are.
func key(n *graph.Node) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s.%s %p %v %d", n.Op.Domain, n.Op.Name, n.Op, n.In, len(n.Out))
	if a := graph.EncodeAttrs(n.Attrs); len(a) > 0 {
		fmt.Fprintf(&b, " %v", a) // fmt prints maps in key order; tensors by address
	}
	return b.String()
}
