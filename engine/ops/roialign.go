package ops

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// RoiAlign reads each region of interest of X [N,C,H,W], rois [R,4] as (x1,y1,x2,y2) in the picture of batch_indices [R], at points spread
// evenly over the bins that it is divided into, interpolated linearly: Y [R,C,output_height,output_width] is the mean of a bin's points, or
// with mode max the largest of the weighted elements that they are made of, as ONNX Runtime has it. Regions have no gradient.
//
// Source: https://onnx.ai/onnx/operators/onnx__RoiAlign.html; He et al. 2017, arXiv 1703.06870.
var RoiAlign = new(graph.Spec)

var roiAlign10 = new(graph.Spec)

// RoiAlignBack is the gradient of RoiAlign: dY at the elements that RoiAlign reads of X. Inputs dY, rois, batch_indices, X.
var RoiAlignBack = new(graph.Spec)

// RoiAlignTake is S, of X's shape, read where RoiAlign reads X: the transpose of RoiAlignBack. Inputs S, rois, batch_indices, X.
var RoiAlignTake = new(graph.Spec)

type roiAlignAttrs struct {
	Transform string  `onnx:"coordinate_transformation_mode,default=half_pixel"`
	Mode      string  `onnx:"mode,default=avg"`
	Height    int     `onnx:"output_height,default=1"`
	Width     int     `onnx:"output_width,default=1"`
	Ratio     int     `onnx:"sampling_ratio,default=0"`
	Scale     float32 `onnx:"spatial_scale,default=1"`
}

type roiAlign10Attrs struct {
	Mode   string  `onnx:"mode,default=avg"`
	Height int     `onnx:"output_height,default=1"`
	Width  int     `onnx:"output_width,default=1"`
	Ratio  int     `onnx:"sampling_ratio,default=0"`
	Scale  float32 `onnx:"spatial_scale,default=1"`
}

func (a *roiAlign10Attrs) newer() *roiAlignAttrs {
	return &roiAlignAttrs{Transform: "output_half_pixel", Mode: a.Mode, Height: a.Height, Width: a.Width, Ratio: a.Ratio, Scale: a.Scale}
}

