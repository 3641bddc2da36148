package ops

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// MaxRoiPool is the largest element of each bin of each region of interest of X [N,C,H,W]: Y [R,C,h,w] of pooled_shape h×w. rois [R,5] has
// the picture and (x1,y1,x2,y2), both ends included, which are rounded to elements of X. An empty bin is 0. Regions have no gradient.
//
// Source: https://onnx.ai/onnx/operators/onnx__MaxRoiPool.html; Girshick 2015, arXiv 1504.08083.
var MaxRoiPool = new(graph.Spec)

// MaxRoiPoolGrad is dX: dY added up, in zeros of X's shape, at the places that MaxRoiPool's private output Argmax tells. Inputs dY, Argmax,
// and X for its shape.
var MaxRoiPoolGrad = new(graph.Spec)

// MaxRoiPoolGather is X taken at those places: the gradient of MaxRoiPoolGrad. Inputs X, Argmax.
var MaxRoiPoolGather = new(graph.Spec)

type maxRoiPoolAttrs struct {
	Shape []int   `onnx:"pooled_shape,required"`
	Scale float32 `onnx:"spatial_scale,default=1"`
}

func init() {
	define(MaxRoiPool, graph.Def[maxRoiPoolAttrs]{
		Name: "MaxRoiPool", Since: []int{1, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__MaxRoiPool.html",
		In:  []graph.Formal{{Name: "X", Types: floats}, {Name: "rois", Types: floats, NoGrad: true}},
		Out: []graph.Formal{{Name: "Y"}, {Name: "Argmax", Optional: true, NoGrad: true, Private: true}},
		Check: func(a *maxRoiPoolAttrs, _ *graph.Node) error {
			if n := len(a.Shape); n > 0 && (n != 2 || min(a.Shape[0], a.Shape[1]) < 1 || max(a.Shape[0], a.Shape[1]) > 1<<16) {
				return fmt.Errorf("pooled_shape is %v, want height and width", a.Shape)
			}
			return nil
		},
		Types: func(_ *maxRoiPoolAttrs, in, out []tensor.DType) error {
			copy(out, []tensor.DType{in[0], tensor.Int64})
			return nil
		},
		Infer: func(a *maxRoiPoolAttrs, c *graph.InferCtx) error {
			x, rois := c.Shape(0), c.Shape(1)
			if len(x) != 4 || len(rois) != 2 || rois[1] != 5 || len(a.Shape) != 2 {
				return fmt.Errorf("input X has shape %v and rois %v for a pooled_shape of %v, want [N,C,H,W], [R,5], two extents", x,
					rois, a.Shape)
			}
			for i := range c.NumOut() {
				c.Out(i, rois[0], x[1], a.Shape[0], a.Shape[1])
			}
			return nil
		},
		Run: func(a *maxRoiPoolAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return maxRoiPool[float64](a, c)
			}
			return maxRoiPool[float32](a, c)
		},
		Grad: func(_ *maxRoiPoolAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(MaxRoiPoolGrad, nil, dy[0], b.ExtraOutput(n, 1), n.In[0])), nil
		},
	})
	places := graph.Formal{Name: "Argmax", NoGrad: true, Types: int64s}
	define(MaxRoiPoolGrad, graph.Def[noAttrs]{
		Domain: Private, Name: "MaxRoiPoolGrad", Since: []int{1}, Doc: "gradient of MaxRoiPool",
		In: []graph.Formal{{Name: "dY", Types: floats}, places, {Name: "X", NoGrad: true}}, Out: []graph.Formal{{Name: "dX"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			if !c.Shape(0).Equal(c.Shape(1)) {
				return fmt.Errorf("dY has shape %v, Argmax %v", c.Shape(0), c.Shape(1))
			}
			c.Out(0, c.Shape(2)...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				addAtPlaces(tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]), c.In[1].I64())
			} else {
				addAtPlaces(c.Out[0].F32(), c.In[0].F32(), c.In[1].I64())
			}
			return nil
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(MaxRoiPoolGather, nil, dy[0], n.In[1])), nil
		},
	})
	define(MaxRoiPoolGather, graph.Def[noAttrs]{
		Domain: Private, Name: "MaxRoiPoolGather", Since: []int{1}, Doc: "second gradient of MaxRoiPool",
		In: []graph.Formal{{Name: "X", Types: floats}, places}, Out: []graph.Formal{{Name: "Y"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			c.Out(0, c.Shape(1)...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				takeAtPlaces(tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]), c.In[1].I64())
			} else {
				takeAtPlaces(c.Out[0].F32(), c.In[0].F32(), c.In[1].I64())
			}
			return nil
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(MaxRoiPoolGrad, nil, dy[0], n.In[1], n.In[0])), nil
		},
	})
}

