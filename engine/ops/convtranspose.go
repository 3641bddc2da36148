package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// ConvTranspose is the adjoint of a convolution: Y [N,M,o…] from X [N,C,i…] with W [C,M/group,k…] and an optional bias B [M]. It
// is the gradient by its input of the convolution that maps Y's shape to X's.
//
// Source: https://onnx.ai/onnx/operators/onnx__ConvTranspose.html
var ConvTranspose = new(graph.Spec)

// ConvTransposeDX is the gradient of ConvTranspose by X: inputs dY, W, and X for its shape.
var ConvTransposeDX = new(graph.Spec)

// ConvTransposeDW is the gradient of ConvTranspose by W: inputs X, dY, and W for its shape.
var ConvTransposeDW = new(graph.Spec)

type convTransposeAttrs struct {
	AutoPad       string `onnx:"auto_pad,default=NOTSET"`
	Dilations     []int  `onnx:"dilations"`
	Group         int    `onnx:"group,default=1"`
	Kernel        []int  `onnx:"kernel_shape"`
	OutputPadding []int  `onnx:"output_padding"`
	OutputShape   []int  `onnx:"output_shape"`
	Pads          []int  `onnx:"pads"`
	Strides       []int  `onnx:"strides"`
}

func init() {
	define(ConvTranspose, graph.Def[convTransposeAttrs]{
		Name: "ConvTranspose", Role: graph.Linear, Since: []int{1, 11, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__ConvTranspose.html",
		In: []graph.Formal{
			{Name: "X", Types: floats}, {Name: "W", Types: floats, Weight: true}, {Name: "B", Types: floats, Optional: true, Weight: true},
		},
		Out: []graph.Formal{{Name: "Y"}},
		Infer: func(a *convTransposeAttrs, c *graph.InferCtx) error {
			g, err := a.geometry(c.Shape(0), c.Shape(1))
			if err != nil {
				return err
			}
			if c.Has(2) && !c.Shape(2).Equal(tensor.Shape{g.c}) {
				return fmt.Errorf("bias has shape %v, want [%d]", c.Shape(2), g.c)
			}
			c.Out(0, append(tensor.Shape{g.n, g.c}, g.in...)...)
			return nil
		},
		Run: func(a *convTransposeAttrs, c *graph.RunCtx) error {
			g, err := a.geometry(c.In[0].Shape(), c.In[1].Shape())
			if err != nil {
				return err
			}
			cp, err := g.params()
			if err != nil {
				return err
			}
			if c.In[0].DType() == tensor.Float64 {
				y := tensor.Data[float64](c.Out[0])
				kernel.ConvDX64(c.Pool, cp, tensor.Data[float64](c.In[0]), tensor.Data[float64](c.In[1]), y)
				if c.Has(2) {
					bias, space := tensor.Data[float64](c.In[2]), product(g.in)
					for i := range y {
						y[i] += bias[i/space%g.c]
					}
				}
				return nil
			}
			var e *kernel.ConvEpilogue
			if c.Has(2) {
				e = &kernel.ConvEpilogue{Bias: c.In[2].F32()}
			}
			kernel.ConvDX(c.Pool, cp, c.In[0].F32(), c.In[1].F32(), keptConvDX(c, 1, cp), e, c.Out[0].F32())
			return nil
		},
		Grad: func(a *convTransposeAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx := make([]graph.Value, n.NumIn)
			if need[0] {
				dx[0] = b.Add(ConvTransposeDX, a, dy[0], n.In[1], n.In[0])
			}
			if need[1] {
				dx[1] = b.Add(ConvTransposeDW, a, n.In[0], dy[0], n.In[1])
			}
			if len(need) > 2 && need[2] {
				dx[2] = b.Add(ChannelSum, nil, dy[0])
			}
			return dx, nil
		},
		PerExample: func(a *convTransposeAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			switch in {
			case 1:
				conv, y, err := a.conv(b, dy[0])
				if err != nil {
					return graph.PerExample{}, fmt.Errorf("%w: %w", err, graph.ErrNoGradient)
				}
				return graph.PerExample{
					Grad:  b.Add(ConvPerExample, conv, y, n.In[0], n.In[1]),
					Norm2: b.Add(ConvPerExampleNorm2, conv, y, n.In[0], n.In[1]),
				}, nil
			case 2:
				g := b.Add(PerExampleChannelSum, nil, dy[0])
				return graph.PerExample{Grad: g, Norm2: RowSumSquares(b, g)}, nil
			}
			return graph.PerExample{}, graph.ErrNoGradient
		},
	})
	like := func(name string) graph.Formal { return graph.Formal{Name: name, NoGrad: true, Shape: true} }
	define(ConvTransposeDX, graph.Def[convTransposeAttrs]{
		Domain: Private, Name: "ConvTransposeDX", Since: []int{1}, Doc: "gradient of ConvTranspose",
		In:  []graph.Formal{{Name: "dY", Types: floats}, {Name: "W", Types: floats}, like("X")},
		Out: []graph.Formal{{Name: "dX"}},
		Infer: func(a *convTransposeAttrs, c *graph.InferCtx) error {
			if err := a.checkOutput(c.Shape(2), c.Shape(1), c.Shape(0)); err != nil {
				return err
			}
			c.Out(0, c.Shape(2)...)
			return nil
		},
		Run: func(a *convTransposeAttrs, c *graph.RunCtx) error {
			cp, err := a.kernelParams(c.In[2].Shape(), c.In[1].Shape())
			if err != nil {
				return err
			}
			if c.In[0].DType() == tensor.Float64 {
				kernel.Conv64(c.Pool, cp, tensor.Data[float64](c.In[0]), tensor.Data[float64](c.In[1]), nil,
					tensor.Data[float64](c.Out[0]))
				return nil
			}
			kernel.Conv(c.Pool, cp, c.In[0].F32(), c.In[1].F32(), keptConv(c, 1, cp), nil, c.Out[0].F32())
			return nil
		},
		Grad: func(a *convTransposeAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx := make([]graph.Value, 3)
			if need[0] {
				dx[0] = b.Add(ConvTranspose, a, dy[0], n.In[1])
			}
			if need[1] {
				dx[1] = b.Add(ConvTransposeDW, a, dy[0], n.In[0], n.In[1])
			}
			return dx, nil
		},
		Lower: func(a *convTransposeAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			conv, dy, err := a.conv(b, n.In[0])
			if err != nil {
				return nil, err
			}
			return []graph.Value{b.Add(Conv, conv, dy, n.In[1])}, nil
		},
	})
	define(ConvTransposeDW, graph.Def[convTransposeAttrs]{
		Domain: Private, Name: "ConvTransposeDW", Since: []int{1}, Doc: "gradient of ConvTranspose",
		In:  []graph.Formal{{Name: "X", Types: floats}, {Name: "dY", Types: floats}, like("W")},
		Out: []graph.Formal{{Name: "dW"}},
		Infer: func(a *convTransposeAttrs, c *graph.InferCtx) error {
			if err := a.checkOutput(c.Shape(0), c.Shape(2), c.Shape(1)); err != nil {
				return err
			}
			c.Out(0, c.Shape(2)...)
			return nil
		},
		Run: func(a *convTransposeAttrs, c *graph.RunCtx) error {
			cp, err := a.kernelParams(c.In[0].Shape(), c.In[2].Shape())
			if err != nil {
				return err
			}
			if c.In[0].DType() == tensor.Float64 {
				kernel.ConvDW64(c.Pool, cp, tensor.Data[float64](c.In[1]), tensor.Data[float64](c.In[0]), tensor.Data[float64](c.Out[0]))
				return nil
			}
			kernel.ConvDW(c.Pool, cp, c.In[1].F32(), c.In[0].F32(), c.Out[0].F32())
			return nil
		},
		Grad: func(a *convTransposeAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx := make([]graph.Value, 3)
			if need[0] {
				dx[0] = b.Add(ConvTransposeDX, a, n.In[1], dy[0], n.In[0])
			}
			if need[1] {
				dx[1] = b.Add(ConvTranspose, a, n.In[0], dy[0])
			}
			return dx, nil
		},
		Lower: func(a *convTransposeAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			conv, dy, err := a.conv(b, n.In[1])
			if err != nil {
				return nil, err
			}
			return []graph.Value{b.Add(ConvDW, conv, dy, n.In[0], n.In[2])}, nil
		},
	})
}

// conv are the attributes of the convolution whose adjoint this is, when they do not depend on shapes, and dY as it takes it. Where
// output_padding is a stride or more the convolution would have more places than X: padding at the end, then dY, lose what no place of X
// reaches.
func (a *convTransposeAttrs) conv(b *graph.Builder, dy graph.Value) (*convAttrs, graph.Value, error) {
	if len(a.OutputShape) > 0 {
		return nil, 0, fmt.Errorf("with attribute output_shape the padding depends on shapes")
	}
	c := &convAttrs{AutoPad: a.AutoPad, Dilations: a.Dilations, Group: a.Group, Kernel: a.Kernel, Pads: slices.Clone(a.Pads),
		Strides: a.Strides}
	var axes, ends []int
	d := len(a.OutputPadding)
	for i, extra := range a.OutputPadding {
		if extra > 0 && (a.AutoPad == "SAME_UPPER" || a.AutoPad == "SAME_LOWER") {
			return nil, 0, fmt.Errorf("with attribute auto_pad %s and output_padding the padding depends on shapes", a.AutoPad)
		}
		stride := 1
		if len(a.Strides) > 0 {
			stride = a.Strides[i]
		}
		rest := max(0, extra-stride+1)
		if len(c.Pads) > 0 && a.AutoPad != "VALID" {
			less := min(rest, c.Pads[d+i])
			c.Pads[d+i] -= less
			rest -= less
		}
		if rest > 0 {
			axes, ends = append(axes, 2+i), append(ends, -rest)
		}
	}
	if len(axes) > 0 {
		dy = b.Add(Slice, nil, dy, b.Ints(make([]int, len(axes))...), b.Ints(ends...), b.Ints(axes...))
	}
	return c, dy, nil
}

// kernelParams is the geometry for X and W of the given shapes in the form of the kernels.
func (a *convTransposeAttrs) kernelParams(x, w tensor.Shape) (*kernel.ConvParams, error) {
	g, err := a.geometry(x, w)
	if err != nil {
		return nil, err
	}
	return g.params()
}

// checkOutput compares the shape y of an output, or its gradient, with what X and W of the given shapes give.
func (a *convTransposeAttrs) checkOutput(x, w, y tensor.Shape) error {
	g, err := a.geometry(x, w)
	if err != nil {
		return err
	}
	if want := append(tensor.Shape{g.n, g.c}, g.in...); !y.Equal(want) {
		return fmt.Errorf("dY has shape %v, want %v", y, want)
	}
	return nil
}

// geometry is that of the convolution whose adjoint this is: its input is Y and its output X.
func (a *convTransposeAttrs) geometry(x, w tensor.Shape) (*convGeometry, error) {
	d := len(x) - 2
	if d < 1 || len(w) != len(x) {
		return nil, fmt.Errorf("input X of shape %v and W of shape %v: want [N,C,…] and [C,M/group,…] of one rank, at least 3", x, w)
	}
	if a.Group < 1 || x[1] != w[0] || x[1]%a.Group != 0 {
		return nil, fmt.Errorf("input X of shape %v and W of shape %v with group %d do not fit", x, w, a.Group)
	}
	g := &convGeometry{n: x[0], c: w[1] * a.Group, m: x[1], group: a.Group, k: w[2:], out: x[2:]}
	get := func(name string, v []int, def int) ([]int, error) {
		if len(v) == 0 {
			v = make([]int, d)
			for i := range v {
				v[i] = def
			}
		}
		if len(v) != d {
			return nil, fmt.Errorf("attribute %s has %d values for %d spatial axes", name, len(v), d)
		}
		for _, k := range v {
			if k < def || k > 1<<30 {
				return nil, fmt.Errorf("attribute %s has the value %d", name, k)
			}
		}
		return v, nil
	}
	var err error
	if g.stride, err = get("strides", a.Strides, 1); err != nil {
		return nil, err
	}
	if g.dil, err = get("dilations", a.Dilations, 1); err != nil {
		return nil, err
	}
	extra, err := get("output_padding", a.OutputPadding, 0)
	if err != nil {
		return nil, err
	}
	same := a.AutoPad == "SAME_UPPER" || a.AutoPad == "SAME_LOWER"
	if len(a.OutputShape) != 0 && len(a.OutputShape) != d && len(a.OutputShape) != d+2 {
		return nil, fmt.Errorf("attribute output_shape has %d values for %d spatial axes", len(a.OutputShape), d)
	}
	if len(a.Pads) != 0 && len(a.Pads) != 2*d {
		return nil, fmt.Errorf("attribute pads has %d values, want %d", len(a.Pads), 2*d)
	}
	g.a, g.b, g.in = make([]int, d), make([]int, d), make([]int, d)
	for i := range d {
		full := g.stride[i]*(x[2+i]-1) + extra[i] + (g.k[i]-1)*g.dil[i] + 1
		switch {
		case len(a.OutputShape) > 0 || same:
			g.in[i] = x[2+i] * g.stride[i]
			if k := len(a.OutputShape); k > 0 {
				g.in[i] = a.OutputShape[k-d+i]
			}
			total := max(full-g.in[i], 0)
			g.a[i] = total / 2
			if a.AutoPad != "SAME_UPPER" {
				g.a[i] = total - total/2
			}
			g.b[i] = total - g.a[i]
		default:
			if len(a.Pads) > 0 && a.AutoPad != "VALID" {
				g.a[i], g.b[i] = a.Pads[i], a.Pads[d+i]
			}
			g.in[i] = full - g.a[i] - g.b[i]
		}
		if g.in[i] < 0 || g.in[i] > 1<<30 {
			return nil, fmt.Errorf("the output would have extent %d", g.in[i])
		}
	}
	return g, nil
}
