package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// smallTypes are the element types of quantised numbers, small8 those of integers of 8 bits.
var (
	smallTypes = []tensor.DType{tensor.Int8, tensor.Uint8, tensor.Int16, tensor.Uint16, tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ,
		tensor.Float8E5M2, tensor.Float8E5M2FNUZ, tensor.Uint4, tensor.Int4, tensor.Float4E2M1, tensor.Uint2, tensor.Int2}
	small8     = []tensor.DType{tensor.Int8, tensor.Uint8}
	scaleTypes = []tensor.DType{tensor.Float32, tensor.Float8E8M0}
)

// quantizeAttrs are the attributes of QuantizeLinear, and what DequantizeLinear has of them.
type quantizeAttrs struct {
	Axis      int  `onnx:"axis,default=1"`
	Block     int  `onnx:"block_size,default=0"`
	Output    int  `onnx:"output_dtype,default=0"`
	Precision int  `onnx:"precision,default=0"`
	Saturate  bool `onnx:"saturate,default=1"`
}

type dequantizeAttrs struct {
	Axis   int `onnx:"axis,default=1"`
	Block  int `onnx:"block_size,default=0"`
	Output int `onnx:"output_dtype,default=0"`
}

// grain says which of the scales belongs to which element: one to all, one to each place along an axis, or one to each block of
// neighbours along an axis. Elements are visited in stretches.
type grain struct {
	outer, axis, inner int
	scales             int // along the axis
	block              int // elements along the axis that share a scale; 0: there is one scale
	blocked            bool
}

// stretch is the elements lo to hi-1, which have the scale number scale, or, where each has its own, that and those that follow it.
type stretch struct {
	lo, hi, scale int
	own           bool
}

// grainOf is the grain of scales of shape s for elements of shape x.
func grainOf(x, s tensor.Shape, at, block int) (*grain, error) {
	switch {
	case block < 0:
		return nil, fmt.Errorf("attribute block_size has the value %d", block)
	case len(s) == 0 || block == 0 && s.Len() == 1:
		return &grain{outer: 1, axis: 1, inner: x.Len(), scales: 1}, nil
	}
	k, err := axis(at, len(x))
	if err != nil {
		return nil, fmt.Errorf("attribute axis: %w", err)
	}
	outer, n, inner := around(x, k)
	if block == 0 {
		if len(s) != 1 || s[0] != n {
			return nil, fmt.Errorf("scales of shape %v for an input of shape %v, quantised along axis %d: want one, or %d; for blocks of "+
				"numbers, the attribute block_size", s, x, k, n)
		}
		return &grain{outer: outer, axis: n, inner: inner, scales: n, block: 1}, nil
	}
	want := append(tensor.Shape{}, x...)
	want[k] = (n + block - 1) / block
	if !s.Equal(want) {
		return nil, fmt.Errorf("scales of shape %v for an input of shape %v, quantised in blocks of %d along axis %d: want %v", s, x, block, k,
			want)
	}
	return &grain{outer: outer, axis: n, inner: inner, scales: want[k], block: block, blocked: true}, nil
}

// stretchChunk is the most elements of a stretch that all have one scale.
const stretchChunk = 1 << 14

func (g *grain) stretches() int {
	switch {
	case g.block == 0:
		return (g.inner + stretchChunk - 1) / stretchChunk
	case g.inner > 1:
		return g.outer * g.axis
	case g.blocked:
		return g.outer * g.scales
	}
	return g.outer
}

func (g *grain) stretch(r int) stretch {
	switch {
	case g.block == 0:
		return stretch{lo: r * stretchChunk, hi: min((r+1)*stretchChunk, g.inner)}
	case g.inner > 1 && g.blocked:
		o, a := r/g.axis, r%g.axis
		return stretch{r * g.inner, (r + 1) * g.inner, (o*g.scales + a/g.block) * g.inner, true}
	case g.inner > 1:
		return stretch{r * g.inner, (r + 1) * g.inner, r % g.axis, false}
	case g.blocked:
		o, b := r/g.scales, r%g.scales
		return stretch{o*g.axis + b*g.block, o*g.axis + min((b+1)*g.block, g.axis), r, false}
	}
	return stretch{r * g.axis, (r + 1) * g.axis, 0, true}
}

