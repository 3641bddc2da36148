package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// GridSample is X [N,C,i…] at the places that grid [N,o…,d] gives, from -1 to 1 in X and the last axis first: Y [N,C,o…], the nearest
// element or an interpolation, linear or cubic, along one axis after the other. Outside X are zeros, its border, or its reflection.
//
// Source: https://onnx.ai/onnx/operators/onnx__GridSample.html. Deviation: floating-point X only.
var GridSample = new(graph.Spec)

var gridSample16 = new(graph.Spec)

type gridSampleAttrs struct {
	Align   bool   `onnx:"align_corners,default=0"`
	Mode    string `onnx:"mode,default=linear"`
	Padding string `onnx:"padding_mode,default=zeros"`
}

// gridSample16Attrs name the modes otherwise.
type gridSample16Attrs struct {
	Align   bool   `onnx:"align_corners,default=0"`
	Mode    string `onnx:"mode,default=bilinear"`
	Padding string `onnx:"padding_mode,default=zeros"`
}

func (a *gridSampleAttrs) sample() *sampleAttrs {
	return &sampleAttrs{Mode: a.Mode, Padding: a.Padding, Align: a.Align}
}

func (a *gridSample16Attrs) sample() *sampleAttrs {
	modes := map[string]string{"bilinear": "linear", "bicubic": "cubic", "nearest": "nearest"}
	return &sampleAttrs{Mode: modes[a.Mode], Padding: a.Padding, Align: a.Align}
}

func init() {
	const doc = "https://onnx.ai/onnx/operators/onnx__GridSample.html"
	in := []graph.Formal{{Name: "X", Types: floats}, {Name: "grid", Types: floats}}
	define(GridSample, graph.Def[gridSampleAttrs]{
		Name: "GridSample", Role: graph.Pool, Since: []int{20, 22}, Doc: doc, In: in, Out: []graph.Formal{{Name: "Y"}},
		Check: func(a *gridSampleAttrs, _ *graph.Node) error { return a.sample().check(a.Mode) },
		Infer: func(_ *gridSampleAttrs, c *graph.InferCtx) error { return inferGridSample(c) },
		Run:   func(a *gridSampleAttrs, c *graph.RunCtx) error { return runGridSample(a.sample(), c) },
		Grad: func(a *gridSampleAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			return gradSample(a.sample(), b, n.In[0], n.In[1], dy[0], nil, need, nil), nil
		},
	})
	define(gridSample16, graph.Def[gridSample16Attrs]{
		Name: "GridSample", Role: graph.Pool, Since: []int{16}, Doc: doc, In: in, Out: []graph.Formal{{Name: "Y"}},
		Check: func(a *gridSample16Attrs, _ *graph.Node) error { return a.sample().check(a.Mode) },
		Infer: func(_ *gridSample16Attrs, c *graph.InferCtx) error { return inferGridSample(c) },
		Run:   func(a *gridSample16Attrs, c *graph.RunCtx) error { return runGridSample(a.sample(), c) },
		Grad: func(a *gridSample16Attrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			return gradSample(a.sample(), b, n.In[0], n.In[1], dy[0], nil, need, nil), nil
		},
	})
}

// check is of the words; given is what the mode is called in the file.
func (a *sampleAttrs) check(given string) error {
	switch a.Mode {
	case "nearest", "linear", "cubic":
	default:
		return fmt.Errorf("mode is %q, want nearest, linear or cubic (before operator set 20 bilinear or bicubic)", given)
	}
	switch a.Padding {
	case "zeros", "border", "reflection":
		return nil
	}
	return fmt.Errorf("padding_mode is %q, want zeros, border or reflection", a.Padding)
}

func inferGridSample(c *graph.InferCtx) error {
	x, grid := c.Shape(0), c.Shape(1)
	if len(x) < 3 || len(grid) != len(x) || grid[0] != x[0] {
		return fmt.Errorf("input X has shape %v and grid %v, want [N,C,i…] and [N,o…,d] of one rank", x, grid)
	}
	out, err := sampledShape(x, grid)
	if err != nil {
		return err
	}
	c.Out(0, out...)
	return nil
}

func runGridSample(a *sampleAttrs, c *graph.RunCtx) error {
	if c.In[0].DType() == tensor.Float64 {
		sample[float64](a, c)
	} else {
		sample[float32](a, c)
	}
	return nil
}
