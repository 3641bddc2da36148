package ops

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// reduceAttrs are the attributes of the Reduce operators that take the axes as an input.
type reduceAttrs struct {
	KeepDims  bool `onnx:"keepdims,default=1"`
	NoopEmpty bool `onnx:"noop_with_empty_axes,default=0"`
}

// reduceOldAttrs are those of the versions that have the axes as an attribute.
type reduceOldAttrs struct {
	Axes     []int `onnx:"axes"`
	KeepDims bool  `onnx:"keepdims,default=1"`
}

// ReduceAxes are the axes that n, a Reduce operator, ArgMax or ArgMin, works along, as in the file; none where the file gives none. given
// is its input of axes, nil where that is not known; ok is false when it must be.
func ReduceAxes(n *graph.Node, given *tensor.Tensor) (axes []int, ok bool) {
	switch a := n.Attrs.(type) {
	case *reduceOldAttrs:
		return a.Axes, true
	case *argAttrs:
		return []int{a.Axis}, true
	case *reduceAttrs:
		if n.NumIn < 2 || n.In[1] == 0 {
			return nil, true
		}
		if given == nil {
			return nil, false
		}
		axes, err := graph.IntsOf(given)
		return axes, err == nil
	}
	return nil, false
}

// KeepDims are the attributes of a Reduce operator that takes the axes as an input.
func KeepDims(keep bool) any { return &reduceAttrs{KeepDims: keep} }

// reduction describes a Reduce operator, which defineReduce completes.
type reduction struct {
	name  string
	since []int // versions with the axes as an input
	old   []int // versions with the axes as an attribute
	kind  kernel.Reduction
	types []tensor.DType // nil: numeric
	// grad is the gradient by X, given X, Y and dY.
	grad func(r reduceNode, x, y, dy graph.Value) graph.Value
}

// reduceNode is a Reduce node whose gradient is being made.
type reduceNode struct {
	*graph.Builder
	x, axes graph.Value // axes is 0 when the attributes have them
	attrs   reduceBackAttrs
}

// back repeats y along the axes that the node reduces.
func (r reduceNode) back(y graph.Value) graph.Value { return r.spread(y, r.attrs) }

// spread is back, with the attributes a.
func (r reduceNode) spread(y graph.Value, a reduceBackAttrs) graph.Value {
	in := []graph.Value{y, r.x}
	if r.axes != 0 {
		in = append(in, r.axes)
	}
	return r.Add(ReduceBack, &a, in...)
}

// reduce is x reduced by op along the same axes.
func (r reduceNode) reduce(op *graph.Spec, x graph.Value) graph.Value {
	in := []graph.Value{x}
	switch {
	case r.axes != 0:
		in = append(in, r.axes)
	case len(r.attrs.Axes) > 0:
		in = append(in, r.Ints(r.attrs.Axes...))
	}
	return r.Add(op, &reduceAttrs{KeepDims: r.attrs.KeepDims, NoopEmpty: r.attrs.NoopEmpty}, in...)
}

// ReduceBack is a reduced value, repeated along the axes that were reduced and, with mean, divided by how often: inputs the value, X and
// the axes. Its output has X's shape.
var ReduceBack = new(graph.Spec)

type reduceBackAttrs struct {
	Axes      []int `onnx:"axes"`
	KeepDims  bool  `onnx:"keepdims,default=1"`
	NoopEmpty bool  `onnx:"noop_with_empty_axes,default=0"`
	Mean      bool  `onnx:"mean,default=0"`
}

