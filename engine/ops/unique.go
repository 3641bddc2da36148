package ops

import (
	"cmp"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Unique has each of the slices of X along an axis once, or without one each of its elements: in ascending order, slices like words, or
// with sorted=0 in the order in which they appear. It also tells where each appears first, which of them each slice of X is, and how often
// each appears. NaNs are alike and come last; complex numbers are ordered by their real, then by their imaginary part.
//
// Source: https://onnx.ai/onnx/operators/onnx__Unique.html
var Unique = new(graph.Spec)

type uniqueAttrs struct {
	Axis   *int `onnx:"axis"`
	Sorted bool `onnx:"sorted,default=1"`
}

func init() {
	define(Unique, graph.Def[uniqueAttrs]{
		Name: "Unique", Since: []int{11}, Doc: "https://onnx.ai/onnx/operators/onnx__Unique.html",
		In: []graph.Formal{{Name: "X", NoGrad: true, Types: movable}},
		Out: []graph.Formal{{Name: "Y"}, {Name: "indices", Optional: true}, {Name: "inverse_indices", Optional: true},
			{Name: "counts", Optional: true}},
		Types: func(_ *uniqueAttrs, in, out []tensor.DType) error {
			for i := range out {
				out[i] = tensor.Int64
			}
			out[0] = in[0]
			return nil
		},
		Infer: func(*uniqueAttrs, *graph.InferCtx) error { return graph.ErrAtRun },
		Run:   runUnique,
	})
	followRules["Unique"] = (*follower).refuse
}

func runUnique(a *uniqueAttrs, c *graph.RunCtx) error {
	x := c.In[0]
	s, at := tensor.Shape{x.Len()}, 0
	if a.Axis != nil {
		var err error
		s = slices.Clone(x.Shape())
		if at, err = axis(*a.Axis, len(s)); err != nil {
			return err
		}
	}
	outer, n, inner := around(s, at)
	compare := comparer(x)
	rows := func(p, q int) int { // compares two slices
		for o := range outer {
			for i := range inner {
				if r := compare((o*n+p)*inner+i, (o*n+q)*inner+i); r != 0 {
					return r
				}
			}
		}
		return 0
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, rows)
	var groups [][]int // of equal slices, each in ascending order of places
	for i, p := range order {
		if i == 0 || rows(order[i-1], p) != 0 {
			groups = append(groups, order[i:i:len(order)])
		}
		k := len(groups) - 1
		groups[k] = groups[k][:len(groups[k])+1]
	}
	if !a.Sorted {
		slices.SortFunc(groups, func(p, q []int) int { return p[0] - q[0] })
	}
	s[at] = len(groups)
	y, err := c.Alloc(0, x.DType(), s...)
	if err != nil {
		return err
	}
	from := make([]int, 0, outer*len(groups))
	for o := range outer {
		for _, g := range groups {
			from = append(from, (o*n+g[0])*inner)
		}
	}
	takeBlocks(c.Pool, y, x, from, inner)
	first, inverse, counts := make([]int64, len(groups)), make([]int64, n), make([]int64, len(groups))
	for k, g := range groups {
		first[k], counts[k] = int64(g[0]), int64(len(g))
		for _, p := range g {
			inverse[p] = int64(k)
		}
	}
	for i, list := range [][]int64{first, inverse, counts} {
		if c.Want(i + 1) {
			c.SetOut(i+1, tensor.From(list, len(list)))
		}
	}
	return nil
}

// comparer compares two elements of t by their places.
func comparer(t *tensor.Tensor) func(p, q int) int {
	switch t.DType() {
	case tensor.Float32:
		return floatComparer(t.F32())
	case tensor.Float64:
		return floatComparer(tensor.Data[float64](t))
	case tensor.Int8:
		return ordered(tensor.Data[int8](t))
	case tensor.Int16:
		return ordered(tensor.Data[int16](t))
	case tensor.Int32:
		return ordered(tensor.Data[int32](t))
	case tensor.Int64:
		return ordered(t.I64())
	case tensor.Uint16:
		return ordered(tensor.Data[uint16](t))
	case tensor.Uint32:
		return ordered(tensor.Data[uint32](t))
	case tensor.Uint64:
		return ordered(tensor.Data[uint64](t))
	case tensor.String:
		return ordered(t.Strings())
	case tensor.Complex64:
		return complexComparer(pairs[float32](t, tensor.Float32))
	case tensor.Complex128:
		return complexComparer(pairs[float64](t, tensor.Float64))
	}
	return ordered(t.Bytes()) // bytes and truth values
}

func ordered[T cmp.Ordered](x []T) func(p, q int) int {
	return func(p, q int) int { return cmp.Compare(x[p], x[q]) }
}

func floatComparer[T float32 | float64](x []T) func(p, q int) int {
	return func(p, q int) int { return compareFloat(x[p], x[q]) }
}

// compareFloat orders numbers before NaNs, which are alike.
func compareFloat[T float32 | float64](a, b T) int {
	switch {
	case a != a && b != b:
		return 0
	case a != a:
		return 1
	case b != b:
		return -1
	}
	return cmp.Compare(a, b)
}

// complexComparer compares complex numbers that are given as pairs.
func complexComparer[T float32 | float64](x []T) func(p, q int) int {
	return func(p, q int) int { return cmp.Or(compareFloat(x[2*p], x[2*q]), compareFloat(x[2*p+1], x[2*q+1])) }
}

// pairs is the storage of complex numbers as twice as many of type d.
func pairs[T tensor.Elem](t *tensor.Tensor, d tensor.DType) []T {
	u, err := tensor.FromBytes(d, tensor.Shape{t.Len(), 2}, t.Bytes())
	if err != nil {
		panic(err)
	}
	return tensor.Data[T](u)
}
