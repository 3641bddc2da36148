package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// DequantizeLinear is y = (x − x_zero_point)·x_scale, elementwise, with scales as QuantizeLinear has them. y is float32; where the
// attribute output_dtype asks for half precision as well, which here is a storage type.
//
// The gradient by x_scale is the sum of dY·(x − x_zero_point) over the elements of each scale.
//
// Source: https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html
var DequantizeLinear = new(graph.Spec)

// ScaleSum is the sum of dY over the elements of each scale of s: inputs dY and s, for its shape. It is what the gradient by a scale ends
// with.
var ScaleSum = new(graph.Spec)

// ScaleLike is s in the shape of x, to each element its scale: inputs s and x, for its shape.
var ScaleLike = new(graph.Spec)

func contains(list []tensor.DType, d tensor.DType) bool { return slices.Contains(list, d) }

// scaleAttrs are the grain of ScaleSum and ScaleLike.
type scaleAttrs struct {
	Axis  int `onnx:"axis,default=1"`
	Block int `onnx:"block_size,default=0"`
}

func init() {
	define(DequantizeLinear, graph.Def[dequantizeAttrs]{
		Name: "DequantizeLinear", Role: graph.View, Since: []int{10, 13, 19, 21, 23, 24, 25},
		Doc: "https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html",
		In: []graph.Formal{{Name: "x", Types: append([]tensor.DType{tensor.Int32}, smallTypes...), NoGrad: true},
			{Name: "x_scale", Types: scaleTypes},
			{Name: "x_zero_point", Types: append([]tensor.DType{tensor.Int32}, smallTypes...), Optional: true, NoGrad: true}},
		Out: []graph.Formal{{Name: "y"}},
		Types: func(a *dequantizeAttrs, in, out []tensor.DType) error {
			if len(in) > 2 && in[2] != tensor.Undefined && in[0] != tensor.Undefined && in[2] != in[0] {
				return fmt.Errorf("zero points of type %v for numbers of type %v", in[2], in[0])
			}
			switch d := tensor.DType(a.Output); d {
			case tensor.Undefined, tensor.Float32, tensor.Float16, tensor.BFloat16:
			default:
				return fmt.Errorf("attribute output_dtype: %v is no type of what was quantised", d)
			}
			if a.Output != 0 {
				a.Output = int(tensor.Float32) // what is computed, should the node be written
			}
			out[0] = tensor.Float32
			return nil
		},
		Infer: func(a *dequantizeAttrs, c *graph.InferCtx) error { return inferQuantised(c, a.Axis, a.Block) },
		Run:   func(a *dequantizeAttrs, c *graph.RunCtx) error { return a.dequantize(c, c.In[0], c.Out[0].F32()) },
		Grad: func(a *dequantizeAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			in := []graph.Value{n.In[0], Fill(b, n.In[1], 1)}
			if n.NumIn > 2 {
				in = append(in, n.In[2])
			}
			x := b.Add(DequantizeLinear, &dequantizeAttrs{Axis: a.Axis, Block: a.Block}, in...)
			return only(n, 1, b.Add(ScaleSum, &scaleAttrs{a.Axis, a.Block}, mul(b, dy[0], x), n.In[1])), nil
		},
	})
	define(ScaleLike, graph.Def[scaleAttrs]{
		Domain: Private, Name: "ScaleLike", Since: []int{1}, Doc: "scales of DequantizeLinear, spread",
		In: []graph.Formal{{Name: "s", Types: floats}, {Name: "x", NoGrad: true}}, Out: []graph.Formal{{Name: "y"}},
		Infer: func(a *scaleAttrs, c *graph.InferCtx) error {
			if _, err := grainOf(c.Shape(1), c.Shape(0), a.Axis, a.Block); err != nil {
				return err
			}
			c.Out(0, c.Shape(1)...)
			return nil
		},
		Run: func(a *scaleAttrs, c *graph.RunCtx) error {
			g, err := grainOf(c.In[1].Shape(), c.In[0].Shape(), a.Axis, a.Block)
			if err != nil {
				return err
			}
			if c.In[0].DType() == tensor.Float64 {
				spreadScales(c, g, tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]))
			} else {
				spreadScales(c, g, c.Out[0].F32(), c.In[0].F32())
			}
			return nil
		},
		Grad: func(a *scaleAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(ScaleSum, a, dy[0], n.In[0])), nil
		},
		// The numbers 1, dequantised.
		Lower: func(a *scaleAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			if b.DType(n.In[0]) != tensor.Float32 {
				return nil, fmt.Errorf("DequantizeLinear of %v", b.DType(n.In[0]))
			}
			ones := b.Add(Expand, nil, b.Const(tensor.Scalar(int8(1))), b.Add(Shape, nil, n.In[1]))
			return []graph.Value{b.Add(DequantizeLinear, &dequantizeAttrs{Axis: a.Axis, Block: a.Block}, ones, n.In[0])}, nil
		},
	})
	define(ScaleSum, graph.Def[scaleAttrs]{
		Domain: Private, Name: "ScaleSum", Since: []int{1}, Doc: "gradient of DequantizeLinear by its scale",
		In: []graph.Formal{{Name: "dY", Types: floats}, {Name: "s", NoGrad: true, Types: floats}}, Out: []graph.Formal{{Name: "ds"}},
		Infer: func(a *scaleAttrs, c *graph.InferCtx) error {
			if _, err := grainOf(c.Shape(0), c.Shape(1), a.Axis, a.Block); err != nil {
				return err
			}
			c.Out(0, c.Shape(1)...)
			return nil
		},
		Run: func(a *scaleAttrs, c *graph.RunCtx) error {
			g, err := grainOf(c.In[0].Shape(), c.In[1].Shape(), a.Axis, a.Block)
			if err != nil {
				return err
			}
			if c.In[0].DType() == tensor.Float64 {
				sumScales(g, tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]))
			} else {
				sumScales(g, c.Out[0].F32(), c.In[0].F32())
			}
			return nil
		},
		Grad: func(a *scaleAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(ScaleLike, a, dy[0], n.In[0])), nil
		},
		Lower: lowerScaleSum,
	})
}

