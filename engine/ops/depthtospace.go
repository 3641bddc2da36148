package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// DepthToSpace spreads the channels of input [N,C,H,W] over blocks of b×b pixels: [N,C/b²,H·b,W·b]. In mode DCR the block position
// is the slower part of the channel, in mode CRD the faster.
//
// Source: https://onnx.ai/onnx/operators/onnx__DepthToSpace.html
var DepthToSpace = new(graph.Spec)

// DepthToSpaceGrad is the inverse of DepthToSpace in either mode.
var DepthToSpaceGrad = new(graph.Spec)

type depthToSpaceAttrs struct {
	Block int    `onnx:"blocksize,required"`
	Mode  string `onnx:"mode,default=DCR"`
}

func init() {
	define(DepthToSpace, graph.Def[depthToSpaceAttrs]{
		Name: "DepthToSpace", Role: graph.Move, Since: []int{1, 11, 13}, Doc: "https://onnx.ai/onnx/operators/onnx__DepthToSpace.html",
		In: []graph.Formal{{Name: "input"}}, Out: []graph.Formal{{Name: "output"}},
		Check: func(a *depthToSpaceAttrs, _ *graph.Node) error { return a.check() },
		Infer: func(a *depthToSpaceAttrs, c *graph.InferCtx) error {
			s, b := c.Shape(0), a.Block
			if len(s) != 4 || b > 1<<20 || s[1]%(b*b) != 0 {
				return fmt.Errorf("input has shape %v, want [N,C,H,W] with C a multiple of %d²", s, b)
			}
			c.Out(0, s[0], s[1]/(b*b), s[2]*b, s[3]*b)
			return nil
		},
		Run: func(a *depthToSpaceAttrs, c *graph.RunCtx) error {
			w := a.walk(c.In[0].Shape(), c.Out[0].Shape())
			copyStrided(c.Pool, c.Out[0], c.In[0], w)
			return nil
		},
		Grad: func(a *depthToSpaceAttrs, b *graph.Builder, _ *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(DepthToSpaceGrad, a, dy[0])}, nil
		},
	})
	define(DepthToSpaceGrad, graph.Def[depthToSpaceAttrs]{
		Domain: Private, Name: "DepthToSpaceGrad", Since: []int{1}, Doc: "gradient of DepthToSpace",
		In: []graph.Formal{{Name: "dY"}}, Out: []graph.Formal{{Name: "dX"}},
		Infer: func(a *depthToSpaceAttrs, c *graph.InferCtx) error { return inferSpaceToDepth(a.Block, c) },
		Run: func(a *depthToSpaceAttrs, c *graph.RunCtx) error {
			w := a.walk(c.Out[0].Shape(), c.In[0].Shape())
			w.ds, w.ss = w.ss, w.ds
			copyStrided(c.Pool, c.Out[0], c.In[0], w)
			return nil
		},
		Grad: func(a *depthToSpaceAttrs, b *graph.Builder, _ *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(DepthToSpace, a, dy[0])}, nil
		},
		Lower: func(a *depthToSpaceAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			s2d := &spaceToDepthAttrs{Block: a.Block}
			if a.Mode == "DCR" {
				return []graph.Value{b.Add(SpaceToDepth, s2d, n.In[0])}, nil
			}
			// Each channel on its own: its block positions are then consecutive.
			shape := b.Add(Shape, nil, n.In[0])
			space := b.Add(Slice, nil, shape, b.Ints(2), b.Ints(4))
			each := b.Add(Reshape, nil, n.In[0], b.Add(Concat, &concatAttrs{}, b.Ints(-1, 1), space))
			deep := b.Add(SpaceToDepth, s2d, each)
			space = b.Add(Slice, nil, b.Add(Shape, nil, deep), b.Ints(2), b.Ints(4))
			batch := b.Add(Slice, nil, shape, b.Ints(0), b.Ints(1))
			return []graph.Value{b.Add(Reshape, nil, deep, b.Add(Concat, &concatAttrs{}, batch, b.Ints(-1), space))}, nil
		},
	})
}

func (a *depthToSpaceAttrs) check() error {
	if a.Block < 1 {
		return fmt.Errorf("blocksize is %d", a.Block)
	}
	if a.Mode != "DCR" && a.Mode != "CRD" {
		return fmt.Errorf("mode is %q, want DCR or CRD", a.Mode)
	}
	return nil
}

// walk visits the deep tensor (source) and the wide one (destination) over [N, C/b², block row, block column, H, W].
func (a *depthToSpaceAttrs) walk(deep, wide tensor.Shape) walk {
	b, sd, sw := a.Block, strides(deep), strides(wide)
	w := walk{
		ext: []int{wide[0], wide[1], b, b, deep[2], deep[3]},
		ds:  []int{sw[0], sw[1], sw[2], sw[3], b * sw[2], b * sw[3]},
		ss:  []int{sd[0], sd[1], b * wide[1] * sd[1], wide[1] * sd[1], sd[2], sd[3]},
	}
	if a.Mode == "CRD" {
		w.ss[1], w.ss[2], w.ss[3] = b*b*sd[1], b*sd[1], sd[1]
	}
	return w
}