func init() {
	const doc = "https://onnx.ai/onnx/operators/onnx__RoiAlign.html"
	regions := []graph.Formal{{Name: "rois", Types: floats, NoGrad: true}, {Name: "batch_indices", NoGrad: true, Types: int64s}}
	in := append([]graph.Formal{{Name: "X", Types: floats}}, regions...)
	define(RoiAlign, graph.Def[roiAlignAttrs]{
		Name: "RoiAlign", Since: []int{16, 22}, Doc: doc, In: in, Out: []graph.Formal{{Name: "Y"}},
		Check: func(a *roiAlignAttrs, _ *graph.Node) error { return a.check() },
		Infer: func(a *roiAlignAttrs, c *graph.InferCtx) error { return inferRoiAlign(a, c) },
		Run:   func(a *roiAlignAttrs, c *graph.RunCtx) error { return runRoiAlign(a, c) },
		Grad: func(a *roiAlignAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(RoiAlignBack, a, dy[0], n.In[1], n.In[2], n.In[0])), nil
		},
	})
	define(roiAlign10, graph.Def[roiAlign10Attrs]{
		Name: "RoiAlign", Since: []int{10}, Doc: doc, In: in, Out: []graph.Formal{{Name: "Y"}},
		Check: func(a *roiAlign10Attrs, _ *graph.Node) error { return a.newer().check() },
		Infer: func(a *roiAlign10Attrs, c *graph.InferCtx) error { return inferRoiAlign(a.newer(), c) },
		Run:   func(a *roiAlign10Attrs, c *graph.RunCtx) error { return runRoiAlign(a.newer(), c) },
		Grad: func(a *roiAlign10Attrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(RoiAlignBack, a.newer(), dy[0], n.In[1], n.In[2], n.In[0])), nil
		},
	})
	like := graph.Formal{Name: "X", Types: floats, NoGrad: true}
	define(RoiAlignBack, graph.Def[roiAlignAttrs]{
		Domain: Private, Name: "RoiAlignBack", Since: []int{1}, Doc: "gradient of RoiAlign",
		In:  append(append([]graph.Formal{{Name: "dY", Types: floats}}, regions...), like),
		Out: []graph.Formal{{Name: "dX"}},
		Infer: func(a *roiAlignAttrs, c *graph.InferCtx) error {
			out, err := a.shape(c.Shape(3), c.Shape(1), c.Shape(2))
			if err != nil {
				return err
			}
			if !out.Equal(c.Shape(0)) {
				return fmt.Errorf("dY has shape %v, want %v", c.Shape(0), out)
			}
			c.Out(0, c.Shape(3)...)
			return nil
		},
		Run: func(a *roiAlignAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return roiAlignBack[float64](a, c)
			}
			return roiAlignBack[float32](a, c)
		},
		Grad: func(a *roiAlignAttrs, b *graph.Builder, n *graph.Node, s []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(RoiAlignTake, a, s[0], n.In[1], n.In[2], n.In[3])), nil
		},
	})
	define(RoiAlignTake, graph.Def[roiAlignAttrs]{
		Domain: Private, Name: "RoiAlignTake", Since: []int{1}, Doc: "second gradient of RoiAlign",
		In:  append(append([]graph.Formal{{Name: "S", Types: floats}}, regions...), like),
		Out: []graph.Formal{{Name: "Y"}},
		Infer: func(a *roiAlignAttrs, c *graph.InferCtx) error {
			if !c.Shape(0).Equal(c.Shape(3)) {
				return fmt.Errorf("input S has shape %v, X %v", c.Shape(0), c.Shape(3))
			}
			return inferRoiAlign(a, c)
		},
		Run: func(a *roiAlignAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return roiAlign(a, c, tensor.Data[float64](c.In[0]), tensor.Data[float64](c.In[3]))
			}
			return roiAlign(a, c, c.In[0].F32(), c.In[3].F32())
		},
		Grad: func(a *roiAlignAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(RoiAlignBack, a, dy[0], n.In[1], n.In[2], n.In[3])), nil
		},
		Lower: func(a *roiAlignAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			if a.Mode != "avg" {
				return nil, fmt.Errorf("the elements that mode max chose have no operator")
			}
			return []graph.Value{b.Add(RoiAlign, a, n.In[:3]...)}, nil
		},
	})
}

func (a *roiAlignAttrs) check() error {
	switch {
	case a.Transform != "half_pixel" && a.Transform != "output_half_pixel":
		return fmt.Errorf("coordinate_transformation_mode is %q, want half_pixel or output_half_pixel", a.Transform)
	case a.Mode != "avg" && a.Mode != "max":
		return fmt.Errorf("mode is %q, want avg or max", a.Mode)
	case min(a.Height, a.Width) < 1 || max(a.Height, a.Width) > 1<<16:
		return fmt.Errorf("output_height is %d and output_width %d", a.Height, a.Width)
	case a.Ratio < 0 || a.Ratio > 1<<10:
		return fmt.Errorf("sampling_ratio is %d", a.Ratio)
	}
	return nil
}

func (a *roiAlignAttrs) shape(x, rois, batch tensor.Shape) (tensor.Shape, error) {
	if len(x) != 4 || len(rois) != 2 || rois[1] != 4 || len(batch) != 1 || batch[0] != rois[0] {
		return nil, fmt.Errorf("input X has shape %v, rois %v and batch_indices %v, want [N,C,H,W], [R,4] and [R]", x, rois, batch)
	}
	if x[2]*x[3] == 0 && rois[0] > 0 {
		return nil, fmt.Errorf("input X has shape %v: there is nothing to read", x)
	}
	return tensor.Shape{rois[0], x[1], a.Height, a.Width}, nil
}

