package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Slice takes, on each named axis, the elements from start up to end by step. Negative starts and ends count from the end; a
// negative step goes backwards.
//
// Source: https://onnx.ai/onnx/operators/onnx__Slice.html
var Slice = new(graph.Spec)

var sliceOld = new(graph.Spec)

// SliceGrad is zero in the shape of like, but dY where Slice takes its elements from, added to base, of that shape, where it is given.
// Inputs dY, like, starts, ends, axes, steps, base.
var SliceGrad = new(graph.Spec)

type sliceOldAttrs struct {
	Axes   []int `onnx:"axes"`
	Starts []int `onnx:"starts,required"`
	Ends   []int `onnx:"ends,required"`
}

func init() {
	const doc = "https://onnx.ai/onnx/operators/onnx__Slice.html"
	index := []graph.Formal{
		{Name: "starts", NoGrad: true, Types: indexes}, {Name: "ends", NoGrad: true, Types: indexes},
		{Name: "axes", Optional: true, NoGrad: true, Types: indexes}, {Name: "steps", Optional: true, NoGrad: true, Types: indexes},
	}
	define(Slice, graph.Def[noAttrs]{
		Name: "Slice", Role: graph.Move, Since: []int{10, 11, 13}, Doc: doc,
		In: append([]graph.Formal{{Name: "data"}}, index...), Out: []graph.Formal{{Name: "output"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			r, err := rangesOf(planInts(c), 1, c.Shape(0))
			if err != nil {
				return err
			}
			c.Out(0, r.count...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			r, err := rangesOf(runInts(c), 1, c.In[0].Shape())
			if err != nil {
				return err
			}
			r.take(c, c.Out[0], c.In[0])
			return nil
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(SliceGrad, nil, append([]graph.Value{dy[0], n.In[0]}, n.In[1:n.NumIn]...)...)), nil
		},
	})
	define(sliceOld, graph.Def[sliceOldAttrs]{
		Name: "Slice", Role: graph.Move, Since: []int{1}, Doc: doc, In: []graph.Formal{{Name: "data"}},
		Out: []graph.Formal{{Name: "output"}},
		Infer: func(a *sliceOldAttrs, c *graph.InferCtx) error {
			r, err := newRanges(c.Shape(0), a.Starts, a.Ends, a.Axes, nil)
			if err != nil {
				return err
			}
			c.Out(0, r.count...)
			return nil
		},
		Run: func(a *sliceOldAttrs, c *graph.RunCtx) error {
			r, err := newRanges(c.In[0].Shape(), a.Starts, a.Ends, a.Axes, nil)
			if err != nil {
				return err
			}
			r.take(c, c.Out[0], c.In[0])
			return nil
		},
		Grad: func(a *sliceOldAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			in := []graph.Value{dy[0], n.In[0], b.Ints(a.Starts...), b.Ints(a.Ends...)}
			if a.Axes != nil {
				in = append(in, b.Ints(a.Axes...))
			}
			return only(n, 0, b.Add(SliceGrad, nil, in...)), nil
		},
	})
	define(SliceGrad, graph.Def[noAttrs]{
		Domain: Private, Name: "SliceGrad", Since: []int{1}, Doc: "gradient of Slice",
		In: slices.Concat([]graph.Formal{{Name: "dY"}, {Name: "like", NoGrad: true, Shape: true}}, index,
			[]graph.Formal{{Name: "base", Optional: true, Types: floats}}),
		Out: []graph.Formal{{Name: "dX"}}, InPlace: [][2]int{{6, 0}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			c.Out(0, c.Shape(1)...)
			if c.Has(6) && !c.Shape(6).Equal(c.Shape(1)) {
				return fmt.Errorf("base has shape %v, want %v", c.Shape(6), c.Shape(1))
			}
			r, err := rangesOf(planInts(c), 2, c.Shape(1))
			if err == graph.ErrNeedsValue {
				return nil // the shape is known all the same
			}
			if err == nil && !r.count.Equal(c.Shape(0)) {
				err = fmt.Errorf("dY has shape %v, the slice %v", c.Shape(0), r.count)
			}
			return err
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			r, err := rangesOf(runInts(c), 2, c.In[1].Shape())
			if err != nil {
				return err
			}
			if !r.count.Equal(c.In[0].Shape()) {
				return fmt.Errorf("dY has shape %v, the slice %v", c.In[0].Shape(), r.count)
			}
			if c.Has(6) {
				if c.Out[0].DType() == tensor.Float64 {
					addSlice[float64](c, r)
				} else {
					addSlice[float32](c, r)
				}
				return nil
			}
			zero(c.Pool, c.Out[0])
			copyStrided(c.Pool, c.Out[0], c.In[0], walk{ext: r.count, ds: r.stride, do: r.start, ss: strides(r.count)})
			return nil
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			dx := only(n, 0, b.Add(Slice, nil, append([]graph.Value{dy[0]}, n.In[2:min(n.NumIn, 6)]...)...))
			if n.NumIn > 6 {
				dx[6] = dy[0]
			}
			return dx, nil
		},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			dx := addBack(b, n.In[0], n.In[1], func(index graph.Value) graph.Value {
				return b.Add(Slice, nil, append([]graph.Value{index}, n.In[2:min(n.NumIn, 6)]...)...)
			})
			if base := input(n, 6); base != 0 {
				dx = add(b, base, dx)
			}
			return []graph.Value{dx}, nil
		},
	})
}

