package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Tile repeats input repeats[i] times along axis i.
//
// Source: https://onnx.ai/onnx/operators/onnx__Tile.html
var Tile = new(graph.Spec)

var tileOld = new(graph.Spec)

// TileGrad adds up the repetitions of dY in the shape of like.
var TileGrad = new(graph.Spec)

func init() {
	const doc = "https://onnx.ai/onnx/operators/onnx__Tile.html"
	out := []graph.Formal{{Name: "output"}}
	grad := func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
		return only(n, 0, b.Add(TileGrad, nil, dy[0], n.In[0])), nil
	}
	define(Tile, graph.Def[noAttrs]{
		Name: "Tile", Role: graph.Move, Since: []int{6, 13}, Doc: doc,
		In: []graph.Formal{{Name: "input"}, {Name: "repeats", NoGrad: true, Types: int64s}}, Out: out,
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			repeats, err := c.Ints(1)
			if err != nil {
				return err
			}
			return inferTile(c, repeats)
		},
		Run: runTile, Grad: grad,
	})
	// Version 1 repeats one axis; both numbers are in the type of the data.
	define(tileOld, graph.Def[noAttrs]{
		Name: "Tile", Role: graph.Move, Since: []int{1}, Doc: doc,
		In: []graph.Formal{{Name: "input"}, {Name: "tiles", NoGrad: true}, {Name: "axis", NoGrad: true}}, Out: out,
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			tiles, err := c.Value(1)
			if err != nil {
				return err
			}
			at, err := c.Value(2)
			if err != nil {
				return err
			}
			if tiles.DType() == tensor.String || at.DType() == tensor.String {
				return fmt.Errorf("tiles and axis are of type %v and %v, want numbers", tiles.DType(), at.DType())
			}
			if tiles.Len() != 1 || at.Len() != 1 {
				return fmt.Errorf("tiles and axis have %d and %d elements, want one", tiles.Len(), at.Len())
			}
			k, err := axis(int(at.Float64s()[0]), len(c.Shape(0)))
			if err != nil {
				return err
			}
			repeats := make([]int, len(c.Shape(0)))
			for i := range repeats {
				repeats[i] = 1
			}
			repeats[k] = int(tiles.Float64s()[0])
			return inferTile(c, repeats)
		},
		Run: runTile, Grad: grad,
	})
	define(TileGrad, graph.Def[noAttrs]{
		Domain: Private, Name: "TileGrad", Since: []int{1}, Doc: "gradient of Tile",
		In: []graph.Formal{{Name: "dY", Types: floats}, {Name: "like", NoGrad: true, Shape: true}}, Out: []graph.Formal{{Name: "dX"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			s, l := c.Shape(0), c.Shape(1)
			if len(s) != len(l) {
				return fmt.Errorf("shape %v is no repetition of %v", s, l)
			}
			for i := range s {
				if s[i] != 0 && (l[i] == 0 || s[i]%l[i] != 0) {
					return fmt.Errorf("shape %v is no repetition of %v", s, l)
				}
			}
			c.Out(0, l...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			s, l := c.In[0].Shape(), c.Out[0].Shape()
			maps := make([][]int, len(s))
			for k := range s {
				maps[k] = make([]int, s[k])
				for o := range maps[k] {
					maps[k][o] = o % l[k]
				}
			}
			addMapped(c, c.Out[0], c.In[0], maps)
			return nil
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(Tile, nil, dy[0], tileRepeats(b, n))), nil
		},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			repeats := tileRepeats(b, n)
			return []graph.Value{addBack(b, n.In[0], n.In[1], func(index graph.Value) graph.Value {
				return b.Add(Tile, nil, index, repeats)
			})}, nil
		},
	})
}

// tileRepeats is how often dY of a TileGrad repeats like. An empty axis of like counts as one, as nothing can be told of it.
func tileRepeats(b *graph.Builder, n *graph.Node) graph.Value {
	one := b.Ints(1)
	return b.Add(Div, nil, b.Add(Shape, nil, n.In[0]), b.Add(Max, nil, b.Add(Shape, nil, n.In[1]), one))
}

func inferTile(c *graph.InferCtx, repeats []int) error {
	s := c.Shape(0)
	if len(repeats) != len(s) {
		return fmt.Errorf("%d repeats for %d axes", len(repeats), len(s))
	}
	out := make(tensor.Shape, len(s))
	for i, r := range repeats {
		if r < 0 || r > 1<<40 || s[i] > 1<<20 && r > 1<<20 {
			return fmt.Errorf("axis %d of extent %d cannot be repeated %d times", i, s[i], r)
		}
		out[i] = s[i] * r
	}
	c.Out(0, out...)
	return nil
}

// runTile reads out as [r0,s0,r1,s1,…].
func runTile(_ *noAttrs, c *graph.RunCtx) error {
	s, out := c.In[0].Shape(), c.Out[0].Shape()
	if c.Out[0].Len() == 0 {
		return nil
	}
	si, so := strides(s), strides(out)
	var w walk
	for i, n := range s {
		w.ext = append(w.ext, out[i]/n, n)
		w.ds = append(w.ds, n*so[i], so[i])
		w.ss = append(w.ss, 0, si[i])
	}
	copyStrided(c.Pool, c.Out[0], c.In[0], w)
	return nil
}
