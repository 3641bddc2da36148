package ops

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// sampled is the rule of GridSample at places that are known: coordinates are sampled linearly as X is, those outside continued.
func (f *follower) sampled() bool {
	if f.in[0] == nil || f.in[1] != nil || f.values[1] == nil {
		return false
	}
	mode, align := "", false
	switch a := f.n.Attrs.(type) {
	case *gridSampleAttrs:
		mode, align = a.Mode, a.Align
	case *gridSample16Attrs:
		mode, align = a.Mode, a.Align
	}
	if mode != "nearest" {
		mode = "linear"
	}
	attrs := &gridSampleAttrs{Align: align, Mode: mode, Padding: "border"}
	grid, err := f.values[1].Convert(tensor.Float32)
	if err != nil {
		return false
	}
	s := slices.Clone(f.shapes[0])
	s[1] = 1
	f.flow[0] = Moved
	f.outs[0] = make(Coords, f.k)
	for k, c := range f.in[0] {
		if c.Shape[1] != 1 { // the places of channels stay
			f.outs[0][k] = nowhere(len(s))
			if !slices.ContainsFunc(c.Shape[2:], func(d int) bool { return d != 1 }) {
				f.outs[0][k] = c
			}
			continue
		}
		g := graph.New("")
		b := graph.NewBuilder(g)
		x := tensor.From(c.Expand(s), s...)
		n := b.AddNode("", GridSample, attrs, []graph.Value{g.AddConst("", x), g.AddConst("", grid)}, []bool{true})
		if n == nil {
			return false
		}
		y, err := graph.Evaluate(g, n, []*tensor.Tensor{x, grid})
		if err != nil {
			return false
		}
		f.outs[0][k] = shrunk(y[0].Shape(), slices.Clone(y[0].F32()))
	}
	return true
}

// deformed is the rule of DeformConv: positions as a convolution has them, which offsets move by little.
func (f *follower) deformed() bool {
	ok := f.conv()
	for i := 2; i < len(f.in); i++ {
		if f.in[i] != nil {
			f.flow[i] = Across
		}
	}
	return ok
}
