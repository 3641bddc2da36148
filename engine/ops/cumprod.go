package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// CumProd is the product of the elements up to each along an axis: without the element itself with exclusive, from the end with reverse.
// Its gradient does not divide, so that it is right where elements are 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__CumProd.html
var CumProd = new(graph.Spec)

// CumLinear is y[t] = b[t] + a[t]·y[t-1] along an axis, 0 before the first, or with reverse from the end. Inputs a and b, of one shape, and
// the axis.
var CumLinear = new(graph.Spec)

// ShiftAlong is y[t] = x[t-1] along an axis, 0 at the first, or with reverse x[t+1]. Inputs x and the axis.
var ShiftAlong = new(graph.Spec)

type cumProdAttrs struct {
	Exclusive bool `onnx:"exclusive,default=0"`
	Reverse   bool `onnx:"reverse,default=0"`
}

type alongAttrs struct {
	Reverse bool `onnx:"reverse,default=0"`
}

func init() {
	doc := "https://onnx.ai/onnx/operators/onnx__CumProd.html"
	at := graph.Formal{Name: "axis", NoGrad: true, Types: indexes}
	define(CumProd, graph.Def[cumProdAttrs]{
		Name: "CumProd", Since: []int{26}, Doc: doc,
		In: []graph.Formal{{Name: "x", Types: numeric}, at}, Out: []graph.Formal{{Name: "y"}},
		InPlace: [][2]int{{0, 0}}, Infer: sameShape[cumProdAttrs],
		Run: func(a *cumProdAttrs, c *graph.RunCtx) error {
			switch x := c.In[0]; x.DType() {
			case tensor.Float32:
				return cumProd[float32](a, c)
			case tensor.Float64:
				return cumProd[float64](a, c)
			case tensor.Int8:
				return cumProd[int8](a, c)
			case tensor.Int16:
				return cumProd[int16](a, c)
			case tensor.Int32:
				return cumProd[int32](a, c)
			case tensor.Int64:
				return cumProd[int64](a, c)
			case tensor.Uint8:
				return cumProd[uint8](a, c)
			case tensor.Uint16:
				return cumProd[uint16](a, c)
			case tensor.Uint32:
				return cumProd[uint32](a, c)
			case tensor.Uint64:
				return cumProd[uint64](a, c)
			default:
				return errType(x)
			}
		},
		// dx[i] = Π x[k<i] · Σ dy[j≥i] Π x[i<k≤j], and for exclusive products dy is that of the next.
		Grad: func(a *cumProdAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			back := &alongAttrs{Reverse: !a.Reverse}
			next := func(v graph.Value) graph.Value { return b.Add(ShiftAlong, back, v, n.In[1]) }
			d := dy[0]
			if a.Exclusive {
				d = next(d)
			}
			before := b.Add(CumProd, &cumProdAttrs{Exclusive: true, Reverse: a.Reverse}, n.In[0], n.In[1])
			return only(n, 0, mul(b, before, b.Add(CumLinear, back, next(n.In[0]), d, n.In[1]))), nil
		},
	})
	define(CumLinear, graph.Def[alongAttrs]{
		Domain: Private, Name: "CumLinear", Since: []int{1}, Doc: doc,
		In:  []graph.Formal{{Name: "a", Types: floats}, {Name: "b", Types: floats}, at},
		Out: []graph.Formal{{Name: "y"}}, InPlace: [][2]int{{1, 0}, {0, 0}},
		Infer: func(_ *alongAttrs, c *graph.InferCtx) error {
			if !c.Shape(0).Equal(c.Shape(1)) {
				return fmt.Errorf("a and b have shapes %v and %v", c.Shape(0), c.Shape(1))
			}
			c.Out(0, c.Shape(0)...)
			return nil
		},
		Run: func(a *alongAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return cumLinear[float64](a, c)
			}
			return cumLinear[float32](a, c)
		},
		Grad: func(a *alongAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			back := &alongAttrs{Reverse: !a.Reverse}
			g := b.Add(CumLinear, back, b.Add(ShiftAlong, back, n.In[0], n.In[2]), dy[0], n.In[2])
			return []graph.Value{mul(b, g, b.Add(ShiftAlong, a, n.Out[0], n.In[2])), g, 0}, nil
		},
		Lower: lowerCumLinear,
	})
	define(ShiftAlong, graph.Def[alongAttrs]{
		Domain: Private, Name: "ShiftAlong", Since: []int{1}, Doc: doc,
		In: []graph.Formal{{Name: "x"}, at}, Out: []graph.Formal{{Name: "y"}}, Infer: sameShape[alongAttrs],
		Run: func(a *alongAttrs, c *graph.RunCtx) error {
			outer, n, inner, err := along(c, 1)
			if err != nil {
				return err
			}
			fill(c.Out[0], nil)
			w := walk{ext: []int{outer, max(0, n-1), inner}, ds: []int{n * inner, inner, 1}, ss: []int{n * inner, inner, 1}, do: inner}
			if a.Reverse {
				w.do, w.so = 0, inner
			}
			copyStrided(c.Pool, c.Out[0], c.In[0], w)
			return nil
		},
		Grad: func(a *alongAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(ShiftAlong, &alongAttrs{Reverse: !a.Reverse}, dy[0], n.In[1]), 0}, nil
		},
		Lower: func(a *alongAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			pads := b.Ints(1, -1)
			if a.Reverse {
				pads = b.Ints(-1, 1)
			}
			axes := b.Add(Reshape, nil, b.Add(Cast, CastTo(tensor.Int64), n.In[1]), b.Ints(1))
			return []graph.Value{b.Add(Pad, nil, n.In[0], pads, 0, axes)}, nil
		},
	})
}

