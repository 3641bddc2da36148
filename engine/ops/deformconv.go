package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// DeformConv is a convolution Y [N,M,o…] of X [N,C,i…] with W [M,C/group,k…] and a bias B [M], whose kernel elements lie off their places
// by offset [N,G·Πk·d,o…], for each of G groups of channels, d numbers for each place of the kernel, and are weighed by mask [N,G·Πk,o…].
// X is interpolated linearly between its elements and 0 outside.
//
// Source: https://onnx.ai/onnx/operators/onnx__DeformConv.html; Zhu et al. 2018, arXiv 1811.11168.
var DeformConv = new(graph.Spec)

// DeformGrid is offset as the grid [N·G,Πk,o…,d] of indices of X where Sample reads, with base 1 from the places of the kernel on. Inputs
// offset, W for its shape.
var DeformGrid = new(graph.Spec)

// DeformOffset is the inverse of DeformGrid without base: its gradient. Inputs grid, W for its shape, and offset for its shape.
var DeformOffset = new(graph.Spec)

type deformAttrs struct {
	Dilations []int `onnx:"dilations"`
	Group     int   `onnx:"group,default=1"`
	Kernel    []int `onnx:"kernel_shape"`
	Offsets   int   `onnx:"offset_group,default=1"`
	Pads      []int `onnx:"pads"`
	Strides   []int `onnx:"strides"`
}

type deformGridAttrs struct {
	Dilations []int `onnx:"dilations"`
	Offsets   int   `onnx:"offset_group,default=1"`
	Pads      []int `onnx:"pads"`
	Strides   []int `onnx:"strides"`
	Base      bool  `onnx:"base,default=1"`
}

func init() {
	x, offset := graph.Formal{Name: "X", Types: floats}, graph.Formal{Name: "offset", Types: floats}
	w := graph.Formal{Name: "W", Types: floats, Weight: true}
	like := func(name string) graph.Formal { return graph.Formal{Name: name, NoGrad: true} }
	define(DeformConv, graph.Def[deformAttrs]{
		Name: "DeformConv", Role: graph.Linear, Since: []int{19, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__DeformConv.html",
		In: []graph.Formal{x, w, offset, {Name: "B", Types: floats, Optional: true, Weight: true},
			{Name: "mask", Types: floats, Optional: true}},
		Out: []graph.Formal{{Name: "Y"}},
		Infer: func(a *deformAttrs, c *graph.InferCtx) error {
			g, err := a.geometry(c.Shape(0), c.Shape(1))
			if err != nil {
				return err
			}
			places := a.Offsets * product(g.k)
			if want := append(tensor.Shape{g.n, places * len(g.k)}, g.out...); !c.Shape(2).Equal(want) {
				return fmt.Errorf("offset has shape %v, want %v", c.Shape(2), want)
			}
			if c.Has(3) && !c.Shape(3).Equal(tensor.Shape{g.m}) {
				return fmt.Errorf("bias has shape %v, want [%d]", c.Shape(3), g.m)
			}
			if want := append(tensor.Shape{g.n, places}, g.out...); c.Has(4) && !c.Shape(4).Equal(want) {
				return fmt.Errorf("mask has shape %v, want %v", c.Shape(4), want)
			}
			c.Out(0, g.outShape()...)
			return nil
		},
		Run: func(a *deformAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return deformConv(a, c, kernel.Dgemm)
			}
			return deformConv(a, c, kernel.Sgemm)
		},
		PerExample: func(a *deformAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			switch in {
			case 1:
				conv, cols, flat := a.lower(b, n)
				each := b.Add(ConvPerExample, conv, cols, dy[0], flat)
				shape := b.Add(Concat, &concatAttrs{}, b.Ints(-1), b.Add(Shape, nil, n.In[1]))
				return graph.PerExample{
					Grad:  b.Add(Reshape, nil, each, shape),
					Norm2: b.Add(ConvPerExampleNorm2, conv, cols, dy[0], flat),
				}, nil
			case 3:
				g := b.Add(PerExampleChannelSum, nil, dy[0])
				return graph.PerExample{Grad: g, Norm2: RowSumSquares(b, g)}, nil
			}
			return graph.PerExample{}, graph.ErrNoGradient
		},
		Lower: func(a *deformAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			conv, cols, flat := a.lower(b, n)
			return []graph.Value{b.Add(Conv, conv, cols, flat, input(n, 3))}, nil
		},
	})
	define(DeformGrid, graph.Def[deformGridAttrs]{
		Domain: Private, Name: "DeformGrid", Since: []int{1}, Doc: "places of DeformConv",
		In: []graph.Formal{offset, like("W")}, Out: []graph.Formal{{Name: "grid"}},
		Infer: func(a *deformGridAttrs, c *graph.InferCtx) error {
			g, err := a.shape(c.Shape(0), c.Shape(1))
			if err != nil {
				return err
			}
			c.Out(0, g...)
			return nil
		},
		Run: func(a *deformGridAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				deformMove(a, tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]), c.In[0].Shape(), c.In[1].Shape(), true)
			} else {
				deformMove(a, c.Out[0].F32(), c.In[0].F32(), c.In[0].Shape(), c.In[1].Shape(), true)
			}
			return nil
		},
		Grad: func(a *deformGridAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(DeformOffset, a, dy[0], n.In[1], n.In[0])), nil
		},
	})
	define(DeformOffset, graph.Def[deformGridAttrs]{
		Domain: Private, Name: "DeformOffset", Since: []int{1}, Doc: "gradient of DeformGrid",
		In: []graph.Formal{{Name: "grid", Types: floats}, like("W"), like("offset")}, Out: []graph.Formal{{Name: "doffset"}},
		Infer: func(a *deformGridAttrs, c *graph.InferCtx) error {
			g, err := a.shape(c.Shape(2), c.Shape(1))
			if err != nil {
				return err
			}
			if !g.Equal(c.Shape(0)) {
				return fmt.Errorf("grid has shape %v, want %v", c.Shape(0), g)
			}
			c.Out(0, c.Shape(2)...)
			return nil
		},
		Run: func(a *deformGridAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				deformMove(a, tensor.Data[float64](c.In[0]), tensor.Data[float64](c.Out[0]), c.In[2].Shape(), c.In[1].Shape(), false)
			} else {
				deformMove(a, c.In[0].F32(), c.Out[0].F32(), c.In[2].Shape(), c.In[1].Shape(), false)
			}
			return nil
		},
		Grad: func(a *deformGridAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			moved := *a
			moved.Base = false
			return only(n, 0, b.Add(DeformGrid, &moved, dy[0], n.In[1])), nil
		},
	})
}

