package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Resize samples X on another grid, given by scales or by sizes: the nearest element, or a linear or cubic interpolation
// along one axis after the other.
//
// Source: https://onnx.ai/onnx/operators/onnx__Resize.html. Deviations: modes linear and cubic take float32 and float64 only. What nearest
// is in version 10 is not said there: it is the element below, or above along an axis that shrinks, as in ONNX 1.5's cases and in ONNX
// Runtime.
var Resize = new(graph.Spec)

var resize10 = new(graph.Spec)

// Upsample is what Resize was before version 10.
//
// Source: https://onnx.ai/onnx/operators/onnx__Upsample.html
var Upsample = new(graph.Spec)

var upsample7, upsample1 = new(graph.Spec), new(graph.Spec)

// ResizeGrad is the transpose of Resize: dY spread over the elements that Resize takes, in the shape of like. Inputs dY, like, roi,
// scales, sizes.
var ResizeGrad = new(graph.Spec)

type resizeAttrs struct {
	Mode           string  `onnx:"mode,default=nearest"`
	Transform      string  `onnx:"coordinate_transformation_mode,default=half_pixel"`
	Nearest        string  `onnx:"nearest_mode,default=round_prefer_floor"`
	CubicA         float32 `onnx:"cubic_coeff_a,default=-0.75"`
	ExcludeOutside bool    `onnx:"exclude_outside,default=0"`
	Extrapolation  float32 `onnx:"extrapolation_value,default=0"`
	Antialias      bool    `onnx:"antialias,default=0"`
	Axes           []int   `onnx:"axes"`
	Policy         string  `onnx:"keep_aspect_ratio_policy,default=stretch"`
}

// upsampleAttrs are those of Resize-10 and Upsample-9.
type upsampleAttrs struct {
	Mode string `onnx:"mode,default=nearest"`
}

type upsample7Attrs struct {
	Mode   string    `onnx:"mode,default=nearest"`
	Scales []float32 `onnx:"scales,required"`
}

type upsample1Attrs struct {
	Mode   string  `onnx:"mode,default=nearest"`
	Height float32 `onnx:"height_scale,required"`
	Width  float32 `onnx:"width_scale,required"`
}

// upsampling are the attributes of Resize that do what the older operators do.
func upsampling(mode string) *resizeAttrs {
	if mode == "bilinear" {
		mode = "linear"
	}
	return &resizeAttrs{Mode: mode, Transform: "asymmetric", Nearest: "floor", Policy: "stretch"}
}

// shrinking is the nearest_mode of Resize-10, which files cannot ask for: ceil along an axis that shrinks, else floor.
const shrinking = "shrinking"

// as11 are the attributes of Resize that do what version 10 does.
func (a *upsampleAttrs) as11() *resizeAttrs {
	r := upsampling(a.Mode)
	r.Nearest = shrinking
	return r
}

// resized adds a Resize, of version 10 where a is of one.
func resized(b *graph.Builder, a *resizeAttrs, x, roi, scales, sizes graph.Value) graph.Value {
	if a.Nearest == shrinking {
		return b.Add(resize10, &upsampleAttrs{Mode: a.Mode}, x, scales)
	}
	return b.Add(Resize, a, x, roi, scales, sizes)
}

