package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// If runs one of two bodies, as cond says. Its gradient is an If on the same condition, whose bodies compute the branch again and go back
// through it. A condition that is constant is resolved when the model is loaded.
//
// Source: https://onnx.ai/onnx/operators/onnx__If.html
var If = new(graph.Spec)

func init() {
	define(If, graph.Def[noAttrs]{
		Name: "If", Role: graph.Control, Since: []int{1, 11, 13, 16, 19, 21, 23, 24, 25},
		Doc: "https://onnx.ai/onnx/operators/onnx__If.html",
		In:  []graph.Formal{{Name: "cond", NoGrad: true, Types: bools}},
		Out: []graph.Formal{{Name: "outputs", Variadic: true}}, Bodies: branches,
		Infer: func(*noAttrs, *graph.InferCtx) error { return graph.ErrAtRun },
		Check: func(_ *noAttrs, n *graph.Node) error {
			for _, attr := range branches {
				b := bodyIndex(n, attr)
				if n.Bodies[b].Formals > 0 {
					return fmt.Errorf("%s has %d inputs, want none", attr, n.Bodies[b].Formals)
				}
				if len(n.Bodies[b].G.Outputs) < len(n.Out) {
					return fmt.Errorf("%s has %d outputs, the node has %d", attr, len(n.Bodies[b].G.Outputs), len(n.Out))
				}
			}
			return nil
		},
		Flow: ifFlow,
		Grad: ifGrad,
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			if c.In[0].Len() != 1 {
				return fmt.Errorf("the condition has %d elements, want 1", c.In[0].Len())
			}
			branch := "else_branch"
			if tensor.Data[bool](c.In[0])[0] {
				branch = "then_branch"
			}
			outs, err := c.Body(bodyIndex(c.Node, branch), nil)
			if err != nil {
				return fmt.Errorf("%s: %w", branch, err)
			}
			for i := range c.Node.Out {
				c.SetOut(i, outs[i])
			}
			return nil
		},
	})
}

var branches = []string{"then_branch", "else_branch"}

// ifFlow is what either branch carries.
func ifFlow(_ *noAttrs, n *graph.Node) [][]bool {
	flow := make([][]bool, len(n.Out))
	for o := range flow {
		flow[o] = make([]bool, len(n.In))
	}
	for _, attr := range branches {
		k := bodyIndex(n, attr)
		g := n.Bodies[k].G
		for o, row := range graph.Carries(g, g.Inputs, g.Outputs[:len(flow)]) {
			copy(flow[o][n.FirstCaptured(k):], row)
		}
	}
	return flow
}

// ifGrad adds an If whose branches give the gradients by the captured values that want one: zeros where a branch does not use a value.
func ifGrad(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
	values := wanted(n, need)
	var bodies []*closure
	found := make([][]graph.Value, len(branches)) // by branch, the gradients by values
	for i, attr := range branches {
		c, err := closureOf(n, bodyIndex(n, attr))
		if err != nil {
			return nil, err
		}
		outs := c.G.Outputs
		var ys, dys, wrt []graph.Value
		for o, d := range dy {
			if d != 0 {
				ys, dys = append(ys, outs[o]), append(dys, c.capture(b, d))
			}
		}
		for _, v := range values {
			wrt = append(wrt, c.holders(v)...)
		}
		ds, err := b.Reverse(c.G, ys, dys, wrt)
		if err != nil {
			return nil, err
		}
		in := graph.NewBuilder(c.G)
		for _, v := range values {
			var d graph.Value
			for range c.holders(v) {
				d, ds = add(in, d, ds[0]), ds[1:]
			}
			found[i] = append(found[i], d)
		}
		if err := in.Err(); err != nil {
			return nil, err
		}
		bodies = append(bodies, c)
	}
	dx := make([]graph.Value, len(n.In))
	var given []graph.Value
	for k, v := range values {
		if found[0][k] != 0 || found[1][k] != 0 {
			given = append(given, v)
		}
	}
	if len(given) == 0 {
		return dx, nil
	}
	var list []*graph.Body
	var captured []graph.Value
	for i, c := range bodies {
		in := graph.NewBuilder(c.G)
		c.G.Outputs = nil
		for k, v := range values {
			d := found[i][k]
			if found[0][k] == 0 && found[1][k] == 0 {
				continue
			}
			if d == 0 {
				d = Fill(in, c.capture(b, v), 0)
			}
			c.G.Outputs = append(c.G.Outputs, d)
		}
		if err := in.Err(); err != nil {
			return nil, err
		}
		list, captured = append(list, c.Body), append(captured, c.captured...)
	}
	m := b.AddControl("", If, nil, n.In[:1], allOf(len(given)), list, captured)
	if m == nil {
		return nil, b.Err()
	}
	m.Prune()
	at := firsts(n, need)
	for k, v := range given {
		dx[at[v]] = m.Out[k]
	}
	return dx, nil
}
