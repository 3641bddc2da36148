package ops

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// TopK is the K largest elements along an axis, or the smallest with largest=0, in order, and their indices; of equal elements the one
// with the lower index comes first. NaN counts as larger than anything.
//
// Source: https://onnx.ai/onnx/operators/onnx__TopK.html. With sorted=0, which leaves the order open, they are in order too.
var TopK = new(graph.Spec)

type topKAttrs struct {
	Axis    int  `onnx:"axis,default=-1"`
	Largest bool `onnx:"largest,default=1"`
	Sorted  bool `onnx:"sorted,default=1"`
}

type topKOldAttrs struct {
	Axis int `onnx:"axis,default=-1"`
	K    int `onnx:"k,required"`
}

func init() {
	x := graph.Formal{Name: "X", Types: numeric}
	out := []graph.Formal{{Name: "Values"}, {Name: "Indices", NoGrad: true}}
	doc := "https://onnx.ai/onnx/operators/onnx__TopK.html"
	define(TopK, graph.Def[topKAttrs]{
		Name: "TopK", Since: []int{10, 11, 24}, Doc: doc,
		In: []graph.Formal{x, {Name: "K", Types: int64s, NoGrad: true}}, Out: out, Types: topKTypes[topKAttrs],
		Infer: func(a *topKAttrs, c *graph.InferCtx) error {
			k, err := c.Ints(1)
			if err != nil {
				return err
			}
			if len(k) != 1 {
				return fmt.Errorf("input K has %d elements, want one", len(k))
			}
			return inferTopK(c, a.Axis, k[0])
		},
		Run: func(a *topKAttrs, c *graph.RunCtx) error { return runTopK(c, a.Axis, a.Largest) },
		Grad: func(a *topKAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, gradTopK(b, n, a.Axis, dy[0])), nil
		},
	})
	define(new(graph.Spec), graph.Def[topKOldAttrs]{
		Name: "TopK", Since: []int{1}, Doc: doc, In: []graph.Formal{x}, Out: out, Types: topKTypes[topKOldAttrs],
		Infer: func(a *topKOldAttrs, c *graph.InferCtx) error { return inferTopK(c, a.Axis, a.K) },
		Run:   func(a *topKOldAttrs, c *graph.RunCtx) error { return runTopK(c, a.Axis, true) },
		Grad: func(a *topKOldAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, gradTopK(b, n, a.Axis, dy[0])), nil
		},
	})
}

func topKTypes[A any](_ *A, in, out []tensor.DType) error {
	for i := range out {
		out[i] = []tensor.DType{in[0], tensor.Int64}[i]
	}
	return nil
}

func inferTopK(c *graph.InferCtx, at, k int) error {
	s := slices.Clone(c.Shape(0))
	i, err := axis(at, len(s))
	if err != nil {
		return err
	}
	if k < 0 || k > s[i] {
		return fmt.Errorf("input K is %d, axis %d of shape %v has %d elements", k, at, s, s[i])
	}
	s[i] = k
	c.Out(0, s...)
	c.Out(1, s...)
	return nil
}

// gradTopK puts dY back where the values came from.
func gradTopK(b *graph.Builder, n *graph.Node, at int, dy graph.Value) graph.Value {
	return b.Add(GatherElementsGrad, &gatherAttrs{Axis: at}, dy, b.ExtraOutput(n, 1), n.In[0])
}

func runTopK(c *graph.RunCtx, at int, largest bool) error {
	switch x := c.In[0]; x.DType() {
	case tensor.Float32:
		topK[float32](c, at, largest)
	case tensor.Float64:
		topK[float64](c, at, largest)
	case tensor.Int8:
		topK[int8](c, at, largest)
	case tensor.Int16:
		topK[int16](c, at, largest)
	case tensor.Int32:
		topK[int32](c, at, largest)
	case tensor.Int64:
		topK[int64](c, at, largest)
	case tensor.Uint8:
		topK[uint8](c, at, largest)
	case tensor.Uint16:
		topK[uint16](c, at, largest)
	case tensor.Uint32:
		topK[uint32](c, at, largest)
	case tensor.Uint64:
		topK[uint64](c, at, largest)
	default:
		return errType(x)
	}
	return nil
}

func topK[T interface {
	tensor.Elem
	cmp.Ordered
}](c *graph.RunCtx, at int, largest bool) {
	outer, n, inner := around(c.In[0].Shape(), at)
	s := c.In[0].Shape()
	i, _ := axis(at, len(s))
	var values []T
	var indices []int64
	k := 0
	if c.Want(0) {
		values, k = tensor.Data[T](c.Out[0]), c.Out[0].Dim(i)
	}
	if c.Want(1) {
		indices, k = c.Out[1].I64(), c.Out[1].Dim(i)
	}
	x := tensor.Data[T](c.In[0])
	c.Pool.For(outer*inner, max(1, 1<<12/max(n, 1)), func(lo, hi int) {
		order := make([]int, n)
		for l := lo; l < hi; l++ {
			base := l/inner*n*inner + l%inner
			for j := range order {
				order[j] = j
			}
			slices.SortFunc(order, func(p, q int) int {
				// cmp has NaN below anything.
				a, b := x[base+p*inner], x[base+q*inner]
				r := cmp.Compare(a, b)
				if a != a || b != b {
					r = -r
				}
				if largest {
					r = -r
				}
				return cmp.Or(r, p-q)
			})
			for j, p := range order[:k] {
				o := (l/inner*k+j)*inner + l%inner
				if values != nil {
					values[o] = x[base+p*inner]
				}
				if indices != nil {
					indices[o] = int64(p)
				}
			}
		}
	})
}