// along splits the shape of input 0 at the axis that input i names.
func along(c *graph.RunCtx, i int) (outer, n, inner int, err error) {
	at, err := graph.IntsOf(c.In[i])
	if err != nil {
		return 0, 0, 0, err
	}
	if len(at) != 1 {
		return 0, 0, 0, fmt.Errorf("axis has %d elements, want one", len(at))
	}
	s := c.In[0].Shape()
	k, err := axis(at[0], len(s))
	if err != nil {
		return 0, 0, 0, err
	}
	outer, n, inner = around(s, k)
	return outer, n, inner, nil
}

func cumProd[T interface {
	kernel.Number
	tensor.Elem
}](a *cumProdAttrs, c *graph.RunCtx) error {
	outer, n, inner, err := along(c, 1)
	if err != nil {
		return err
	}
	x, y := tensor.Data[T](c.In[0]), tensor.Data[T](c.Out[0])
	lines(c, outer, n, inner, a.Reverse, func(at, step int) {
		p := T(1)
		for range n {
			v := x[at]
			if a.Exclusive {
				y[at] = p
			} else {
				y[at] = p * v
			}
			p *= v
			at += step
		}
	})
	return nil
}

func cumLinear[T float32 | float64](a *alongAttrs, c *graph.RunCtx) error {
	outer, n, inner, err := along(c, 2)
	if err != nil {
		return err
	}
	f, g, y := tensor.Data[T](c.In[0]), tensor.Data[T](c.In[1]), tensor.Data[T](c.Out[0])
	lines(c, outer, n, inner, a.Reverse, func(at, step int) {
		s := T(0)
		for range n {
			s = g[at] + f[at]*s
			y[at] = s
			at += step
		}
	})
	return nil
}

// lines calls f for each line along the middle axis: its first element and the step to the next, from the end when reversed.
func lines(c *graph.RunCtx, outer, n, inner int, reverse bool, f func(at, step int)) {
	c.Pool.For(outer*inner, max(1, 1<<14/max(1, n)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			at, step := i/inner*n*inner+i%inner, inner
			if reverse {
				at, step = at+(n-1)*inner, -inner
			}
			f(at, step)
		}
	})
}

// lowerCumLinear is Σ b[j≤t] Π a[j<k≤t], with one more axis for j beside that of k and t: ONNX has no such operator.
func lowerCumLinear(a *alongAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	in := b.G.Info(n.In[2])
	if in.Data == nil || in.Data.Len() != 1 {
		return nil, fmt.Errorf("its axis is known only at run time: %w", graph.ErrNoGradient)
	}
	at, err := graph.IntsOf(in.Data)
	if err != nil {
		return nil, err
	}
	// Of the two axes j is the first. Counted from the front they are k and k+1, from the end k-1 and k.
	k := at[0]
	j, t := k, k+1
	if k < 0 {
		j, t = k-1, k
	}
	d := b.DType(n.In[0])
	number := func(x float64) graph.Value { return b.Scalar(d, x) }
	one := b.Add(Expand, nil, number(1), b.Add(Shape, nil, n.In[0]))
	place := b.Add(CumSum, &cumSumAttrs{Reverse: a.Reverse}, one, n.In[2]) // 1, 2, … in the order of the sum
	across := func(v graph.Value) graph.Value { return b.Add(Unsqueeze, nil, v, b.Ints(t)) }
	down := func(v graph.Value) graph.Value { return b.Add(Unsqueeze, nil, v, b.Ints(j)) }
	factors := b.Add(Where, nil, b.Add(Greater, nil, down(place), across(place)), down(n.In[0]), number(1))
	product := b.Add(CumProd, &cumProdAttrs{Reverse: a.Reverse}, factors, b.Const(tensor.Scalar(int64(t))))
	terms := b.Add(Where, nil, b.Add(GreaterOrEqual, nil, down(place), across(place)), mul(b, product, across(n.In[1])), number(0))
	return []graph.Value{b.Add(ReduceSum, KeepDims(false), terms, b.Ints(j))}, nil
}
