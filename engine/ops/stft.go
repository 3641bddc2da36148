package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// STFT [B,F,K,2] has the DFTs of F frames of a signal [B,L,1], or complex [B,L,2]: frame f begins at f·frame_step, has frame_length numbers
// and is multiplied by the window. A real signal has K = frame_length/2+1, unless onesided is 0. It is lowered to a Gather, a Mul and a
// DFT.
//
// Source: https://onnx.ai/onnx/operators/onnx__STFT.html
var STFT = new(graph.Spec)

// FixedWindow is a window that stands in the file: a function that somebody chose, which is not learned. Its output is its input.
var FixedWindow = new(graph.Spec)

type stftAttrs struct {
	Onesided bool `onnx:"onesided,default=1"`
}

func init() {
	define(STFT, graph.Def[stftAttrs]{
		Name: "STFT", Since: []int{17}, Doc: "https://onnx.ai/onnx/operators/onnx__STFT.html",
		In: []graph.Formal{{Name: "signal", Types: floats}, {Name: "frame_step", NoGrad: true, Types: indexes},
			{Name: "window", Optional: true, Types: floats}, {Name: "frame_length", Optional: true, NoGrad: true, Types: indexes}},
		Out: []graph.Formal{{Name: "output"}},
		Lower: func(a *stftAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			if t := b.G.Info(n.In[1]).Data; t != nil {
				if step, err := count("frame_step", t); err != nil || step == 0 {
					return nil, fmt.Errorf("frame_step is %v, want at least 1", t.Float64s())
				}
			}
			scalar := func(v graph.Value) graph.Value {
				return b.Add(Reshape, nil, b.Add(Cast, CastTo(tensor.Int64), v), b.Ints())
			}
			number := func(x int) graph.Value { return b.Const(tensor.Scalar(int64(x))) }
			extent := func(v graph.Value, k int) graph.Value { return b.Add(Gather, nil, b.Add(Shape, nil, v), number(k)) }
			signal, step, window := n.In[0], scalar(n.In[1]), input(n, 2)
			length := extent(signal, 1)
			size := length
			switch given := input(n, 3); {
			case given != 0:
				size = scalar(given)
			case window != 0:
				size = extent(window, 0)
			}
			// A signal that is shorter than a frame has one, whose places are none of its own, which is an error.
			frames := b.Add(Max, nil, add(b, div(b, sub(b, length, size), step), number(1)), number(1))
			starts := mul(b, b.Add(Range, nil, number(0), frames, number(1)), step)
			places := add(b, b.Add(Unsqueeze, nil, starts, b.Ints(1)), b.Add(Range, nil, number(0), size, number(1)))
			x := b.Add(Gather, &gatherAttrs{Axis: 1}, signal, places) // [B,F,frame_length,1 or 2]
			if window != 0 {
				if b.G.Info(window).Data != nil {
					window = b.Add(FixedWindow, nil, window)
				}
				x = mul(b, x, b.Add(Unsqueeze, nil, window, b.Ints(1)))
			}
			return []graph.Value{b.Add(DFT, &dftAttrs{Onesided: a.Onesided}, x, size, number(2))}, nil
		},
	})
	define(FixedWindow, graph.Def[noAttrs]{
		Domain: Private, Name: "FixedWindow", Since: []int{1}, Doc: "https://onnx.ai/onnx/operators/onnx__STFT.html", View: true,
		In: []graph.Formal{{Name: "window", NoGrad: true}}, Out: []graph.Formal{{Name: "Y"}}, Infer: sameShape[noAttrs],
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			copy(c.Out[0].Bytes(), c.In[0].Bytes())
			return nil
		},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{b.Add(Identity, nil, n.In[0])}, nil
		},
	})
}
