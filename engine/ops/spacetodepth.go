package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// SpaceToDepth moves blocks of b×b pixels of input [N,C,H,W] into the channels: [N,C·b²,H/b,W/b], the block position being the
// slower part of the channel.
//
// Source: https://onnx.ai/onnx/operators/onnx__SpaceToDepth.html
var SpaceToDepth = new(graph.Spec)

type spaceToDepthAttrs struct {
	Block int `onnx:"blocksize,required"`
}

func init() {
	define(SpaceToDepth, graph.Def[spaceToDepthAttrs]{
		Name: "SpaceToDepth", Role: graph.Move, Since: []int{1, 13}, Doc: "https://onnx.ai/onnx/operators/onnx__SpaceToDepth.html",
		In: []graph.Formal{{Name: "input"}}, Out: []graph.Formal{{Name: "output"}},
		Check: func(a *spaceToDepthAttrs, _ *graph.Node) error { return a.as().check() },
		Infer: func(a *spaceToDepthAttrs, c *graph.InferCtx) error { return inferSpaceToDepth(a.Block, c) },
		Run: func(a *spaceToDepthAttrs, c *graph.RunCtx) error {
			w := a.as().walk(c.Out[0].Shape(), c.In[0].Shape())
			w.ds, w.ss = w.ss, w.ds
			copyStrided(c.Pool, c.Out[0], c.In[0], w)
			return nil
		},
		Grad: func(a *spaceToDepthAttrs, b *graph.Builder, _ *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(DepthToSpace, a.as(), dy[0])}, nil
		},
	})
}

// as are the attributes of the inverse.
func (a *spaceToDepthAttrs) as() *depthToSpaceAttrs {
	return &depthToSpaceAttrs{Block: a.Block, Mode: "DCR"}
}

func inferSpaceToDepth(b int, c *graph.InferCtx) error {
	s := c.Shape(0)
	if len(s) != 4 || b > 1<<20 || s[2]%b != 0 || s[3]%b != 0 {
		return fmt.Errorf("input has shape %v, want [N,C,H,W] with H and W multiples of %d", s, b)
	}
	c.Out(0, s[0], s[1]*b*b, s[2]/b, s[3]/b)
	return nil
}
