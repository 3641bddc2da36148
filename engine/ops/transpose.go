package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
)

// Transpose permutes the axes: axis i of the result is axis perm[i] of data. Without perm the axes are reversed.
//
// Source: https://onnx.ai/onnx/operators/onnx__Transpose.html
var Transpose = new(graph.Spec)

type transposeAttrs struct {
	Perm []int `onnx:"perm"`
}

// Perm are the attributes of a Transpose.
func Perm(axes ...int) any { return &transposeAttrs{Perm: axes} }

// Turns reports whether n, a Transpose, exchanges the axes of a matrix.
func Turns(n *graph.Node) bool {
	p := n.Attrs.(*transposeAttrs).Perm
	return p == nil || len(p) == 2 && p[0] == 1
}

func init() {
	define(Transpose, graph.Def[transposeAttrs]{
		Name: "Transpose", Role: graph.View, Since: []int{1, 13, 21, 23, 24, 25},
		Doc: "https://onnx.ai/onnx/operators/onnx__Transpose.html",
		In:  []graph.Formal{{Name: "data"}}, Out: []graph.Formal{{Name: "transposed"}},
		Infer: func(a *transposeAttrs, c *graph.InferCtx) error {
			s := c.Shape(0)
			perm, err := a.perm(len(s))
			if err != nil {
				return err
			}
			out := make([]int, len(s))
			for i, k := range perm {
				out[i] = s[k]
			}
			c.Out(0, out...)
			return nil
		},
		Run: func(a *transposeAttrs, c *graph.RunCtx) error {
			in, out := c.In[0].Shape(), c.Out[0].Shape()
			perm, err := a.perm(len(in))
			if err != nil {
				return err
			}
			if r := len(perm); r > 1 && perm[r-1] != r-1 && permute(c, perm) {
				return nil
			}
			st := strides(in)
			ss := make([]int, len(in))
			for i, k := range perm {
				ss[i] = st[k]
			}
			copyStrided(c.Pool, c.Out[0], c.In[0], walk{ext: out, ds: strides(out), ss: ss})
			return nil
		},
		Grad: func(a *transposeAttrs, b *graph.Builder, _ *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			var inverse []int
			if a.Perm != nil {
				if _, err := a.perm(len(a.Perm)); err != nil {
					return nil, err
				}
				inverse = make([]int, len(a.Perm))
				for i, k := range a.Perm {
					inverse[k] = i
				}
			}
			return []graph.Value{b.Add(Transpose, &transposeAttrs{Perm: inverse}, dy[0])}, nil
		},
	})
}

// permute exchanges axes in tiles, which pays when the last one moves. It reports false for types that it leaves alone.
func permute(c *graph.RunCtx, perm []int) bool {
	out, in := c.Out[0], c.In[0]
	switch in.DType().Bits() {
	case 8:
		kernel.Permute(c.Pool, cells[uint8](out), cells[uint8](in), in.Shape(), perm)
	case 16:
		kernel.Permute(c.Pool, cells[uint16](out), cells[uint16](in), in.Shape(), perm)
	case 32:
		kernel.Permute(c.Pool, cells[uint32](out), cells[uint32](in), in.Shape(), perm)
	case 64:
		kernel.Permute(c.Pool, cells[uint64](out), cells[uint64](in), in.Shape(), perm)
	default:
		return false
	}
	return true
}

// perm is the permutation for rank r.
func (a *transposeAttrs) perm(r int) ([]int, error) {
	if a.Perm == nil {
		p := make([]int, r)
		for i := range p {
			p[i] = r - 1 - i
		}
		return p, nil
	}
	seen := make([]bool, r)
	for _, k := range a.Perm {
		if k < 0 || k >= r || seen[k] {
			return nil, fmt.Errorf("perm %v is no permutation of %d axes", a.Perm, r)
		}
		seen[k] = true
	}
	if len(a.Perm) != r {
		return nil, fmt.Errorf("perm %v is no permutation of %d axes", a.Perm, r)
	}
	return a.Perm, nil
}