// geometry is that of the convolution without offsets.
func (a *deformAttrs) geometry(x, w tensor.Shape) (*convGeometry, error) {
	conv := &convAttrs{AutoPad: "NOTSET", Dilations: a.Dilations, Group: a.Group, Kernel: a.Kernel, Pads: a.Pads, Strides: a.Strides}
	g, err := conv.geometry(x, w)
	if err != nil {
		return nil, err
	}
	if a.Offsets < 1 || g.c%a.Offsets != 0 {
		return nil, fmt.Errorf("attribute offset_group is %d for %d channels", a.Offsets, g.c)
	}
	return g, nil
}

func (a *deformAttrs) grid() *deformGridAttrs {
	return &deformGridAttrs{Dilations: a.Dilations, Offsets: a.Offsets, Pads: a.Pads, Strides: a.Strides, Base: true}
}

var deformSampling = &sampleAttrs{Mode: "linear", Padding: "zeros", Pixels: true}

// lower makes the columns [N,C·Πk,o…] that n multiplies by its weights, and those as [M,C/group·Πk,1…], for the convolution of conv.
func (a *deformAttrs) lower(b *graph.Builder, n *graph.Node) (conv *convAttrs, cols, flat graph.Value) {
	x, w, offset, mask := n.In[0], n.In[1], n.In[2], input(n, 4)
	join := func(v ...graph.Value) graph.Value { return b.Add(Concat, &concatAttrs{}, v...) }
	cols = b.Add(Sample, deformSampling, x, b.Add(DeformGrid, a.grid(), offset, w)) // [N,C,Πk,o…]
	if mask != 0 {
		weights := b.Add(Reshape, nil, mask, b.Ints(0, a.Offsets, 1, -1))
		groups := b.Add(Reshape, nil, cols, join(b.Ints(0, a.Offsets, -1), b.Add(Shape, &shapeAttrs{Start: 3}, weights)))
		cols = inShape(b, mul(b, groups, weights), b.Add(Shape, nil, cols))
	}
	cols = b.Add(Reshape, nil, cols, join(b.Ints(0, -1), b.Add(Shape, &shapeAttrs{Start: 2}, offset)))
	kernel := b.Add(Shape, &shapeAttrs{Start: 2}, w)
	ones := div(b, kernel, kernel)
	return &convAttrs{AutoPad: "NOTSET", Group: a.Group}, cols, b.Add(Reshape, nil, w, join(b.Ints(0, -1), ones))
}

