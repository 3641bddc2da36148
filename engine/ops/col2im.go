package ops

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Col2Im adds up blocks to images [N,C,i…]: input [N,C·Πb,L] has, for each channel and each place b of a block, the elements of the L
// blocks that lie on the image as the windows of a convolution do.
//
// Source: https://onnx.ai/onnx/operators/onnx__Col2Im.html
var Col2Im = new(graph.Spec)

// Im2Col takes the blocks of X [N,C,i…]: [N,C·Πb,L], the gradient of Col2Im. Inputs X, block_shape.
var Im2Col = new(graph.Spec)

type col2ImAttrs struct {
	Dilations []int `onnx:"dilations"`
	Pads      []int `onnx:"pads"`
	Strides   []int `onnx:"strides"`
}

func init() {
	block := graph.Formal{Name: "block_shape", NoGrad: true, Types: int64s}
	define(Col2Im, graph.Def[col2ImAttrs]{
		Name: "Col2Im", Since: []int{18}, Doc: "https://onnx.ai/onnx/operators/onnx__Col2Im.html",
		In:  []graph.Formal{{Name: "input", Types: numeric}, {Name: "image_shape", NoGrad: true, Types: int64s}, block},
		Out: []graph.Formal{{Name: "output"}},
		Infer: func(a *col2ImAttrs, c *graph.InferCtx) error {
			g, err := a.geometry(planInts(c), c.Shape(0))
			if err != nil {
				return err
			}
			c.Out(0, append(tensor.Shape{g.n, g.c}, g.in...)...)
			return nil
		},
		Run: func(a *col2ImAttrs, c *graph.RunCtx) error {
			g, err := a.geometry(runInts(c), c.In[0].Shape())
			if err != nil {
				return err
			}
			switch x := c.In[0]; x.DType() {
			case tensor.Float32:
				addColumns[float32](g, c)
			case tensor.Float64:
				addColumns[float64](g, c)
			case tensor.Int8:
				addColumns[int8](g, c)
			case tensor.Int16:
				addColumns[int16](g, c)
			case tensor.Int32:
				addColumns[int32](g, c)
			case tensor.Int64:
				addColumns[int64](g, c)
			case tensor.Uint8:
				addColumns[uint8](g, c)
			case tensor.Uint16:
				addColumns[uint16](g, c)
			case tensor.Uint32:
				addColumns[uint32](g, c)
			case tensor.Uint64:
				addColumns[uint64](g, c)
			default:
				return errType(x)
			}
			return nil
		},
		Grad: func(a *col2ImAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(Im2Col, a, dy[0], n.In[2])), nil
		},
	})
	define(Im2Col, graph.Def[col2ImAttrs]{
		Domain: Private, Name: "Im2Col", Since: []int{1}, Doc: "gradient of Col2Im",
		In: []graph.Formal{{Name: "X", Types: floats}, block}, Out: []graph.Formal{{Name: "columns"}},
		Infer: func(a *col2ImAttrs, c *graph.InferCtx) error {
			k, err := c.Ints(1)
			if err != nil {
				return err
			}
			g, err := a.blocks(c.Shape(0), k)
			if err != nil {
				return err
			}
			c.Out(0, g.n, g.c*product(g.k), product(g.out))
			return nil
		},
		Run: func(a *col2ImAttrs, c *graph.RunCtx) error {
			k, err := graph.IntsOf(c.In[1])
			if err != nil {
				return err
			}
			g, err := a.blocks(c.In[0].Shape(), k)
			if err != nil {
				return err
			}
			if c.In[0].DType() == tensor.Float64 {
				takeColumns[float64](g, c)
			} else {
				takeColumns[float32](g, c)
			}
			return nil
		},
		Grad: func(a *col2ImAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(Col2Im, a, dy[0], b.Add(Shape, &shapeAttrs{Start: 2}, n.In[0]), n.In[1])), nil
		},
		// A convolution of each channel alone, with one filter for each place of a block.
		Lower: func(a *col2ImAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			t := b.G.Info(n.In[1]).Data
			if t == nil {
				return nil, fmt.Errorf("the shape of its blocks is computed: %w", errors.ErrUnsupported)
			}
			k, err := graph.IntsOf(t)
			if err != nil {
				return nil, err
			}
			places := product(k)
			if places < 1 || places > 1<<12 {
				return nil, fmt.Errorf("blocks of %v: %w", k, errors.ErrUnsupported)
			}
			eye := make([]float32, places*places)
			for i := range places {
				eye[i*places+i] = 1
			}
			w := b.Const(tensor.From(eye, append([]int{places, 1}, k...)...))
			if d := b.DType(n.In[0]); d != tensor.Float32 {
				w = b.Add(Cast, CastTo(d), w)
			}
			shape := func(v graph.Value, from, to int) graph.Value {
				return b.Add(Slice, nil, b.Add(Shape, nil, v), b.Ints(from), b.Ints(to))
			}
			join := func(v ...graph.Value) graph.Value { return b.Add(Concat, &concatAttrs{}, v...) }
			each := b.Add(Reshape, nil, n.In[0], join(b.Ints(-1, 1), b.Add(Shape, &shapeAttrs{Start: 2}, n.In[0])))
			conv := &convAttrs{AutoPad: "NOTSET", Dilations: a.Dilations, Group: 1, Pads: a.Pads, Strides: a.Strides}
			y := b.Add(Reshape, nil, b.Add(Conv, conv, each, w), b.Ints(0, 0, -1))
			return []graph.Value{b.Add(Reshape, nil, y, join(shape(n.In[0], 0, 1), b.Ints(-1), shape(y, 2, 3)))}, nil
		},
	})
}

