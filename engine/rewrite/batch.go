package rewrite

import (
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// FreeBatch makes a graph that was exported for a batch of one take any batch: it replaces the leading 1 in the target of
// every Reshape of computed data by -1, or by 0 (keep) where another axis is inferred already. It does so only when the
// result infers outputs whose first axis follows the batch; otherwise it leaves g as it was and returns false. A Reshape whose leading 1 is not the
// batch, so that the new target gives another shape for a batch of one, keeps its target.
func FreeBatch(g *graph.Graph) bool {
	before, ok := shapesFor(g, 1)
	if !ok {
		return false
	}
	type change struct {
		n   *graph.Node
		old graph.Value
	}
	var changed []change
	for _, n := range g.Nodes {
		if n.Op.Name != "Reshape" || n.Op.Domain != "" || n.NumIn < 2 {
			continue
		}
		target := g.Info(n.In[1])
		if target.Kind != graph.Constant || target.DType != tensor.Int64 || g.Info(n.In[0]).Kind != graph.Computed {
			continue
		}
		dims := append([]int64(nil), target.Data.I64()...)
		if len(dims) == 0 || dims[0] != 1 {
			continue
		}
		dims[0] = -1
		for _, d := range dims[1:] {
			if d == -1 {
				dims[0] = 0
			}
		}
		changed = append(changed, change{n, n.In[1]})
		n.In[1] = g.AddConst(target.Name, tensor.From(dims, len(dims)))
	}
	if after, ok := shapesFor(g, 1); ok {
		for _, c := range changed {
			if !after[c.n.Out[0]].Equal(before[c.n.Out[0]]) {
				c.n.In[1] = c.old
			}
		}
		if follows(g) {
			return true
		}
	}
	for _, c := range changed {
		c.n.In[1] = c.old
	}
	return false
}

// shapesFor is the shapes of all values for a batch of n, ok false when they cannot be inferred.
func shapesFor(g *graph.Graph, n int) (shapes []tensor.Shape, ok bool) {
	in := make([]tensor.Shape, len(g.Inputs))
	for i, v := range g.Inputs {
		dims := g.Info(v).Dims
		if dims == nil {
			return nil, false
		}
		for k, d := range dims {
			size := max(d.Size, 1)
			if k == 0 && (i == 0 || d.Size == 1) {
				size = n
			}
			in[i] = append(in[i], size)
		}
	}
	shapes, _, err := exec.Shapes(g, in)
	return shapes, err == nil
}

// follows reports whether every output of g has the batch as its first axis, for two batch sizes.
func follows(g *graph.Graph) bool {
	for _, n := range []int{2, 3} {
		shapes, ok := shapesFor(g, n)
		if !ok {
			return false
		}
		for _, v := range g.Outputs {
			if s := shapes[v]; len(s) == 0 || s[0] != n {
				return false
			}
		}
	}
	return true
}

// Freeze turns parameters into constants, in bodies too: for sessions that do not train, which may then fold them and keep them packed.
func Freeze(g *graph.Graph) {
	for _, in := range g.Values {
		if in.Kind == graph.Parameter {
			in.Kind = graph.Constant
		}
	}
	Sink(g)
}
