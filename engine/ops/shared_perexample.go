package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// SharedNorm2 is the squared norm, for each example, [N], of the gradient of a matrix W [K,M] that several nodes use: the sum of what they
// contribute. Inputs W, then Left and Right of each use as in graph.PerExample, exchanged where W stands transposed: an embedding has its
// indices as Left. Computed from the products of all pairs of rows, or from the gradient itself, whichever is cheaper.
var SharedNorm2 = new(graph.Spec)

func init() {
	define(SharedNorm2, graph.Def[noAttrs]{
		Domain: Private, Name: "SharedNorm2", Since: []int{1}, Doc: "norm of the gradient of a shared weight",
		In:  []graph.Formal{{Name: "W", NoGrad: true}, {Name: "sides", Variadic: true, NoGrad: true}},
		Out: []graph.Formal{{Name: "norm2"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			shapes := make([]tensor.Shape, len(c.In))
			index := make([]bool, len(c.In))
			for i := range c.In {
				shapes[i], index[i] = c.Shape(i), !c.DType(i).IsFloat()
			}
			uses, err := sharedUses(shapes, index)
			if err != nil {
				return err
			}
			c.Out(0, uses[0].n)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return sharedNorm2[float64](c)
			}
			return sharedNorm2[float32](c)
		},
	})
}

// sharedUse are the extents of a use: n examples of t rows, of k numbers on the left and m on the right.
type sharedUse struct{ n, t, k, m int }

func sharedUses(s []tensor.Shape, index []bool) ([]sharedUse, error) {
	w := s[0]
	if len(w) != 2 || len(s) < 3 || len(s)%2 == 0 {
		return nil, fmt.Errorf("a weight of shape %v with %d sides is no shared matrix: %w", w, len(s)-1, graph.ErrNoGradient)
	}
	var uses []sharedUse
	for i := 1; i < len(s); i += 2 {
		rows := make([]tensor.Shape, 2)
		for side := range rows {
			r := s[i+side]
			if !index[i+side] {
				if len(r) == 0 || r[len(r)-1] != w[side] {
					return nil, fmt.Errorf("side of shape %v does not fit a weight of shape %v: %w", r, w, graph.ErrNoGradient)
				}
				r = r[:len(r)-1]
			}
			rows[side] = r
		}
		if len(rows[0]) == 0 || !rows[0].Equal(rows[1]) || index[i] && index[i+1] || len(uses) > 0 && uses[0].n != rows[0][0] {
			return nil, fmt.Errorf("sides of shapes %v and %v do not pair by example and position: %w", s[i], s[i+1], graph.ErrNoGradient)
		}
		uses = append(uses, sharedUse{n: rows[0][0], t: product(rows[0][1:]), k: w[0], m: w[1]})
	}
	return uses, nil
}

// side is one side of a use: rows of width numbers, or indices.
type side[T real] struct {
	rows  []T
	index []int
	width int
}

// at is the part of s for example e of t rows.
func (s side[T]) at(e, t int) side[T] {
	if s.index != nil {
		return side[T]{index: s.index[e*t:][:t], width: s.width}
	}
	return side[T]{rows: s.rows[e*t*s.width:][:t*s.width], width: s.width}
}

// products sets g [ts,tr] to the inner products of the rows of s and r.
func (s side[T]) products(g []T, ts int, r side[T], tr int) {
	switch {
	case s.index == nil && r.index == nil:
		gemmOf[T]()(nil, false, true, ts, tr, s.width, 1, s.rows, s.width, r.rows, s.width, 0, g, tr)
		return
	case s.index == nil:
		for i := range ts {
			for j, k := range r.index {
				g[i*tr+j] = s.rows[i*s.width+k]
			}
		}
		return
	}
	for i, k := range s.index {
		for j := range tr {
			switch {
			case r.index == nil:
				g[i*tr+j] = r.rows[j*r.width+k]
			case r.index[j] == k:
				g[i*tr+j] = 1
			default:
				g[i*tr+j] = 0
			}
		}
	}
}

// addOuter adds the outer products of the t rows of left and right to g [k,m].
func addOuter[T real](g []T, left, right side[T], t int) {
	m := right.width
	switch {
	case left.index != nil:
		for i, k := range left.index {
			row := g[k*m:][:m]
			for j, v := range right.rows[i*m:][:m] {
				row[j] += v
			}
		}
	case right.index != nil:
		for i, j := range right.index {
			for k, v := range left.rows[i*left.width:][:left.width] {
				g[k*m+j] += v
			}
		}
	default:
		gemmOf[T]()(nil, true, false, left.width, m, t, 1, left.rows, left.width, right.rows, m, 1, g, m)
	}
}

func sharedNorm2[T real](c *graph.RunCtx) error {
	shapes, index := make([]tensor.Shape, len(c.In)), make([]bool, len(c.In))
	for i, t := range c.In {
		shapes[i], index[i] = t.Shape(), !t.DType().IsFloat()
	}
	uses, err := sharedUses(shapes, index)
	if err != nil {
		return err
	}
	sides := make([]side[T], len(c.In)-1)
	for i := range sides {
		t, width := c.In[i+1], shapes[0][i%2]
		sides[i].width = width
		if !index[i+1] {
			sides[i].rows = tensor.Data[T](t)
		} else if sides[i].index, err = indicesIn(t, width); err != nil {
			return err
		}
	}
	pairs, whole, most := 0, uses[0].k*uses[0].m, 0
	for i, u := range uses {
		whole += u.t * u.k * u.m
		for _, v := range uses[i:] {
			pairs += u.t * v.t * (u.k + u.m)
		}
		most = max(most, u.t)
	}
	out := tensor.Data[T](c.Out[0])
	c.Pool.For(uses[0].n, 1, func(lo, hi int) {
		if pairs > whole {
			g := make([]T, uses[0].k*uses[0].m)
			for e := lo; e < hi; e++ {
				clear(g)
				for i, u := range uses {
					addOuter(g, sides[2*i].at(e, u.t), sides[2*i+1].at(e, u.t), u.t)
				}
				out[e] = T(sumSquares(g))
			}
			return
		}
		g, h := make([]T, most*most), make([]T, most*most)
		for e := lo; e < hi; e++ {
			sum := 0.0
			for i, u := range uses {
				for j := i; j < len(uses); j++ {
					v := uses[j]
					sides[2*i].at(e, u.t).products(g, u.t, sides[2*j].at(e, v.t), v.t)
					sides[2*i+1].at(e, u.t).products(h, u.t, sides[2*j+1].at(e, v.t), v.t)
					d := dot(g[:u.t*v.t], h[:u.t*v.t])
					if j > i {
						d *= 2
					}
					sum += d
				}
			}
			out[e] = T(max(0, sum))
		}
	})
	return nil
}