// each calls f for every stretch, and for every element that has a scale of its own.
func (g *grain) each(p *parallel.Pool, f func(lo, hi, scale int)) {
	n := g.stretches()
	if n == 0 || g.outer*g.axis*g.inner == 0 {
		return
	}
	p.For(n, max(1, stretchChunk*n/max(1, g.outer*g.axis*g.inner)), func(a, b int) {
		for r := a; r < b; r++ {
			s := g.stretch(r)
			if !s.own {
				f(s.lo, s.hi, s.scale)
				continue
			}
			for i := s.lo; i < s.hi; i++ {
				f(i, i+1, s.scale+i-s.lo)
			}
		}
	})
}

// inferQuantised is the shape rule of what has an element for each of input 0, with scales in input 1 and zero points in input 2.
func inferQuantised(c *graph.InferCtx, at, block int) error {
	if _, err := grainOf(c.Shape(0), c.Shape(1), at, block); err != nil {
		return err
	}
	if c.Has(2) {
		if err := zerosFit(c.Shape(2), c.Shape(1)); err != nil {
			return err
		}
	}
	c.Out(0, c.Shape(0)...)
	return nil
}

// zerosFit checks that there are as many zero points as scales.
func zerosFit(zero, scale tensor.Shape) error {
	if zero.Len() != scale.Len() || len(zero) != len(scale) && scale.Len() != 1 {
		return fmt.Errorf("zero points of shape %v for scales of shape %v", zero, scale)
	}
	return nil
}

// scalesIn is the scales in input i, in float32.
func scalesIn(c *graph.RunCtx, i int) ([]float32, error) {
	if c.In[i].DType() == tensor.Float32 {
		return c.In[i].F32(), nil
	}
	t, err := c.In[i].Convert(tensor.Float32)
	if err != nil {
		return nil, err
	}
	return t.F32(), nil
}

// zerosIn is n zero points, those in input i; nil when it is absent. They are whole numbers but for zero points of small floats.
func zerosIn(c *graph.RunCtx, i int) ([]int32, error) {
	if !c.Has(i) {
		return nil, nil
	}
	t, err := c.In[i].Convert(tensor.Int32)
	if err != nil {
		return nil, err
	}
	return tensor.Data[int32](t), nil
}

// bounds are the smallest and the largest integer of type d.
func bounds(d tensor.DType) (lo, hi int32) {
	bits := d.Bits()
	switch d {
	case tensor.Int8, tensor.Int16, tensor.Int4, tensor.Int2:
		return -1 << (bits - 1), 1<<(bits-1) - 1
	}
	return 0, 1<<bits - 1
}

// largest is the largest number of the small float type d.
func largest(d tensor.DType) float64 {
	switch d {
	case tensor.Float8E4M3FN:
		return 448
	case tensor.Float8E4M3FNUZ:
		return 240
	case tensor.Float8E5M2, tensor.Float8E5M2FNUZ:
		return 57344
	}
	return 6
}

// storage is the type in which integers of type d are computed: one that Go has.
func storage(d tensor.DType) tensor.DType {
	switch d {
	case tensor.Int4, tensor.Int2:
		return tensor.Int8
	case tensor.Uint4, tensor.Uint2:
		return tensor.Uint8
	}
	return d
}

// copyAs stores t in y, whose type may be another one, as Cast does.
func copyAs(y, t *tensor.Tensor, o tensor.CastOptions) error {
	if t == y {
		return nil
	}
	c, err := t.ConvertWith(y.DType(), o)
	if err != nil {
		return err
	}
	copy(y.Bytes(), c.Bytes())
	return nil
}