func init() {
	define(ReduceBack, graph.Def[reduceBackAttrs]{
		Domain: Private, Name: "ReduceBack", Since: []int{1}, Doc: "gradient of ReduceSum",
		In: []graph.Formal{{Name: "Y", Types: floats}, {Name: "like", NoGrad: true, Shape: true},
			{Name: "axes", Optional: true, NoGrad: true, Types: int64s}},
		Out: []graph.Formal{{Name: "X"}}, InPlace: [][2]int{{0, 0}},
		Infer: func(a *reduceBackAttrs, c *graph.InferCtx) error {
			axes := a.Axes
			if c.Has(2) {
				var err error
				if axes, err = c.Ints(2); err != nil {
					return err
				}
			}
			if _, _, err := reducedShape(c.Shape(1), axes, true, a.NoopEmpty); err != nil {
				return err
			}
			c.Out(0, c.Shape(1)...)
			return nil
		},
		Run: func(a *reduceBackAttrs, c *graph.RunCtx) error {
			axes := a.Axes
			if c.Has(2) {
				var err error
				if axes, err = graph.IntsOf(c.In[2]); err != nil {
					return err
				}
			}
			_, full, err := reducedShape(c.In[1].Shape(), axes, true, a.NoopEmpty)
			if err != nil {
				return err
			}
			if c.In[0].Len() == c.Out[0].Len() {
				copy(c.Out[0].Bytes(), c.In[0].Bytes())
				return nil
			}
			s := c.Out[0].Shape()
			copyStrided(c.Pool, c.Out[0], c.In[0], walk{ext: s, ds: strides(s), ss: expandStrides(full, s)})
			if !a.Mean {
				return nil
			}
			k := float64(c.In[0].Len()) / float64(c.Out[0].Len())
			if c.Out[0].DType() == tensor.Float64 {
				y := tensor.Data[float64](c.Out[0])
				kernel.Map(c.Pool, y, y, func(x float64) float64 { return x * k })
				return nil
			}
			kernel.MulScalarF32(c.Pool, c.Out[0].F32(), c.Out[0].F32(), float32(k))
			return nil
		},
		Grad: func(a *reduceBackAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			r := reduceNode{Builder: b, x: n.In[1], attrs: *a}
			if n.NumIn > 2 {
				r.axes = n.In[2]
			}
			op := ReduceSum
			if a.Mean {
				op = ReduceMean
			}
			return only(n, 0, r.reduce(op, dy[0])), nil
		},
		Lower: func(a *reduceBackAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			y, axes := n.In[0], input(n, 2)
			if axes == 0 && len(a.Axes) > 0 {
				axes = b.Ints(a.Axes...)
			}
			if axes != 0 && !a.KeepDims {
				y = b.Add(Unsqueeze, nil, y, axes)
			}
			y = b.Add(Expand, nil, y, b.Add(Shape, nil, n.In[1]))
			if a.Mean {
				count := func(v graph.Value) graph.Value { return b.Add(Cast, CastTo(b.DType(y)), b.Add(Size, nil, v)) }
				y = mul(b, y, div(b, count(n.In[0]), count(n.In[1])))
			}
			return []graph.Value{y}, nil
		},
	})
}

// reducedShape is the shape that is left of s, and the same with the reduced axes as 1. No axes mean all, or none with noop.
func reducedShape(s tensor.Shape, axes []int, keep, noop bool) (out, full tensor.Shape, err error) {
	list, err := reducedAxes(s, axes, noop)
	if err != nil {
		return nil, nil, err
	}
	full = slices.Clone(s)
	out = tensor.Shape{}
	reduced := make([]bool, len(s))
	for _, k := range list {
		reduced[k] = true
	}
	for i := range s {
		if reduced[i] {
			full[i] = 1
			if !keep {
				continue
			}
		}
		out = append(out, full[i])
	}
	return out, full, nil
}

// reducedAxes are the axes to reduce of a value of shape s, each once.
func reducedAxes(s tensor.Shape, axes []int, noop bool) ([]int, error) {
	if len(axes) == 0 {
		if noop {
			return nil, nil
		}
		list := make([]int, len(s))
		for i := range list {
			list[i] = i
		}
		return list, nil
	}
	list, met := make([]int, 0, len(axes)), make([]bool, len(s))
	for _, a := range axes {
		k, err := axis(a, len(s))
		if err != nil {
			return nil, err
		}
		if !met[k] {
			list, met[k] = append(list, k), true
		}
	}
	return list, nil
}