func init() {
	const doc = "https://onnx.ai/onnx/operators/onnx__Resize.html"
	float := []tensor.DType{tensor.Float32}
	x, out := graph.Formal{Name: "X"}, []graph.Formal{{Name: "Y"}}
	args := []graph.Formal{
		{Name: "roi", Optional: true, NoGrad: true, Types: floats}, {Name: "scales", Optional: true, NoGrad: true, Types: float},
		{Name: "sizes", Optional: true, NoGrad: true, Types: int64s},
	}
	define(Resize, graph.Def[resizeAttrs]{
		Name: "Resize", Role: graph.Pool, Since: []int{11, 13, 18, 19}, Doc: doc, In: append([]graph.Formal{x}, args...), Out: out,
		Check: func(a *resizeAttrs, _ *graph.Node) error { return a.check() },
		Infer: func(a *resizeAttrs, c *graph.InferCtx) error {
			return inferResize(a, c, planValue(c, 1), planValue(c, 2), planValue(c, 3))
		},
		Run: func(a *resizeAttrs, c *graph.RunCtx) error {
			return runResize(a, c, runValue(c, 1), runValue(c, 2), runValue(c, 3))
		},
		Grad: func(a *resizeAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(ResizeGrad, a, dy[0], n.In[0], input(n, 1), input(n, 2), input(n, 3))), nil
		},
	})
	upsample := graph.Def[upsampleAttrs]{
		Name: "Resize", Role: graph.Pool, Since: []int{10}, Doc: doc, In: []graph.Formal{x, {Name: "scales", NoGrad: true, Types: float}},
		Out:   out,
		Check: func(a *upsampleAttrs, _ *graph.Node) error { return upsampling(a.Mode).check() },
		Infer: func(a *upsampleAttrs, c *graph.InferCtx) error {
			return inferResize(upsampling(a.Mode), c, noValue, planValue(c, 1), noValue)
		},
		Run: func(a *upsampleAttrs, c *graph.RunCtx) error {
			return runResize(upsampling(a.Mode), c, noValue, runValue(c, 1), noValue)
		},
		Grad: func(a *upsampleAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(ResizeGrad, upsampling(a.Mode), dy[0], n.In[0], 0, n.In[1])), nil
		},
	}
	r10 := upsample
	r10.Infer = func(a *upsampleAttrs, c *graph.InferCtx) error {
		return inferResize(a.as11(), c, noValue, planValue(c, 1), noValue)
	}
	r10.Run = func(a *upsampleAttrs, c *graph.RunCtx) error {
		return runResize(a.as11(), c, noValue, runValue(c, 1), noValue)
	}
	r10.Grad = func(a *upsampleAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
		return only(n, 0, b.Add(ResizeGrad, a.as11(), dy[0], n.In[0], 0, n.In[1])), nil
	}
	define(resize10, r10)
	upsample.Name, upsample.Since, upsample.Doc = "Upsample", []int{9, 10}, "https://onnx.ai/onnx/operators/onnx__Upsample.html"
	define(Upsample, upsample)
	define(upsample7, graph.Def[upsample7Attrs]{
		Name: "Upsample", Role: graph.Pool, Since: []int{7}, Doc: upsample.Doc, In: []graph.Formal{x}, Out: out,
		Check: func(a *upsample7Attrs, _ *graph.Node) error { return upsampling(a.Mode).check() },
		Infer: func(a *upsample7Attrs, c *graph.InferCtx) error {
			return inferResize(upsampling(a.Mode), c, noValue, floatValues(a.Scales), noValue)
		},
		Run: func(a *upsample7Attrs, c *graph.RunCtx) error {
			return runResize(upsampling(a.Mode), c, noValue, floatValues(a.Scales), noValue)
		},
		Grad: func(a *upsample7Attrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			scales := b.Const(tensor.From(a.Scales, len(a.Scales)))
			return only(n, 0, b.Add(ResizeGrad, upsampling(a.Mode), dy[0], n.In[0], 0, scales)), nil
		},
	})
	define(upsample1, graph.Def[upsample1Attrs]{
		Name: "Upsample", Role: graph.Pool, Since: []int{1}, Doc: upsample.Doc, In: []graph.Formal{x}, Out: out,
		Check: func(a *upsample1Attrs, _ *graph.Node) error { return upsampling(a.Mode).check() },
		Infer: func(a *upsample1Attrs, c *graph.InferCtx) error { return upsample7.Infer(a.as7(), c) },
		Run:   func(a *upsample1Attrs, c *graph.RunCtx) error { return upsample7.Run(a.as7(), c) },
		Lower: func(a *upsample1Attrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{b.Add(upsample7, a.as7(), n.In[0])}, nil
		},
	})
	define(ResizeGrad, graph.Def[resizeAttrs]{
		Domain: Private, Name: "ResizeGrad", Since: []int{1}, Doc: "gradient of Resize",
		In: append([]graph.Formal{{Name: "dY", Types: floats}, {Name: "like", NoGrad: true}}, args...), Out: []graph.Formal{{Name: "dX"}},
		Infer: func(_ *resizeAttrs, c *graph.InferCtx) error {
			c.Out(0, c.Shape(1)...)
			return nil
		},
		Run: func(a *resizeAttrs, c *graph.RunCtx) error {
			r, err := newResizing(a, c.In[1].Shape(), runValue(c, 2), runValue(c, 3), runValue(c, 4))
			if err != nil {
				return err
			}
			if !r.out.Equal(c.In[0].Shape()) {
				return fmt.Errorf("dY has shape %v, the resized input %v", c.In[0].Shape(), r.out)
			}
			if err := r.tables(a); err != nil {
				return err
			}
			if c.In[0].DType() == tensor.Float64 {
				resampleBack(c.Pool, r, tensor.Data[float64](c.In[0]), tensor.Data[float64](c.Out[0]))
			} else {
				resampleBack(c.Pool, r, c.In[0].F32(), c.Out[0].F32())
			}
			return nil
		},
		Grad: func(a *resizeAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			zero := *a
			zero.Extrapolation = 0
			return only(n, 0, resized(b, &zero, dy[0], input(n, 2), input(n, 3), input(n, 4))), nil
		},
		Lower: lowerResizeGrad,
	})
}

