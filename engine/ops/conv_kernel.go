package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// params is the geometry in the form of the kernels, which have three spatial axes.
func (g *convGeometry) params() (*kernel.ConvParams, error) {
	d := len(g.in)
	if d > 3 {
		return nil, fmt.Errorf("%d spatial axes; at most 3 are supported", d)
	}
	cp := &kernel.ConvParams{
		N: g.n, C: g.c, M: g.m, Group: g.group,
		In: [3]int{1, 1, 1}, Kernel: [3]int{1, 1, 1}, Stride: [3]int{1, 1, 1}, Dil: [3]int{1, 1, 1}, Out: [3]int{1, 1, 1},
	}
	for i := range d {
		k := 3 - d + i
		cp.In[k], cp.Kernel[k], cp.Stride[k], cp.Dil[k], cp.PadLo[k], cp.PadHi[k], cp.Out[k] = g.in[i], g.k[i], g.stride[i], g.dil[i],
			g.a[i], g.b[i], g.out[i]
	}
	return cp, nil
}

// kernelParams is the geometry for a run with X and W of the given shapes.
func (a *convAttrs) kernelParams(x, w tensor.Shape) (*kernel.ConvParams, *convGeometry, error) {
	g, err := a.geometry(x, w)
	if err != nil {
		return nil, nil, err
	}
	cp, err := g.params()
	return cp, g, err
}

// convCache is the geometry, kept between the runs of a plan.
type convCache struct {
	cp   *kernel.ConvParams
	x, w tensor.Shape
}

// cached is the geometry for X and W of the given shapes.
func (a *convAttrs) cached(c *graph.RunCtx, x, w tensor.Shape) (*kernel.ConvParams, error) {
	if cc, ok := (*c.Cache).(*convCache); ok && cc.x.Equal(x) && cc.w.Equal(w) {
		return cc.cp, nil
	}
	cp, _, err := a.kernelParams(x, w)
	if err != nil {
		return nil, err
	}
	*c.Cache = &convCache{cp, slices.Clone(x), slices.Clone(w)}
	return cp, nil
}

// keptConv is the weights in input i as Conv reads them, nil when they may change.
func keptConv(c *graph.RunCtx, i int, cp *kernel.ConvParams) *kernel.PackedConv {
	form := cp.FormConv()
	return graph.KeepBytes(c, i, form, form.Bytes(4*c.In[i].Len()), func() *kernel.PackedConv { return kernel.PackConv(cp, c.In[i].F32()) })
}

// convDXForm is the form in which ConvDX reads its weights.
type convDXForm struct {
	group       int
	stride, dil [3]int
	kernel.FormDX
}

// keptConvDX is the weights in input i as ConvDX reads them, nil when they may change.
func keptConvDX(c *graph.RunCtx, i int, cp *kernel.ConvParams) *kernel.PackedConvDX {
	form := convDXForm{cp.Group, cp.Stride, cp.Dil, cp.FormDX()}
	return graph.KeepBytes(c, i, form, form.Bytes(4*c.In[i].Len()), func() *kernel.PackedConvDX {
		return kernel.PackConvDX(cp, c.In[i].F32())
	})
}

func runConv(a *convAttrs, c *graph.RunCtx) error {
	cp, err := a.cached(c, c.In[0].Shape(), c.In[1].Shape())
	if err != nil {
		return err
	}
	if c.In[0].DType() == tensor.Float64 {
		return runConv64(a, c, cp)
	}
	var e kernel.ConvEpilogue
	if c.Has(2) {
		e.Bias = c.In[2].F32()
	}
	if a.act != nil {
		e.Clip, e.Lo, e.Hi = true, a.act.Lo, a.act.Hi
	}
	y := c.Out[0].F32()
	if c.Has(3) {
		z := c.In[3].F32()
		if len(z) != len(y) || !c.In[3].Shape().Equal(c.Out[0].Shape()) {
			return convBroadcastResidual(a, c, cp)
		}
		e.Add = z
	}
	kernel.Conv(c.Pool, cp, c.In[0].F32(), c.In[1].F32(), keptConv(c, 1, cp), &e, y)
	return nil
}

// convBroadcastResidual is the rare case of a fused addition whose operands have different shapes.
func convBroadcastResidual(a *convAttrs, c *graph.RunCtx, cp *kernel.ConvParams) error {
	g, err := a.geometry(c.In[0].Shape(), c.In[1].Shape())
	if err != nil {
		return err
	}
	shape := g.outShape()
	tmp := c.ScratchF32()[:shape.Len()]
	var e kernel.ConvEpilogue
	if c.Has(2) {
		e.Bias = c.In[2].F32()
	}
	kernel.Conv(c.Pool, cp, c.In[0].F32(), c.In[1].F32(), keptConv(c, 1, cp), &e, tmp)
	z, y := c.In[3], c.Out[0].F32()
	out := c.Out[0].Shape()
	ia, ib := batchIndex(shape, out), batchIndex(z.Shape(), out)
	zs := z.F32()
	for i := range y {
		v := tmp[ia[i]] + zs[ib[i]]
		if a.act != nil {
			v = min(max(v, a.act.Lo), a.act.Hi)
		}
		y[i] = v
	}
	return nil
}

func runConv64(a *convAttrs, c *graph.RunCtx, cp *kernel.ConvParams) error {
	if a.act != nil || c.Has(3) {
		return fmt.Errorf("fused convolution of float64")
	}
	var bias []float64
	if c.Has(2) {
		bias = tensor.Data[float64](c.In[2])
	}
	kernel.Conv64(c.Pool, cp, tensor.Data[float64](c.In[0]), tensor.Data[float64](c.In[1]), bias, tensor.Data[float64](c.Out[0]))
	return nil
}

func runConvDX(a *convAttrs, c *graph.RunCtx) error {
	cp, err := a.cached(c, c.In[2].Shape(), c.In[1].Shape())
	if err != nil {
		return err
	}
	if c.In[0].DType() == tensor.Float64 {
		kernel.ConvDX64(c.Pool, cp, tensor.Data[float64](c.In[0]), tensor.Data[float64](c.In[1]), tensor.Data[float64](c.Out[0]))
		return nil
	}
	kernel.ConvDX(c.Pool, cp, c.In[0].F32(), c.In[1].F32(), keptConvDX(c, 1, cp), nil, c.Out[0].F32())
	return nil
}

func runConvDW(a *convAttrs, c *graph.RunCtx) error {
	cp, err := a.cached(c, c.In[0].Shape(), c.In[2].Shape())
	if err != nil {
		return err
	}
	if c.In[0].DType() == tensor.Float64 {
		kernel.ConvDW64(c.Pool, cp, tensor.Data[float64](c.In[0]), tensor.Data[float64](c.In[1]), tensor.Data[float64](c.Out[0]))
		return nil
	}
	kernel.ConvDW(c.Pool, cp, c.In[0].F32(), c.In[1].F32(), c.Out[0].F32())
	return nil
}