// defineReduce defines the operator of d, in s.
func defineReduce(s *graph.Spec, d reduction) {
	if d.types == nil {
		d.types = numeric
	}
	doc := "https://onnx.ai/onnx/operators/onnx__" + d.name + ".html"
	data, out := graph.Formal{Name: "data", Types: d.types}, []graph.Formal{{Name: "reduced"}}
	define(s, graph.Def[reduceAttrs]{
		Name: d.name, Role: graph.Reduction, Since: d.since, Doc: doc,
		In: []graph.Formal{data, {Name: "axes", Optional: true, NoGrad: true, Types: int64s}}, Out: out,
		Infer: func(a *reduceAttrs, c *graph.InferCtx) error {
			var axes []int
			if c.Has(1) {
				var err error
				if axes, err = c.Ints(1); err != nil {
					return err
				}
			}
			return inferReduce(c, axes, a.KeepDims, a.NoopEmpty)
		},
		Run: func(a *reduceAttrs, c *graph.RunCtx) error {
			var axes []int
			if c.Has(1) {
				var err error
				if axes, err = graph.IntsOf(c.In[1]); err != nil {
					return err
				}
			}
			return runReduce(d.kind, c, axes, a.NoopEmpty)
		},
		Grad: func(a *reduceAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			r := reduceNode{Builder: b, x: n.In[0], attrs: reduceBackAttrs{KeepDims: a.KeepDims, NoopEmpty: a.NoopEmpty}}
			if n.NumIn > 1 {
				r.axes = n.In[1]
			}
			return only(n, 0, d.grad(r, n.In[0], n.Out[0], dy[0])), nil
		},
	})
	define(new(graph.Spec), graph.Def[reduceOldAttrs]{
		Name: d.name, Role: graph.Reduction, Since: d.old, Doc: doc, In: []graph.Formal{data}, Out: out,
		Infer: func(a *reduceOldAttrs, c *graph.InferCtx) error { return inferReduce(c, a.Axes, a.KeepDims, false) },
		Run:   func(a *reduceOldAttrs, c *graph.RunCtx) error { return runReduce(d.kind, c, a.Axes, false) },
		Grad: func(a *reduceOldAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			r := reduceNode{Builder: b, x: n.In[0], attrs: reduceBackAttrs{Axes: a.Axes, KeepDims: a.KeepDims}}
			return only(n, 0, d.grad(r, n.In[0], n.Out[0], dy[0])), nil
		},
	})
}

func inferReduce(c *graph.InferCtx, axes []int, keep, noop bool) error {
	out, _, err := reducedShape(c.Shape(0), axes, keep, noop)
	if err != nil {
		return err
	}
	c.Out(0, out...)
	return nil
}

func runReduce(k kernel.Reduction, c *graph.RunCtx, axes []int, noop bool) error {
	list, err := reducedAxes(c.In[0].Shape(), axes, noop)
	if err != nil {
		return err
	}
	return reduceInto(k, c, c.Out[0], c.In[0], list)
}

// reduceInto is out = x reduced over axes.
func reduceInto(k kernel.Reduction, c *graph.RunCtx, out, x *tensor.Tensor, axes []int) error {
	switch x.DType() {
	case tensor.Float32:
		reduceAs[float32](k, c, out, x, axes)
	case tensor.Float64:
		reduceAs[float64](k, c, out, x, axes)
	case tensor.Int8:
		reduceAs[int8](k, c, out, x, axes)
	case tensor.Int16:
		reduceAs[int16](k, c, out, x, axes)
	case tensor.Int32:
		reduceAs[int32](k, c, out, x, axes)
	case tensor.Int64:
		reduceAs[int64](k, c, out, x, axes)
	case tensor.Uint8:
		reduceAs[uint8](k, c, out, x, axes)
	case tensor.Uint16:
		reduceAs[uint16](k, c, out, x, axes)
	case tensor.Uint32:
		reduceAs[uint32](k, c, out, x, axes)
	case tensor.Uint64:
		reduceAs[uint64](k, c, out, x, axes)
	case tensor.Bool:
		// As bytes 0 and 1; the minimum of nothing is all ones.
		y := bitsOf[uint8](out, tensor.Uint8)
		kernel.Reduce(c.Pool, k, y, bitsOf[uint8](x, tensor.Uint8), x.Shape(), axes)
		for i := range y {
			y[i] &= 1
		}
	default:
		return errType(x)
	}
	return nil
}

func reduceAs[T interface {
	kernel.Number
	tensor.Elem
}](k kernel.Reduction, c *graph.RunCtx, out, x *tensor.Tensor, axes []int) {
	kernel.Reduce(c.Pool, k, tensor.Data[T](out), tensor.Data[T](x), x.Shape(), axes)
}