func inferRoiAlign(a *roiAlignAttrs, c *graph.InferCtx) error {
	out, err := a.shape(c.Shape(0), c.Shape(1), c.Shape(2))
	if err != nil {
		return err
	}
	c.Out(0, out...)
	return nil
}

// roiPoint is a coordinate between two elements of an axis, or outside.
type roiPoint struct {
	lo, hi   int
	wlo, whi float64
}

// roiAxis is one axis of a region: the points of each bin, and what the elements weigh in the mean of each.
type roiAxis struct {
	points [][]roiPoint
	weigh  [][]roiWeight
}

type roiWeight struct {
	at int
	w  float64
}

// roiAxisOf divides the region from start to end, of an axis of extent n, into bins. The extent of a bin, which says how many points it
// has, is rounded as the type of the calculation rounds.
func roiAxisOf[T real](a *roiAlignAttrs, start, end T, n, bins int) (r roiAxis, err error) {
	start, end = start*T(a.Scale), end*T(a.Scale)
	size := end - start
	if a.Transform == "half_pixel" {
		start -= 0.5
	} else {
		size = max(size, 1)
	}
	if !(start >= -1<<40 && start <= 1<<40 && size >= -1<<40 && size <= 1<<40) {
		return r, fmt.Errorf("a region of interest from %g to %g", start, end)
	}
	bin := float64(size / T(bins))
	count := a.Ratio
	if count == 0 {
		count = int(math.Ceil(bin))
	}
	for b := range bins {
		var points []roiPoint
		weights := map[int]float64{}
		from, step := float64(start)+float64(b)*bin, bin/float64(max(count, 1))
		first, last := 0, count // of the points, those that may lie inside
		if step > 0 {
			first = max(0, int(math.Floor((-1-from)/step))-1)
			last = min(count, int(math.Ceil((float64(n)-from)/step))+1)
		}
		if first > 0 || last < count {
			points = append(points, roiPoint{}) // one outside, for all
		}
		for i := first; i < last; i++ {
			p := roiBetween(from+(float64(i)+0.5)*step, n)
			points = append(points, p)
			weights[p.lo] += p.wlo
			weights[p.hi] += p.whi
		}
		var list []roiWeight
		for _, at := range slices.Sorted(maps.Keys(weights)) {
			if w := weights[at]; w != 0 {
				list = append(list, roiWeight{at, w / float64(max(count, 1))})
			}
		}
		r.points, r.weigh = append(r.points, points), append(r.weigh, list)
	}
	return r, nil
}

// roiBetween is the point at x of an axis of extent n. One beyond the edges by more than an element weighs nothing.
func roiBetween(x float64, n int) roiPoint {
	if x < -1 || x > float64(n) {
		return roiPoint{}
	}
	x = max(x, 0)
	lo := int(x)
	if lo >= n-1 {
		return roiPoint{lo: n - 1, hi: n - 1, wlo: 1}
	}
	return roiPoint{lo, lo + 1, 1 - (x - float64(lo)), x - float64(lo)}
}

// region is one region, in picture batch.
type region struct {
	batch int
	y, x  roiAxis
}

func regionOf[T real](a *roiAlignAttrs, c *graph.RunCtx, rois []T, k int, s tensor.Shape) (r region, err error) {
	b := c.In[2].I64()[k]
	if b < 0 || b >= int64(s[0]) {
		return r, fmt.Errorf("batch_indices has %d, at position %d, for a batch of %d", b, k, s[0])
	}
	roi := rois[4*k : 4*k+4]
	r.batch = int(b)
	if r.x, err = roiAxisOf(a, roi[0], roi[2], s[3], a.Width); err != nil {
		return r, err
	}
	r.y, err = roiAxisOf(a, roi[1], roi[3], s[2], a.Height)
	return r, err
}

