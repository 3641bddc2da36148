package rewrite

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/tensor"
)

// maxFolded is the size in elements of the largest constant that Fold makes out of smaller ones.
const maxFolded = 1 << 20

// foldBytes is how much is computed ahead of one graph in all, beside a multiple of what the file holds; a chain of nodes that double their
// input is no reason to fill the memory.
const foldBytes, foldGrowth = 32 << 20, 16

// Fold computes the nodes whose inputs are all constants and makes their outputs constants, and puts the chosen branch of an If
// whose condition is constant in its place. Parameters are not constants, and nodes that compute or read a value of except, which the
// caller wants to differentiate by, stay.
func Fold(g *graph.Graph, except ...graph.Value) error {
	stays := map[graph.Value]bool{}
	for _, v := range except {
		stays[v] = true
	}
	stay := func(v graph.Value) bool { return stays[v] }
	for {
		inlined := false
		var kept []*graph.Node
		for i, n := range g.Nodes {
			if slices.ContainsFunc(n.Out, stay) || len(n.Bodies) == 0 && slices.ContainsFunc(n.In, stay) {
				kept = append(kept, n)
				continue
			}
			if len(n.Bodies) > 0 {
				if n.Op.Name == "If" && n.Op.Domain == "" && g.Info(n.In[0]).Kind == graph.Constant {
					nodes, err := inlineIf(g, n)
					if err != nil {
						return err
					}
					if nodes != nil {
						g.Nodes = append(append(kept, nodes...), g.Nodes[i+1:]...)
						inlined = true
						break
					}
				}
				kept = append(kept, n)
				continue
			}
			done, err := foldNode(g, n)
			if err != nil {
				return err
			}
			if !done {
				kept = append(kept, n)
			}
		}
		if !inlined {
			g.Nodes = kept
			return nil
		}
	}
}

// foldNode makes the outputs of n constants when its inputs are and there is memory for them.
func foldNode(g *graph.Graph, n *graph.Node) (bool, error) {
	if n.Op.Random || !n.Op.HasRun() || len(n.Out) == 0 {
		return false, nil
	}
	in := make([]*tensor.Tensor, len(n.In))
	operands := make([]graph.Operand, len(n.In))
	size := 0
	for i, v := range n.In {
		if v == 0 {
			continue
		}
		info := g.Info(v)
		if info.Kind != graph.Constant {
			return false, nil
		}
		in[i] = info.Data
		operands[i] = graph.Operand{Present: true, DType: info.DType, Shape: info.Data.Shape(), Value: info.Data}
		size += info.Data.Len()
	}
	ic := graph.NewInferCtx(n, operands, 1)
	err := n.Op.Infer(n.Attrs, ic)
	if errors.Is(err, graph.ErrAtRun) {
		return false, nil
	}
	if err != nil {
		return false, nil // the error is raised, with shapes, when the node is planned
	}
	total, bytes := 0, 0
	shapes, _, scratch := ic.Result()
	for i, v := range n.Out {
		if v == 0 {
			continue
		}
		k, err := shapes[i].CheckedLen(g.Info(v).DType)
		if err != nil {
			return false, nil
		}
		total += k
		bytes += graph.StorageBytes(g.Info(v).DType, k)
	}
	budget := foldBytes + foldGrowth*g.Given - g.Folded
	if total > maxFolded && total > 2*size || bytes > budget || scratch < 0 || scratch > budget {
		return false, nil
	}
	out, err := graph.Evaluate(g, n, in)
	if _, short := errors.AsType[*memory.Error](err); short {
		return false, nil // it is computed when it runs, if then there is memory
	}
	if err != nil {
		return false, fmt.Errorf("rewrite: fold %s: %w", n.Label(), err)
	}
	g.Folded += bytes
	for i, v := range n.Out {
		if v != 0 {
			info := g.Info(v)
			info.Kind, info.Data, info.Def = graph.Constant, out[i], nil
		}
	}
	return true, nil
}

// inlineIf returns copies of the nodes of the branch that the constant condition of n chooses, and makes readers of n's outputs read
// theirs; the outputs themselves stay values, for those who hold them. It returns nil when the condition is not a single bool.
func inlineIf(g *graph.Graph, n *graph.Node) ([]*graph.Node, error) {
	cond := g.Info(n.In[0]).Data
	if cond.DType() != tensor.Bool || cond.Len() != 1 {
		return nil, nil
	}
	want := "else_branch"
	if tensor.Data[bool](cond)[0] {
		want = "then_branch"
	}
	for _, b := range n.Bodies {
		if b.Attr == want {
			return splice(g, n, b)
		}
	}
	return nil, fmt.Errorf("rewrite: %s has no %s", n.Label(), want)
}

// splice copies the nodes of body b of n into g.
func splice(g *graph.Graph, n *graph.Node, b *graph.Body) ([]*graph.Node, error) {
	captured := n.Captured(slices.Index(n.Bodies, b))
	to := make([]graph.Value, b.G.NumValues())
	for i, v := range b.G.Inputs[b.Formals:] {
		to[v] = captured[i]
	}
	for v, in := range b.G.Values {
		if in.Data != nil {
			to[v] = g.NewValue(graph.Info{Name: in.Name, DType: in.DType, Kind: in.Kind, Data: in.Data})
		}
	}
	nodes := []*graph.Node{}
	for _, bn := range b.G.Nodes {
		c := *bn
		c.ID = g.TakeID()
		c.In, c.Out = make([]graph.Value, len(bn.In)), make([]graph.Value, len(bn.Out))
		for i, v := range bn.In {
			c.In[i] = to[v]
		}
		for i, v := range bn.Out {
			if v != 0 {
				in := b.G.Info(v)
				to[v] = g.NewValue(graph.Info{Name: in.Name, DType: in.DType, Def: &c, Index: i})
				c.Out[i] = to[v]
			}
		}
		nodes = append(nodes, &c)
	}
	for i, v := range n.Out {
		if v != 0 {
			w := to[b.G.Outputs[i]]
			g.Replace(v, w)
			id := &graph.Node{ID: g.TakeID(), Name: n.Name, Op: ops.Identity, Attrs: ops.Identity.NewAttrs(), NumIn: 1}
			id.In, id.Out = []graph.Value{w}, []graph.Value{v}
			nodes = append(nodes, id)
			out := g.Info(v)
			out.Def, out.Index = id, 0
		}
	}
	return nodes, nil
}
