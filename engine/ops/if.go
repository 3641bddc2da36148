package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// If runs one of two bodies, as cond says. It has no gradient: a condition that is constant is resolved when the model is loaded.
//
// Source: https://onnx.ai/onnx/operators/onnx__If.html
var If = new(graph.Spec)

func init() {
	define(If, graph.Def[noAttrs]{
		Name: "If", Role: graph.Control, Since: []int{1, 11, 13, 16, 19, 21, 23, 24, 25}, Doc: "https://onnx.ai/onnx/operators/onnx__If.html",
		In:    []graph.Formal{{Name: "cond", NoGrad: true, Types: bools}},
		Out:   []graph.Formal{{Name: "outputs", Variadic: true}},
		Infer: func(*noAttrs, *graph.InferCtx) error { return graph.ErrAtRun },
		Check: func(_ *noAttrs, n *graph.Node) error {
			for _, attr := range []string{"then_branch", "else_branch"} {
				b := bodyIndex(n, attr)
				if b < 0 {
					return fmt.Errorf("attribute %s is missing", attr)
				}
				if n.Bodies[b].Formals > 0 {
					return fmt.Errorf("%s has %d inputs, want none", attr, n.Bodies[b].Formals)
				}
				if len(n.Bodies[b].G.Outputs) < len(n.Out) {
					return fmt.Errorf("%s has %d outputs, the node has %d", attr, len(n.Bodies[b].G.Outputs), len(n.Out))
				}
			}
			return nil
		},
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

// bodyIndex is the index of the body that attribute attr held, or -1.
func bodyIndex(n *graph.Node, attr string) int {
	for i, b := range n.Bodies {
		if b.Attr == attr {
			return i
		}
	}
	return -1
}