// lowerScaleSum needs to know how many axes the scales have, and has no form for blocks.
func lowerScaleSum(a *scaleAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	data := b.G.Info(n.In[1]).Data
	shape := b.Add(Shape, nil, n.In[1])
	switch {
	case data != nil && data.Len() == 1:
		return []graph.Value{inShape(b, b.Add(ReduceSum, nil, n.In[0]), shape)}, nil
	case data == nil || a.Block > 0:
		return nil, fmt.Errorf("sums over blocks, or by scales that the file does not hold, cannot be written in ONNX's operators")
	}
	// All axes but one, in the middle of three.
	dims := b.Add(Shape, nil, n.In[0])
	at := b.Ints(a.Axis)
	if a.Axis < 0 {
		at = add(b, rank(b, n.In[0]), at)
	}
	zero, one, last := b.Ints(0), b.Ints(1), b.Ints(min(1<<62, math.MaxInt))
	before := b.Add(ReduceProd, nil, b.Add(Slice, nil, dims, zero, at))
	after := b.Add(ReduceProd, nil, b.Add(Slice, nil, dims, add(b, at, one), last))
	three := b.Add(Concat, &concatAttrs{Axis: 0}, b.Add(Reshape, nil, before, one), shape, b.Add(Reshape, nil, after, one))
	sums := b.Add(ReduceSum, nil, b.Add(Reshape, nil, n.In[0], three), b.Ints(0, 2))
	return []graph.Value{inShape(b, sums, shape)}, nil
}

func spreadScales[T float32 | float64](c *graph.RunCtx, g *grain, y, s []T) {
	g.each(c.Pool, func(lo, hi, k int) {
		v := s[k]
		for i := range y[lo:hi] {
			y[lo+i] = v
		}
	})
}

func sumScales[T float32 | float64](g *grain, ds, dy []T) {
	sums := make([]float64, len(ds))
	g.each(nil, func(lo, hi, k int) {
		for _, v := range dy[lo:hi] {
			sums[k] += float64(v)
		}
	})
	for k, v := range sums {
		ds[k] = T(v)
	}
}

// dequantize writes x, with the scales and zero points in inputs 1 and 2, to y.
func (a *dequantizeAttrs) dequantize(c *graph.RunCtx, x *tensor.Tensor, y []float32) error {
	g, err := grainOf(x.Shape(), c.In[1].Shape(), a.Axis, a.Block)
	if err != nil {
		return err
	}
	scale, err := scalesIn(c, 1)
	if err != nil {
		return err
	}
	if x.DType().IsFloat() {
		if x, err = x.Convert(tensor.Float32); err != nil {
			return err
		}
		var zero []float32
		if c.Has(2) {
			if zero, err = scalesIn(c, 2); err != nil {
				return err
			}
		}
		g.each(c.Pool, func(lo, hi, k int) {
			for i, v := range x.F32()[lo:hi] {
				if zero != nil {
					v -= zero[k]
				}
				y[lo+i] = v * scale[k]
			}
		})
		return nil
	}
	zero, err := zerosIn(c, 2)
	if err != nil {
		return err
	}
	if d := storage(x.DType()); d != x.DType() {
		if x, err = x.Convert(d); err != nil {
			return err
		}
	}
	switch x.DType() {
	case tensor.Int8:
		dequantizeAll(c, g, y, tensor.Data[int8](x), scale, zero)
	case tensor.Uint8:
		dequantizeAll(c, g, y, tensor.Data[uint8](x), scale, zero)
	case tensor.Int16:
		dequantizeAll(c, g, y, tensor.Data[int16](x), scale, zero)
	case tensor.Uint16:
		dequantizeAll(c, g, y, tensor.Data[uint16](x), scale, zero)
	case tensor.Int32:
		dequantizeAll(c, g, y, tensor.Data[int32](x), scale, zero)
	default:
		return errType(x)
	}
	return nil
}

func dequantizeAll[T kernel.Quantised | int32](c *graph.RunCtx, g *grain, y []float32, x []T, scale []float32, zero []int32) {
	g.each(c.Pool, func(lo, hi, k int) { kernel.Dequantize(y[lo:hi], x[lo:hi], scale[k], zeroAt(zero, k)) })
}
