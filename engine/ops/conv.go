package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Conv is the convolution (cross-correlation) Y [N,M,o…] of X [N,C,i…] with W [M,C/group,k…] and an optional bias B [M].
//
// Source: https://onnx.ai/onnx/operators/onnx__Conv.html
var Conv = new(graph.Spec)

// ConvDX is the gradient of Conv by X: inputs dY, W, and X for its shape. It is also what ConvTranspose computes.
var ConvDX = new(graph.Spec)

// ConvDW is the gradient of Conv by W: inputs X, dY, and W for its shape.
var ConvDW = new(graph.Spec)

// convAttrs are the attributes of the three faces of convolution, all those of Conv.
type convAttrs struct {
	AutoPad   string `onnx:"auto_pad,default=NOTSET"`
	Dilations []int  `onnx:"dilations"`
	Group     int    `onnx:"group,default=1"`
	Kernel    []int  `onnx:"kernel_shape"`
	Pads      []int  `onnx:"pads"`
	Strides   []int  `onnx:"strides"`

	act      *Activation // applied to Y; set by fusion
	residual bool        // input 3 is added to Y before the activation
}

func init() {
	x := graph.Formal{Name: "X", Types: floats}
	w := graph.Formal{Name: "W", Types: floats, Weight: true}
	like := func(name string) graph.Formal { return graph.Formal{Name: name, NoGrad: true, Shape: true} }
	define(Conv, graph.Def[convAttrs]{
		Name: "Conv", Role: graph.Linear, Since: []int{1, 11, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__Conv.html",
		In: []graph.Formal{x, w, {Name: "B", Types: floats, Optional: true, Weight: true},
			{Name: "Z", Types: floats, Optional: true, Private: true}},
		Out: []graph.Formal{{Name: "Y"}},
		Infer: func(a *convAttrs, c *graph.InferCtx) error {
			g, err := a.geometry(c.Shape(0), c.Shape(1))
			if err != nil {
				return err
			}
			if c.Has(2) && !c.Shape(2).Equal(tensor.Shape{g.m}) {
				return fmt.Errorf("bias has shape %v, want [%d]", c.Shape(2), g.m)
			}
			out := g.outShape()
			if c.Has(3) && !c.Shape(3).Equal(out) {
				s, err := broadcast(c.Shape(3), out)
				if err != nil {
					return err
				}
				c.Scratch(c.DType(0).Size(out.Len()))
				out = s
			}
			c.Out(0, out...)
			return nil
		},
		Run: runConv,
		Grad: func(a *convAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			if a.act != nil || a.residual {
				return nil, fmt.Errorf("fused for inference: %w", graph.ErrNoGradient)
			}
			dx := make([]graph.Value, n.NumIn)
			if need[0] {
				dx[0] = b.Add(ConvDX, a, dy[0], n.In[1], n.In[0])
			}
			if need[1] {
				dx[1] = b.Add(ConvDW, a, n.In[0], dy[0], n.In[1])
			}
			if len(need) > 2 && need[2] {
				dx[2] = b.Add(ChannelSum, nil, dy[0])
			}
			return dx, nil
		},
		PerExample: func(a *convAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			switch in {
			case 1:
				return graph.PerExample{
					Grad:  b.Add(ConvPerExample, a, n.In[0], dy[0], n.In[1]),
					Norm2: b.Add(ConvPerExampleNorm2, a, n.In[0], dy[0], n.In[1]),
				}, nil
			case 2:
				g := b.Add(PerExampleChannelSum, nil, dy[0])
				return graph.PerExample{Grad: g, Norm2: RowSumSquares(b, g)}, nil
			}
			return graph.PerExample{}, graph.ErrNoGradient
		},
	})
	define(ConvDX, graph.Def[convAttrs]{
		Domain: Private, Name: "ConvDX", Since: []int{1}, Doc: "gradient of Conv",
		In: []graph.Formal{{Name: "dY", Types: floats}, w, like("X")}, Out: []graph.Formal{{Name: "dX"}},
		Infer: func(a *convAttrs, c *graph.InferCtx) error {
			g, err := a.geometry(c.Shape(2), c.Shape(1))
			if err != nil {
				return err
			}
			if !c.Shape(0).Equal(g.outShape()) {
				return fmt.Errorf("dY has shape %v, want %v", c.Shape(0), g.outShape())
			}
			c.Out(0, c.Shape(2)...)
			return nil
		},
		Run: runConvDX,
		Grad: func(a *convAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx := make([]graph.Value, 3)
			if need[0] {
				dx[0] = b.Add(Conv, a, dy[0], n.In[1])
			}
			if need[1] {
				dx[1] = b.Add(ConvDW, a, dy[0], n.In[0], n.In[1])
			}
			return dx, nil
		},
		Lower: lowerConvDX,
	})
	define(ConvDW, graph.Def[convAttrs]{
		Domain: Private, Name: "ConvDW", Since: []int{1}, Doc: "gradient of Conv",
		In: []graph.Formal{x, {Name: "dY", Types: floats}, like("W")}, Out: []graph.Formal{{Name: "dW"}},
		Infer: func(a *convAttrs, c *graph.InferCtx) error {
			g, err := a.geometry(c.Shape(0), c.Shape(2))
			if err != nil {
				return err
			}
			if !c.Shape(1).Equal(g.outShape()) {
				return fmt.Errorf("dY has shape %v, want %v", c.Shape(1), g.outShape())
			}
			c.Out(0, c.Shape(2)...)
			return nil
		},
		Run: runConvDW,
		Grad: func(a *convAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx := make([]graph.Value, 3)
			if need[0] {
				dx[0] = b.Add(ConvDX, a, n.In[1], dy[0], n.In[0])
			}
			if need[1] {
				dx[1] = b.Add(Conv, a, n.In[0], dy[0])
			}
			return dx, nil
		},
		Lower: lowerConvDW,
	})
}

// convGeometry is a convolution with all sizes known: n images, c input and m output channels in group groups, and for each spatial
// axis the extent of input, kernel and output, the stride, the dilation, and the padding before and after.
type convGeometry struct {
	n, c, m, group                int
	in, k, out, stride, dil, a, b []int
}

func (g *convGeometry) outShape() tensor.Shape { return append(tensor.Shape{g.n, g.m}, g.out...) }

// geometry checks the shapes of X and W against the attributes.
func (a *convAttrs) geometry(x, w tensor.Shape) (*convGeometry, error) {
	d := len(x) - 2
	if d < 1 || len(w) != len(x) {
		return nil, fmt.Errorf("input X of shape %v and W of shape %v: want [N,C,…] and [M,C/group,…] of one rank, at least 3", x, w)
	}
	if a.Group < 1 || x[1] != w[1]*a.Group || w[0]%a.Group != 0 {
		return nil, fmt.Errorf("input X of shape %v has %d channels, W of shape %v with group %d wants %d", x, x[1], w, a.Group,
			w[1]*a.Group)
	}
	if len(a.Kernel) > 0 && !slices.Equal(a.Kernel, w[2:]) {
		return nil, fmt.Errorf("kernel_shape %v differs from the shape %v of W", a.Kernel, w)
	}
	g := &convGeometry{n: x[0], c: x[1], m: w[0], group: a.Group, in: x[2:], k: w[2:]}
	var err error
	if g.stride, g.dil, g.a, g.b, g.out, err = windows(a.AutoPad, g.in, g.k, a.Strides, a.Dilations, a.Pads, false); err != nil {
		return nil, err
	}
	return g, nil
}

// windows resolves the attributes that convolutions and poolings share, and computes the output extents.
func windows(autoPad string, in, kernel, strides, dilations, pads []int, ceil bool) (stride, dil, a, b, out []int, err error) {
	d := len(in)
	fill := func(name string, x []int) ([]int, error) {
		if len(x) == 0 {
			return slices.Repeat([]int{1}, d), nil
		}
		if len(x) != d {
			return nil, fmt.Errorf("attribute %s has %d values for %d spatial axes", name, len(x), d)
		}
		for _, v := range x {
			if v < 1 || v > 1<<30 {
				return nil, fmt.Errorf("attribute %s has the value %d", name, v)
			}
		}
		return x, nil
	}
	if stride, err = fill("strides", strides); err != nil {
		return
	}
	if dil, err = fill("dilations", dilations); err != nil {
		return
	}
	a, b, out = make([]int, d), make([]int, d), make([]int, d)
	for i := range d {
		if kernel[i] < 1 || kernel[i] > 1<<30 {
			return nil, nil, nil, nil, nil, fmt.Errorf("the kernel has extent %d", kernel[i])
		}
		span := (kernel[i]-1)*dil[i] + 1
		switch autoPad {
		case "", "NOTSET":
			if len(pads) > 0 {
				if len(pads) != 2*d {
					return nil, nil, nil, nil, nil, fmt.Errorf("attribute pads has %d values, want %d", len(pads), 2*d)
				}
				a[i], b[i] = pads[i], pads[d+i]
			}
			if a[i] < 0 || b[i] < 0 || a[i] > 1<<30 || b[i] > 1<<30 {
				return nil, nil, nil, nil, nil, fmt.Errorf("attribute pads has the value %d", min(a[i], b[i]))
			}
		case "VALID":
		case "SAME_UPPER", "SAME_LOWER":
			o := (in[i] + stride[i] - 1) / stride[i]
			total := max(0, (o-1)*stride[i]+span-in[i])
			a[i] = total / 2
			if autoPad == "SAME_LOWER" {
				a[i] = total - total/2
			}
			b[i] = total - a[i]
		default:
			return nil, nil, nil, nil, nil, fmt.Errorf("attribute auto_pad has the value %q", autoPad)
		}
		if in[i] > 1<<40 || a[i]+b[i] > 2*in[i]+1<<17 {
			return nil, nil, nil, nil, nil, fmt.Errorf("padding of %d and %d for an input of extent %d on spatial axis %d", a[i], b[i],
				in[i], i)
		}
		free := in[i] + a[i] + b[i] - span
		if free == -1 && span == 1 {
			continue // one element of none: no place
		}
		if free < 0 {
			return nil, nil, nil, nil, nil, fmt.Errorf("the kernel spans %d, the padded input has %d on spatial axis %d", span,
				in[i]+a[i]+b[i], i)
		}
		out[i] = free/stride[i] + 1
		if ceil {
			if free%stride[i] != 0 {
				out[i]++
			}
			if (out[i]-1)*stride[i] >= in[i]+a[i] {
				out[i]-- // the last window must start inside the input or the padding before it
			}
		}
	}
	// Kernels copy the padded input: it must be of the order of what is read and written.
	padded, read, written := 1, 1, 1
	for i := range d {
		padded, read, written = padded*min(in[i]+a[i]+b[i], 1<<20), read*in[i], written*min(out[i], 1<<20)
		if padded > 1<<40 {
			break
		}
	}
	if padded > 1<<20 && padded/64 > read+written {
		return nil, nil, nil, nil, nil, fmt.Errorf("pads %v make %d elements of %v: want less", append(slices.Clone(a), b...), padded, in)
	}
	return
}