// addSlice adds dY, input 0, to the elements r of base, input 6.
func addSlice[T floatElem](c *graph.RunCtx, r *ranges) {
	x, dy := tensor.Data[T](c.Out[0]), tensor.Data[T](c.In[0])
	if base := tensor.Data[T](c.In[6]); len(x) > 0 && &base[0] != &x[0] {
		copy(x, base)
	}
	n, step := 1, 1 // numbers in a row, and from one to the next in x
	outer := r.count
	if k := len(r.count) - 1; k >= 0 {
		n, step, outer = r.count[k], r.stride[k], r.count[:k]
	}
	if n == 0 {
		return
	}
	sum := kernel.AddOp[T]()
	c.Pool.For(product(outer), max(1, 1<<14/n), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			at, rest := r.start, i
			for k := len(outer) - 1; k >= 0; k-- {
				at += rest % outer[k] * r.stride[k]
				rest /= outer[k]
			}
			if row := dy[i*n : (i+1)*n]; step == 1 {
				sum.VV(x[at:at+n], x[at:at+n], row)
			} else {
				for j, v := range row {
					x[at+j*step] += v
				}
			}
		}
	})
}

// FuseSliceGrad makes n, a SliceGrad whose output the addition add takes, add the other operand of it itself, and reports whether it can:
// when that is the gradient of a slice of the same value.
func FuseSliceGrad(g *graph.Graph, n *graph.Node, add *graph.Node) bool {
	other := add.In[0]
	if other == n.Out[0] {
		other = add.In[1]
	}
	from := g.Info(other).Def
	if n.Op != SliceGrad || n.NumIn > 6 || from == nil || from == n || from.Op != SliceGrad || from.In[1] != n.In[1] ||
		!g.Info(other).DType.IsFloat() {
		return false
	}
	n.In = append(slices.Clone(n.In), make([]graph.Value, 6-len(n.In))...)
	n.In = append(n.In, other)
	n.NumIn = len(n.In)
	return true
}

// ranges is a Slice made concrete: element (i0,i1,…) of the result is element start+Σ i·stride of the input.
type ranges struct {
	count  tensor.Shape
	stride []int
	start  int
}

// intsFunc gives the content of an integer input, nil when it is absent.
type intsFunc func(i int) ([]int, error)