// geometry is that of the convolution whose windows the blocks are, from the inputs image_shape and block_shape.
func (a *col2ImAttrs) geometry(ints intsFunc, cols tensor.Shape) (*convGeometry, error) {
	image, err := ints(1)
	if err != nil {
		return nil, err
	}
	k, err := ints(2)
	if err != nil {
		return nil, err
	}
	if len(cols) != 3 {
		return nil, fmt.Errorf("input has shape %v, want [N, C·Πblock_shape, L]", cols)
	}
	for _, d := range image {
		if d < 0 || d > mostExtent {
			return nil, fmt.Errorf("image_shape %v", image)
		}
	}
	g, err := a.blocks(append(tensor.Shape{cols[0], 1}, image...), k)
	if err != nil {
		return nil, err
	}
	places := product(k)
	if places > mostExtent || cols[1]%places != 0 || cols[2] != product(g.out) {
		return nil, fmt.Errorf("input has shape %v, want [N, C·%d, %d] for blocks of %v on images of %v", cols, places, product(g.out), k,
			image)
	}
	g.c = cols[1] / places
	return g, nil
}

// blocks is the geometry over images of shape x.
func (a *col2ImAttrs) blocks(x tensor.Shape, k []int) (*convGeometry, error) {
	if len(x) < 3 || len(k) != len(x)-2 {
		return nil, fmt.Errorf("block_shape %v for images of shape %v, want one extent for each axis of [i…]", k, x)
	}
	g := &convGeometry{n: x[0], c: x[1], in: x[2:], k: k}
	var err error
	g.stride, g.dil, g.a, g.b, g.out, err = windows("NOTSET", g.in, k, a.Strides, a.Dilations, a.Pads, false)
	return g, err
}

// runs calls f for every run of elements that lie side by side in a row of blocks: n of them from col on in the columns of a plane, from
// img on, every step, in the plane. Columns without an element in the image are left out.
func (g *convGeometry) runs(f func(col, img, n, step int)) {
	d := len(g.k)
	kernel, at := make([]int, d), make([]int, d)
	row, last := g.out[d-1], d-1
	step := g.stride[last]
	for p := range product(g.k) {
		shift := kernel[last]*g.dil[last] - g.a[last]
		lo, hi := 0, row // of the blocks of a row, those with the place inside the image
		if shift < 0 {
			lo = min(row, (-shift+step-1)/step)
		}
		if free := g.in[last] - 1 - shift; free < 0 {
			hi = 0
		} else {
			hi = min(row, free/step+1)
		}
		for r := 0; lo < hi && r < product(g.out[:last]); r++ {
			img, inside := 0, true
			for a, rest := last-1, r; a >= 0; a-- {
				at[a] = rest%g.out[a]*g.stride[a] + kernel[a]*g.dil[a] - g.a[a]
				inside = inside && at[a] >= 0 && at[a] < g.in[a]
				rest /= g.out[a]
			}
			if !inside {
				continue
			}
			for a := range last {
				img = (img + at[a]) * g.in[a+1]
			}
			f((p*product(g.out[:last])+r)*row+lo, img+lo*step+shift, hi-lo, step)
		}
		for a := last; a >= 0; a-- {
			if kernel[a]++; kernel[a] < g.k[a] {
				break
			}
			kernel[a] = 0
		}
	}
}

// addColumns is Col2Im, plane by plane.
func addColumns[T number](g *convGeometry, c *graph.RunCtx) {
	cols, img := tensor.Data[T](c.In[0]), tensor.Data[T](c.Out[0])
	nc, ni := product(g.k)*product(g.out), product(g.in)
	c.Pool.For(g.n*g.c, max(1, 1<<14/max(1, nc)), func(lo, hi int) {
		clear(img[lo*ni : hi*ni])
		for k := lo; k < hi; k++ {
			from, to := cols[k*nc:(k+1)*nc], img[k*ni:(k+1)*ni]
			g.runs(func(col, at, n, step int) {
				for i, v := range from[col : col+n] {
					to[at+i*step] += v
				}
			})
		}
	})
}

// takeColumns is Im2Col, plane by plane.
func takeColumns[T real](g *convGeometry, c *graph.RunCtx) {
	cols, img := tensor.Data[T](c.Out[0]), tensor.Data[T](c.In[0])
	nc, ni := product(g.k)*product(g.out), product(g.in)
	c.Pool.For(g.n*g.c, max(1, 1<<14/max(1, nc)), func(lo, hi int) {
		clear(cols[lo*nc : hi*nc])
		for k := lo; k < hi; k++ {
			to, from := cols[k*nc:(k+1)*nc], img[k*ni:(k+1)*ni]
			g.runs(func(col, at, n, step int) {
				for i := range to[col : col+n] {
					to[col+i] = from[at+i*step]
				}
			})
		}
	})
}
