package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Rows says where the examples of a batch lie in a value: along an axis, which has one index for each or Several. Those of one example are
// next to each other, or with Inner each is next to the same of the next example. The zero Rows is one index of axis 0 for each.
type Rows struct {
	Axis    int
	Several bool
	Inner   bool
}

// RowsOf reads where the n examples lie from the coordinate that says which example each element comes from; ok is false when they lie
// otherwise, or are not known.
func RowsOf(c Coord, n int) (r Rows, ok bool) {
	at := -1
	for a, d := range c.Shape {
		if d > 1 {
			if at >= 0 {
				return r, false
			}
			at = a
		}
	}
	if at < 0 || len(c.X)%n != 0 {
		return r, false
	}
	each := len(c.X) / n
	outer, inner := true, true
	for i, x := range c.X {
		outer = outer && sameCoord(x, float32(i/each))
		inner = inner && sameCoord(x, float32(i%n))
	}
	return Rows{Axis: at, Several: each > 1, Inner: inner && !outer}, outer || inner
}

// CountAlong is the coordinate 0, 1, 2 … up to n along one axis of a value of the given rank.
func CountAlong(rank, axis, n int) Coord {
	s := slices.Repeat(tensor.Shape{1}, rank)
	s[axis] = n
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i)
	}
	return Coord{Shape: s, X: x}
}

// ExamplesFirst puts the examples of X, which lie as the attributes say, in front: [N, shape of one example], where the axis that they lay
// along remains, with what is left of its extent. like has the examples along its axis like_axis.
var ExamplesFirst = new(graph.Spec)

type examplesFirstAttrs struct {
	Axis     int  `onnx:"axis,default=0"`
	Inner    bool `onnx:"inner,default=0"`
	LikeAxis int  `onnx:"like_axis,default=0"`
}

// InFront adds ExamplesFirst.
func InFront(b *graph.Builder, x graph.Value, r Rows, like graph.Value, likeAxis int) graph.Value {
	return b.Add(ExamplesFirst, &examplesFirstAttrs{Axis: r.Axis, Inner: r.Inner, LikeAxis: likeAxis}, x, like)
}

func init() {
	define(ExamplesFirst, graph.Def[examplesFirstAttrs]{
		Domain: Private, Name: "ExamplesFirst", Since: []int{1}, Doc: "examples as the first axis",
		In: []graph.Formal{{Name: "X"}, {Name: "like", NoGrad: true}}, Out: []graph.Formal{{Name: "Y"}},
		Infer: func(a *examplesFirstAttrs, c *graph.InferCtx) error {
			s, like := c.Shape(0), c.Shape(1)
			if a.Axis >= len(s) || a.LikeAxis >= len(like) {
				return fmt.Errorf("shapes %v and %v have no axes %d and %d", s, like, a.Axis, a.LikeAxis)
			}
			n := like[a.LikeAxis]
			if n == 0 || s[a.Axis]%n != 0 {
				return fmt.Errorf("axis %d of shape %v does not hold %d examples: %w", a.Axis, s, n, graph.ErrNoGradient)
			}
			out := append(tensor.Shape{n}, s...)
			out[a.Axis+1] /= n
			c.Out(0, out...)
			return nil
		},
		Run: func(a *examplesFirstAttrs, c *graph.RunCtx) error {
			out := c.Out[0].Shape()
			st := strides(c.In[0].Shape())
			along, each := st[a.Axis], out[a.Axis+1]
			if a.Inner {
				st[a.Axis] *= out[0]
			} else {
				along *= each
			}
			copyStrided(c.Pool, c.Out[0], c.In[0], walk{ext: out, ds: strides(out), ss: slices.Concat([]int{along}, st)})
			return nil
		},
	})
}

// ExampleAxis is the axis along which n has the examples in its first input.
func ExampleAxis(n *graph.Node) int {
	if a, ok := n.Attrs.(*recurrentAttrs); ok && a.Layout == 0 {
		return 1
	}
	return 0
}

// exampleSides are the inputs of the operators of per-example rules that have the examples as their first axis, and may have more axes
// behind it.
var exampleSides = map[*graph.Spec][]int{
	LinearPerExample: {0, 1}, LinearPerExampleNorm2: {0, 1}, PerExampleSumLike: {0}, GatherPerExample: {0, 1},
	GatherPerExampleNorm2: {0, 1},
}

// ExampleSides are the inputs of n, which a per-example rule added, that must have the examples as their first axis; ok is false for an
// operator that reads them where they are.
func ExampleSides(n *graph.Node) (at []int, ok bool) {
	at, ok = exampleSides[n.Op]
	return at, ok
}

// ReadsRows reports whether op, of a per-example rule, reads its inputs example by example, so that they must lie where it looks.
func ReadsRows(op *graph.Spec) bool {
	switch op {
	case ConvPerExample, ConvPerExampleNorm2, PerExampleChannelSum, Columns:
		return true
	}
	return exampleSides[op] != nil
}