// planInts reads integer inputs when a run is planned.
func planInts(c *graph.InferCtx) intsFunc {
	return func(i int) ([]int, error) {
		if !c.Has(i) {
			return nil, nil
		}
		return c.Ints(i)
	}
}

// runInts reads integer inputs in a run.
func runInts(c *graph.RunCtx) intsFunc {
	return func(i int) ([]int, error) {
		if i >= c.Node.NumIn || !c.Has(i) {
			return nil, nil
		}
		return graph.IntsOf(c.In[i])
	}
}

// rangesOf reads starts, ends, axes and steps from the inputs at i and following.
func rangesOf(ints intsFunc, i int, s tensor.Shape) (*ranges, error) {
	var arg [4][]int
	for k := range arg {
		var err error
		if arg[k], err = ints(i + k); err != nil {
			return nil, err
		}
	}
	return newRanges(s, arg[0], arg[1], arg[2], arg[3])
}

func newRanges(s tensor.Shape, starts, ends, axes, steps []int) (*ranges, error) {
	if axes == nil {
		for i := range starts {
			axes = append(axes, i)
		}
	}
	if len(ends) != len(starts) || len(axes) != len(starts) || (steps != nil && len(steps) != len(starts)) {
		return nil, fmt.Errorf("%d starts, %d ends, %d axes and %d steps do not pair", len(starts), len(ends), len(axes), len(steps))
	}
	r := &ranges{count: slices.Clone(s), stride: strides(s)}
	seen := make([]bool, len(s))
	for i, a := range axes {
		k, err := axis(a, len(s))
		if err != nil {
			return nil, err
		}
		if seen[k] {
			return nil, fmt.Errorf("axis %d is given twice", a)
		}
		seen[k] = true
		step := 1
		if steps != nil {
			step = max(steps[i], -math.MaxInt)
		}
		lo, hi, d := starts[i], ends[i], s[k]
		if lo < 0 {
			lo += d
		}
		if hi < 0 {
			hi += d
		}
		n := 0
		switch {
		case step == 0:
			return nil, fmt.Errorf("step of axis %d is 0", a)
		case step > 0:
			lo, hi = min(max(lo, 0), d), min(max(hi, 0), d)
			if hi > lo {
				n = 1 + (hi-lo-1)/step
			}
		default:
			lo, hi = min(max(lo, 0), d-1), min(max(hi, -1), d-1)
			if lo > hi {
				n = 1 + (lo-hi-1)/-step
			}
		}
		r.count[k] = n
		if n > 0 {
			r.start += lo * r.stride[k]
		}
		if n > 1 {
			r.stride[k] *= step
		}
	}
	return r, nil
}

// take copies the elements of src that r selects to dst.
func (r *ranges) take(c *graph.RunCtx, dst, src *tensor.Tensor) {
	copyStrided(c.Pool, dst, src, walk{ext: r.count, ds: strides(r.count), ss: r.stride, so: r.start})
}

// addBack is the gradient by like, in ONNX's own operators, of a data movement: the elements of dY added up at the positions that
// move takes them from.
func addBack(b *graph.Builder, dy, like graph.Value, move func(index graph.Value) graph.Value) graph.Value {
	shape := b.Add(Shape, nil, like)
	size := b.Add(Size, nil, like)
	zero, one := b.Const(tensor.Scalar(int64(0))), b.Const(tensor.Scalar(int64(1)))
	index := inShape(b, b.Add(Range, nil, zero, size, one), shape)
	at := b.Add(Reshape, nil, move(index), b.Ints(-1))
	zeros := b.Add(ConstantOfShape, &constantOfShapeAttrs{Value: floatScalar(b.DType(dy), 0).Reshape(1)},
		b.Add(Reshape, nil, size, b.Ints(1)))
	sum := b.Add(ScatterElements, &scatterAttrs{Axis: 0, Reduction: "add"}, zeros, at, b.Add(Reshape, nil, dy, b.Ints(-1)))
	return inShape(b, sum, shape)
}