// addAtPlaces is out = zeros with v[i] added at at[i], unless that is negative.
func addAtPlaces[T real](out, v []T, at []int64) {
	clear(out)
	for i, p := range at {
		if p >= 0 {
			out[p] += v[i]
		}
	}
}

// takeAtPlaces is out[i] = x[at[i]], 0 where at is negative.
func takeAtPlaces[T real](out, x []T, at []int64) {
	for i, p := range at {
		out[i] = 0
		if p >= 0 {
			out[i] = x[p]
		}
	}
}

func maxRoiPool[T real](a *maxRoiPoolAttrs, c *graph.RunCtx) error {
	s, x, y := c.In[0].Shape(), tensor.Data[T](c.In[0]), tensor.Data[T](c.Out[0])
	t, err := c.In[1].Convert(c.In[0].DType())
	if err != nil {
		return err
	}
	rois := tensor.Data[T](t)
	var places []int64
	if len(c.Out) > 1 && c.Out[1] != nil {
		places = c.Out[1].I64()
	}
	ch, h, w, ph, pw := s[1], s[2], s[3], a.Shape[0], a.Shape[1]
	for k := range c.In[1].Dim(0) {
		if err := c.Context.Err(); err != nil {
			return err
		}
		roi := rois[5*k : 5*k+5]
		if !(roi[0] >= 0 && roi[0] < T(s[0])) {
			return fmt.Errorf("rois has picture %g, in row %d, for a batch of %d", roi[0], k, s[0])
		}
		rows, err := maxRoiBins(a, roi[2], roi[4], h, ph)
		if err != nil {
			return err
		}
		cols, err := maxRoiBins(a, roi[1], roi[3], w, pw)
		if err != nil {
			return err
		}
		c.Pool.For(ch, max(1, 1<<12/(ph*pw)), func(lo, hi int) {
			for q := lo; q < hi; q++ {
				from := (int(roi[0])*ch + q) * h * w
				for b := range ph * pw {
					at := -1
					for i := rows[b/pw][0]; i < rows[b/pw][1]; i++ {
						for j := cols[b%pw][0]; j < cols[b%pw][1]; j++ {
							if p := from + i*w + j; at < 0 || x[p] > x[at] {
								at = p
							}
						}
					}
					o := (k*ch+q)*ph*pw + b
					y[o] = 0
					if at >= 0 {
						y[o] = x[at]
					}
					if places != nil {
						places[o] = int64(at)
					}
				}
			}
		})
	}
	return nil
}

// maxRoiBins are the ranges of elements, of n, that a region from start to end is divided into.
func maxRoiBins[T real](a *maxRoiPoolAttrs, start, end T, n, bins int) ([][2]int, error) {
	first, last := math.Round(float64(start*T(a.Scale))), math.Round(float64(end*T(a.Scale)))
	if !(math.Abs(first) < 1<<40 && math.Abs(last) < 1<<40) {
		return nil, fmt.Errorf("rois has a region from %g to %g", start, end)
	}
	size := T(max(last-first+1, 1)) / T(bins)
	out := make([][2]int, bins)
	for b := range out {
		lo, hi := math.Floor(float64(T(b)*size))+first, math.Ceil(float64(T(b+1)*size))+first
		out[b] = [2]int{int(min(max(lo, 0), float64(n))), int(min(max(hi, 0), float64(n)))}
	}
	return out, nil
}
