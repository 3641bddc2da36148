package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// MaxUnpool puts the elements of X [N,C,i…] where the MaxPool that they come from found them: I has the Indices of that MaxPool, places in
// the flattened result [N,C,o…] of the extents that kernel_shape, strides and pads give. Everything else is 0. Of several elements for one
// place the last one stays. A larger output_shape continues the result at its end by zeros.
//
// Source: https://onnx.ai/onnx/operators/onnx__MaxUnpool.html
var MaxUnpool = new(graph.Spec)

type maxUnpoolAttrs struct {
	Kernel  []int `onnx:"kernel_shape,required"`
	Pads    []int `onnx:"pads"`
	Strides []int `onnx:"strides"`
}

func init() {
	define(MaxUnpool, graph.Def[maxUnpoolAttrs]{
		Name: "MaxUnpool", Role: graph.Pool, Since: []int{9, 11, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__MaxUnpool.html",
		In: []graph.Formal{{Name: "X", Types: floats}, {Name: "I", NoGrad: true, Types: int64s},
			{Name: "output_shape", NoGrad: true, Optional: true, Types: int64s}},
		Out:   []graph.Formal{{Name: "output"}},
		Check: func(a *maxUnpoolAttrs, _ *graph.Node) error { return a.check() },
		Infer: func(a *maxUnpoolAttrs, c *graph.InferCtx) error {
			if !c.Shape(1).Equal(c.Shape(0)) {
				return fmt.Errorf("input I has shape %v, X %v", c.Shape(1), c.Shape(0))
			}
			_, out, err := a.shapes(c.Shape(0), planInts(c))
			if err != nil {
				return err
			}
			c.Out(0, out...)
			return nil
		},
		Run: func(a *maxUnpoolAttrs, c *graph.RunCtx) error {
			natural, out, err := a.shapes(c.In[0].Shape(), runInts(c))
			if err != nil {
				return err
			}
			at, err := unpoolAt(c.In[1].I64(), natural, out)
			if err != nil {
				return err
			}
			fill(c.Out[0], nil)
			putBlocks(c.Out[0], c.In[0], at, 1)
			return nil
		},
		Lower: func(a *maxUnpoolAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			x := n.In[0]
			join := func(v ...graph.Value) graph.Value { return b.Add(Concat, &concatAttrs{}, v...) }
			shape := b.Add(Shape, nil, x)
			steps, spans := make([]int, len(a.Kernel)), make([]int, len(a.Kernel))
			for i := range steps {
				steps[i], spans[i] = a.step(i)
			}
			space := b.Add(Mul, nil, sub(b, b.Add(Shape, &shapeAttrs{Start: 2}, x), b.Ints(1)), b.Ints(steps...))
			natural := join(b.Add(Slice, nil, shape, b.Ints(0), b.Ints(2)), add(b, space, b.Ints(spans...)))
			zeros := func(d tensor.DType) graph.Value {
				z := b.Add(ConstantOfShape, nil, b.Add(ReduceProd, &reduceAttrs{KeepDims: true}, natural))
				if d != tensor.Float32 {
					z = b.Add(Cast, CastTo(d), z)
				}
				return z
			}
			flat := func(v graph.Value) graph.Value { return b.Add(Reshape, nil, v, b.Ints(-1)) }
			at := flat(n.In[1])
			// The elements are numbered, and those that stay, the last ones of their places, are added to zeros.
			count := func(n int64) graph.Value { return b.Const(tensor.Scalar(n)) }
			number := b.Add(Range, nil, count(0), b.Add(Size, nil, x), count(1))
			last := b.Add(GatherElements, nil, b.Add(ScatterElements, nil, zeros(tensor.Int64), at, number), at)
			stays := b.Add(Where, nil, b.Add(Equal, nil, last, number), flat(x), b.Scalar(b.DType(x), 0))
			y := b.Add(ScatterElements, &scatterAttrs{Reduction: "add"}, zeros(b.DType(x)), at, stays)
			y = inShape(b, y, natural)
			if s := input(n, 2); s != 0 {
				more := sub(b, s, natural)
				y = b.Add(Pad, nil, y, join(sub(b, more, more), more))
			}
			return []graph.Value{y}, nil
		},
	})
}

func (a *maxUnpoolAttrs) check() error {
	d := len(a.Kernel)
	if a.Strides != nil && len(a.Strides) != d || a.Pads != nil && len(a.Pads) != 2*d {
		return fmt.Errorf("attributes kernel_shape %v, strides %v and pads %v do not agree in the number of axes", a.Kernel, a.Strides,
			a.Pads)
	}
	for _, list := range [][]int{a.Kernel, a.Strides, a.Pads} {
		for _, v := range list {
			if v < 0 || v > 1<<30 {
				return fmt.Errorf("attributes kernel_shape, strides or pads have the value %d", v)
			}
		}
	}
	return nil
}

// step is the stride of spatial axis i and the extent of the result for an input of 1.
func (a *maxUnpoolAttrs) step(i int) (stride, span int) {
	stride, span = 1, a.Kernel[i]
	if a.Strides != nil {
		stride = a.Strides[i]
	}
	if a.Pads != nil {
		span -= a.Pads[i] + a.Pads[len(a.Kernel)+i]
	}
	return stride, span
}

// shapes are the shape that the indices are places of, and that of the result.
func (a *maxUnpoolAttrs) shapes(x tensor.Shape, ints intsFunc) (natural, out tensor.Shape, err error) {
	if len(a.Kernel) == 0 || len(x) != len(a.Kernel)+2 {
		return nil, nil, fmt.Errorf("input X has shape %v, want [N,C,…] with %d spatial axes", x, len(a.Kernel))
	}
	natural = append(natural, x...)
	for i := range a.Kernel {
		stride, span := a.step(i)
		if natural[2+i] = (x[2+i]-1)*stride + span; natural[2+i] < 0 {
			return nil, nil, fmt.Errorf("the result has extent %d on spatial axis %d", natural[2+i], i)
		}
	}
	given, err := ints(2)
	if err != nil || given == nil {
		return natural, natural, err
	}
	if len(given) != len(natural) {
		return nil, nil, fmt.Errorf("output_shape is %v for X of shape %v", given, x)
	}
	for k, d := range given {
		if d < natural[k] || k < 2 && d != natural[k] || d > mostExtent {
			return nil, nil, fmt.Errorf("output_shape is %v, want %v or larger in space", given, natural)
		}
	}
	return natural, given, nil
}

// unpoolAt is where in a tensor of shape out the places idx of one of shape natural are.
func unpoolAt(idx []int64, natural, out tensor.Shape) ([]int, error) {
	total := natural.Len()
	st, so := strides(natural), strides(out)
	at := make([]int, len(idx))
	for i, p := range idx {
		if p < 0 || p >= int64(total) {
			return nil, fmt.Errorf("index %d, at position %d, is outside the %d elements of a result of shape %v", p, i, total, natural)
		}
		rest := int(p)
		for k, s := range st {
			at[i] += rest / s * so[k]
			rest %= s
		}
	}
	return at, nil
}