// shape is that of the grid for offset and W of the given shapes.
func (a *deformGridAttrs) shape(offset, w tensor.Shape) (tensor.Shape, error) {
	d := len(w) - 2
	if d < 1 || len(offset) != len(w) || a.Offsets < 1 || offset[1] != a.Offsets*product(w[2:])*d {
		return nil, fmt.Errorf("offset of shape %v and W of shape %v with %d groups do not agree", offset, w, a.Offsets)
	}
	return append(append(tensor.Shape{offset[0] * a.Offsets, product(w[2:])}, offset[2:]...), d), nil
}

// deformMove copies between grid [batch,Πk,o…,d] and offset [batch,Πk·d,o…], forth, to grid, or back.
func deformMove[T real](a *deformGridAttrs, grid, offset []T, so, w tensor.Shape, forth bool) {
	d, k, out := len(w)-2, w[2:], so[2:]
	at := func(list []int, i, def int) int {
		if len(list) == 0 {
			return def
		}
		return list[i]
	}
	places, area := product(k), product(out)
	base := make([]int, d) // of a place of the kernel
	for p := range so[0] * a.Offsets * places {
		rest := p % places
		for i := d - 1; i >= 0; i-- {
			base[i] = rest%k[i]*at(a.Dilations, i, 1) - at(a.Pads, i, 0)
			rest /= k[i]
		}
		for o := range area {
			rest := o
			for i := d - 1; i >= 0; i-- {
				g, off := &grid[(p*area+o)*d+i], &offset[(p*d+i)*area+o]
				if !forth {
					*off = *g
					continue
				}
				*g = *off
				if a.Base {
					*g += T(rest%out[i]*at(a.Strides, i, 1) + base[i])
				}
				rest /= out[i]
			}
		}
	}
}

// deformConv makes the columns of one image after the other, and multiplies them by the weights.
func deformConv[T real](a *deformAttrs, c *graph.RunCtx, gemm gemmFunc[T]) error {
	g, err := a.geometry(c.In[0].Shape(), c.In[1].Shape())
	if err != nil {
		return err
	}
	x, w, offset, y := tensor.Data[T](c.In[0]), tensor.Data[T](c.In[1]), tensor.Data[T](c.In[2]), tensor.Data[T](c.Out[0])
	d, places, area := len(g.k), product(g.k), product(g.out)
	nx, no, nm := g.c*product(g.in), a.Offsets*places*d*area, a.Offsets*places*area
	if err := c.Budget(graph.StorageBytes(c.In[0].DType(), g.c*places*area+no)); err != nil {
		return err
	}
	cols, grid := make([]T, g.c*places*area), make([]T, no)
	so := append(tensor.Shape{1, a.Offsets * places * d}, g.out...)
	s := &sampling{batch: a.Offsets, channels: g.c / a.Offsets, plane: product(g.in), places: places * area, d: d, in: g.in}
	m, k := g.m/g.group, g.c/g.group*places
	for i := range g.n {
		if err := c.Context.Err(); err != nil {
			return err
		}
		deformMove(a.grid(), grid, offset[i*no:(i+1)*no], so, c.In[1].Shape(), true)
		sampleTo(s, deformSampling, c, cols, x[i*nx:(i+1)*nx], grid, nil)
		if c.Has(4) {
			mask := tensor.Data[T](c.In[4])[i*nm : (i+1)*nm]
			per := places * area
			c.Pool.For(g.c, max(1, 1<<14/max(1, per)), func(lo, hi int) {
				for ch := lo; ch < hi; ch++ {
					weights := mask[ch/s.channels*per:][:per]
					for j, v := range weights {
						cols[ch*per+j] *= v
					}
				}
			})
		}
		for q := range g.group {
			to := y[(i*g.m+q*m)*area:][:m*area]
			gemm(c.Pool, false, false, m, area, k, 1, w[q*m*k:][:m*k], k, cols[q*k*area:][:k*area], area, 0, to, area)
			if c.Has(3) {
				for f, v := range tensor.Data[T](c.In[3])[q*m:][:m] {
					for o := range area {
						to[f*area+o] += v
					}
				}
			}
		}
	}
	return nil
}