func (a *upsample1Attrs) as7() *upsample7Attrs {
	return &upsample7Attrs{Mode: a.Mode, Scales: []float32{1, 1, a.Height, a.Width}}
}

// valueFunc gives the content of an input, nil when it is absent.
type valueFunc func() (*tensor.Tensor, error)

func noValue() (*tensor.Tensor, error) { return nil, nil }

func floatValues(x []float32) valueFunc {
	return func() (*tensor.Tensor, error) { return tensor.From(x, len(x)), nil }
}

func planValue(c *graph.InferCtx, i int) valueFunc {
	return func() (*tensor.Tensor, error) {
		if !c.Has(i) {
			return nil, nil
		}
		return c.Value(i)
	}
}

func runValue(c *graph.RunCtx, i int) valueFunc {
	return func() (*tensor.Tensor, error) {
		if i >= c.Node.NumIn {
			return nil, nil
		}
		return c.In[i], nil
	}
}

func inferResize(a *resizeAttrs, c *graph.InferCtx, roi, scales, sizes valueFunc) error {
	r, err := newResizing(a, c.Shape(0), roi, scales, sizes)
	if err != nil {
		return err
	}
	if d := c.DType(0); a.Mode != "nearest" && d != tensor.Float32 && d != tensor.Float64 {
		return fmt.Errorf("mode %s of %v is not supported", a.Mode, d)
	}
	c.Out(0, r.out...)
	return nil
}

func runResize(a *resizeAttrs, c *graph.RunCtx, roi, scales, sizes valueFunc) error {
	r, err := newResizing(a, c.In[0].Shape(), roi, scales, sizes)
	if err != nil {
		return err
	}
	if c.Out[0].Len() == 0 {
		return nil
	}
	if err := r.tables(a); err != nil {
		return err
	}
	switch d := c.In[0].DType(); {
	case a.Mode == "nearest":
		copyMapped(c, c.Out[0], c.In[0], r.nearest())
	case d == tensor.Float64:
		resample(c.Pool, r, tensor.Data[float64](c.In[0]), tensor.Data[float64](c.Out[0]))
	default:
		resample(c.Pool, r, c.In[0].F32(), c.Out[0].F32())
	}
	return r.extrapolate(c, a.Extrapolation)
}

// extrapolate sets the elements outside the region of interest to v.
func (r *resizing) extrapolate(c *graph.RunCtx, v float32) error {
	var value *tensor.Tensor
	st := strides(r.out)
	for k := range r.axes {
		for j := range r.out[k] {
			if r.axes[k].inside(j) {
				continue
			}
			if value == nil {
				var err error
				if value, err = tensor.Scalar(v).Convert(c.Out[0].DType()); err != nil {
					return err
				}
			}
			ext := append(tensor.Shape{}, r.out...)
			ext[k] = 1
			copyStrided(nil, c.Out[0], value, walk{ext: ext, ds: st, ss: make([]int, len(ext)), do: j * st[k]})
		}
	}
	return nil
}

// resample applies the filters of r to x, axis by axis, the one that shrinks most first.
func resample[T real](p *parallel.Pool, r *resizing, x, y []T) {
	shape := append(tensor.Shape{}, r.in...)
	for _, k := range r.order() {
		inner := product(shape[k+1:])
		outer := product(shape[:k])
		f := &r.axes[k]
		d, o := shape[k], r.out[k]
		next := make([]T, outer*o*inner)
		p.For(outer*o, max(1, 1<<14/max(inner, 1)), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				row, from := next[i*inner:(i+1)*inner], x[i/o*d*inner:]
				for t, at := range f.at(i % o) {
					w := T(f.weight(i % o)[t])
					for j, v := range from[at*inner : (at+1)*inner] {
						row[j] += w * v
					}
				}
			}
		})
		x = next
		shape[k] = o
	}
	copy(y, x)
}

// resampleBack is the transpose of resample.
func resampleBack[T real](p *parallel.Pool, r *resizing, dy, dx []T) {
	shape := append(tensor.Shape{}, r.out...)
	order := r.order()
	for i := len(order) - 1; i >= 0; i-- {
		k := order[i]
		inner, outer := product(shape[k+1:]), product(shape[:k])
		f := &r.axes[k]
		d, o := r.in[k], shape[k]
		next := make([]T, outer*d*inner)
		p.For(outer, max(1, 1<<14/max(inner*o, 1)), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				for q := range o {
					row, to := dy[(i*o+q)*inner:][:inner], next[i*d*inner:]
					for t, at := range f.at(q) {
						w := T(f.weight(q)[t])
						into := to[at*inner : (at+1)*inner]
						for j, v := range row {
							into[j] += w * v
						}
					}
				}
			}
		})
		dy = next
		shape[k] = d
	}
	copy(dx, dy)
}