// largestAt is the element of plane x, of rows of w elements, that weighs most in bin (i,j), and its weight; at is -1 when it is none.
func largestAt[T real](r *region, x []T, w, i, j int) (at int, weight float64) {
	at = -1
	best, some := 0.0, false
	for _, p := range r.y.points[i] {
		for _, q := range r.x.points[j] {
			for _, e := range [4]roiWeight{{p.lo*w + q.lo, p.wlo * q.wlo}, {p.lo*w + q.hi, p.wlo * q.whi}, {p.hi*w + q.lo, p.whi * q.wlo},
				{p.hi*w + q.hi, p.whi * q.whi}} {
				if v := e.w * float64(x[e.at]); !some || v > best {
					at, weight, best, some = e.at, e.w, v, true
				}
			}
		}
	}
	return at, weight
}

func runRoiAlign(a *roiAlignAttrs, c *graph.RunCtx) error {
	if c.In[0].DType() == tensor.Float64 {
		return roiAlign(a, c, tensor.Data[float64](c.In[0]), tensor.Data[float64](c.In[0]))
	}
	return roiAlign(a, c, c.In[0].F32(), c.In[0].F32())
}

// roisOf are the regions, of the type of the calculation.
func roisOf[T real](c *graph.RunCtx) ([]T, error) {
	t, err := c.In[1].Convert(c.In[0].DType())
	if err != nil {
		return nil, err
	}
	return tensor.Data[T](t), nil
}

// roiAlign reads s where x is read.
func roiAlign[T real](a *roiAlignAttrs, c *graph.RunCtx, s, x []T) error {
	shape, y := c.In[0].Shape(), tensor.Data[T](c.Out[0])
	rois, err := roisOf[T](c)
	if err != nil {
		return err
	}
	ch, plane, w, bins := shape[1], shape[2]*shape[3], shape[3], a.Height*a.Width
	for k := range c.In[2].Len() {
		if err := c.Context.Err(); err != nil {
			return err
		}
		r, err := regionOf(a, c, rois, k, shape)
		if err != nil {
			return err
		}
		c.Pool.For(ch, max(1, 1<<12/bins), func(lo, hi int) {
			for q := lo; q < hi; q++ {
				from := (r.batch*ch + q) * plane
				out := y[(k*ch+q)*bins:][:bins]
				for b := range out {
					i, j := b/a.Width, b%a.Width
					sum := 0.0
					if a.Mode == "max" {
						if at, weight := largestAt(&r, x[from:from+plane], w, i, j); at >= 0 {
							sum = weight * float64(s[from+at])
						}
					} else {
						for _, row := range r.y.weigh[i] {
							for _, col := range r.x.weigh[j] {
								sum += row.w * col.w * float64(s[from+row.at*w+col.at])
							}
						}
					}
					out[b] = T(sum)
				}
			}
		})
	}
	return nil
}

func roiAlignBack[T real](a *roiAlignAttrs, c *graph.RunCtx) error {
	shape, dx, dy, x := c.In[3].Shape(), tensor.Data[T](c.Out[0]), tensor.Data[T](c.In[0]), tensor.Data[T](c.In[3])
	rois, err := roisOf[T](c)
	if err != nil {
		return err
	}
	clear(dx)
	ch, plane, w, bins := shape[1], shape[2]*shape[3], shape[3], a.Height*a.Width
	for k := range c.In[2].Len() {
		if err := c.Context.Err(); err != nil {
			return err
		}
		r, err := regionOf(a, c, rois, k, shape)
		if err != nil {
			return err
		}
		c.Pool.For(ch, max(1, 1<<12/bins), func(lo, hi int) {
			for q := lo; q < hi; q++ {
				from := (r.batch*ch + q) * plane
				for b, v := range dy[(k*ch+q)*bins:][:bins] {
					i, j := b/a.Width, b%a.Width
					if a.Mode == "max" {
						if at, weight := largestAt(&r, x[from:from+plane], w, i, j); at >= 0 {
							dx[from+at] += T(weight) * v
						}
						continue
					}
					for _, row := range r.y.weigh[i] {
						for _, col := range r.x.weigh[j] {
							dx[from+row.at*w+col.at] += T(row.w*col.w) * v
						}
					}
				}
			}
		})
	}
	return nil
}
