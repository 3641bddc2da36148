package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// AffineGrid is the grid [N,H,W,2] or [N,D,H,W,3] for GridSample that theta [N,2,3] or [N,3,4] makes of the pixels of a picture of the
// given size [N,C,H,W] or [N,C,D,H,W]: theta·(x,y,1), with x and y from -1 to 1, at the edges of the picture or, with align_corners, in
// the middle of its outer pixels.
//
// Source: https://onnx.ai/onnx/operators/onnx__AffineGrid.html. Of an axis of extent 1 the coordinate with align_corners is 0, as PyTorch
// has it.
var AffineGrid = new(graph.Spec)

// PixelPlaces are the homogeneous coordinates of all pixels, [H·W,3] or [D·H·W,4], of the type of like. Inputs like, size.
var PixelPlaces = new(graph.Spec)

type affineGridAttrs struct {
	AlignCorners bool `onnx:"align_corners,default=0"`
}

func init() {
	size := graph.Formal{Name: "size", NoGrad: true, Types: int64s}
	define(AffineGrid, graph.Def[affineGridAttrs]{
		Name: "AffineGrid", Since: []int{20}, Doc: "https://onnx.ai/onnx/operators/onnx__AffineGrid.html",
		In: []graph.Formal{{Name: "theta", Types: floats}, size}, Out: []graph.Formal{{Name: "grid"}},
		Infer: func(_ *affineGridAttrs, c *graph.InferCtx) error {
			s, err := affineSize(planInts(c))
			if err != nil {
				return err
			}
			d := len(s) - 2
			if !c.Shape(0).Equal(tensor.Shape{s[0], d, d + 1}) {
				return fmt.Errorf("theta has shape %v for a size of %v, want [%d,%d,%d]", c.Shape(0), s, s[0], d, d+1)
			}
			c.Out(0, append(append(tensor.Shape{s[0]}, s[2:]...), d)...)
			return nil
		},
		Run: func(a *affineGridAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				affineGrid[float64](a, c)
			} else {
				affineGrid[float32](a, c)
			}
			return nil
		},
		Lower: func(a *affineGridAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			theta := b.Add(Transpose, &transposeAttrs{Perm: []int{0, 2, 1}}, n.In[0])
			grid := b.Add(MatMul, nil, b.Add(PixelPlaces, a, n.In[0], n.In[1]), theta)
			part := func(from, to int) graph.Value { return b.Add(Slice, nil, n.In[1], b.Ints(from), b.Ints(to)) }
			return []graph.Value{inShape(b, grid, part(0, 1), part(2, 5), extent(b, theta, 2))}, nil
		},
	})
	define(PixelPlaces, graph.Def[affineGridAttrs]{
		Domain: Private, Name: "PixelPlaces", Since: []int{1}, Doc: "coordinates of AffineGrid",
		In: []graph.Formal{{Name: "like", Types: floats, NoGrad: true}, size}, Out: []graph.Formal{{Name: "places"}},
		Infer: func(_ *affineGridAttrs, c *graph.InferCtx) error {
			s, err := affineSize(planInts(c))
			if err != nil {
				return err
			}
			n := 1
			for _, d := range s[2:] {
				if n *= d; n > mostExtent {
					return fmt.Errorf("size %v", s)
				}
			}
			c.Out(0, n, len(s)-1)
			return nil
		},
		Run: func(a *affineGridAttrs, c *graph.RunCtx) error {
			s, err := affineSize(runInts(c))
			if err != nil {
				return err
			}
			if c.Out[0].DType() == tensor.Float64 {
				pixelPlaces(a, tensor.Data[float64](c.Out[0]), s[2:])
			} else {
				pixelPlaces(a, c.Out[0].F32(), s[2:])
			}
			return nil
		},
	})
}

func affineSize(ints intsFunc) ([]int, error) {
	s, err := ints(1)
	if err != nil {
		return nil, err
	}
	if len(s) != 4 && len(s) != 5 {
		return nil, fmt.Errorf("size is %v, want [N,C,H,W] or [N,C,D,H,W]", s)
	}
	for _, d := range s {
		if d < 0 || d > mostExtent {
			return nil, fmt.Errorf("size is %v", s)
		}
	}
	return s, nil
}

// place is the coordinate of pixel i of n.
func (a *affineGridAttrs) place(i, n int) float64 {
	switch {
	case !a.AlignCorners:
		return (2*float64(i)+1)/float64(n) - 1
	case n == 1:
		return 0
	}
	return 2*float64(i)/float64(n-1) - 1
}

// pixelPlaces sets out to the coordinates of the pixels of a picture of extents s, the last axis first.
func pixelPlaces[T real](a *affineGridAttrs, out []T, s []int) {
	d := len(s)
	for p := range len(out) / (d + 1) {
		rest := p
		for k := d - 1; k >= 0; k-- {
			out[p*(d+1)+d-1-k] = T(a.place(rest%s[k], s[k]))
			rest /= s[k]
		}
		out[p*(d+1)+d] = 1
	}
}

func affineGrid[T real](a *affineGridAttrs, c *graph.RunCtx) {
	s := c.Out[0].Shape()
	if s.Len() == 0 {
		return
	}
	d := len(s) - 2
	places := make([]T, product(s[1:1+d])*(d+1))
	pixelPlaces(a, places, s[1:1+d])
	theta, out := tensor.Data[T](c.In[0]), tensor.Data[T](c.Out[0])
	pixels := len(places) / (d + 1)
	c.Pool.For(s[0]*pixels, 1<<12, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			p, t := places[i%pixels*(d+1):][:d+1], theta[i/pixels*d*(d+1):]
			for k := range d {
				sum := 0.0
				for j, v := range p {
					sum += float64(v) * float64(t[k*(d+1)+j])
				}
				out[i*d+k] = T(sum)
			}
		}
	})
}
