package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Sample is Y [N,C,o…], X [N,C,i…] interpolated at the places that grid [N·G,o…,d] gives, one for each of G groups of channels; with
// directions v, each of grid's shape, the derivative of that along all of them, by the places. Inputs X, grid, v….
//
// Sample, SampleBack and SampleByGrid are closed under differentiation, since each is linear in everything but grid, and the derivative by
// grid along a vector is one direction more.
var Sample = new(graph.Spec)

// SampleBack is the transpose of Sample by X: dY [N,C,o…] spread over zeros in the shape of like. Inputs dY, grid, like, v….
var SampleBack = new(graph.Spec)

// SampleByGrid is the gradient of Sample by grid: inputs X, grid, dY, v….
var SampleByGrid = new(graph.Spec)

// sampleAttrs say how places are read and what lies between and outside the elements.
type sampleAttrs struct {
	Mode    string `onnx:"mode,default=linear"`        // nearest, linear, cubic
	Padding string `onnx:"padding_mode,default=zeros"` // zeros, border, reflection
	Align   bool   `onnx:"align_corners,default=0"`
	Pixels  bool   `onnx:"pixels,default=0"` // places are indices, first axis first, not numbers from -1 to 1, last axis first
}

func init() {
	x, grid := graph.Formal{Name: "X", Types: floats}, graph.Formal{Name: "grid", Types: floats}
	dy, like := graph.Formal{Name: "dY", Types: floats}, graph.Formal{Name: "like", NoGrad: true}
	v := graph.Formal{Name: "v", Types: floats, Optional: true, Variadic: true}
	const doc = "sampling at places"
	// vectors are the directions; without is those that are left when one is gone.
	vectors := func(n *graph.Node, from int) []graph.Value { return n.In[min(from, n.NumIn):n.NumIn] }
	without := func(vs []graph.Value, k int) []graph.Value {
		return append(append([]graph.Value{}, vs[:k]...), vs[k+1:]...)
	}
	define(Sample, graph.Def[sampleAttrs]{
		Domain: Private, Name: "Sample", Since: []int{1}, Doc: doc, In: []graph.Formal{x, grid, v}, Out: []graph.Formal{{Name: "Y"}},
		Infer: func(a *sampleAttrs, c *graph.InferCtx) error {
			if err := sameDirections(c, 2); err != nil {
				return err
			}
			out, err := sampledShape(c.Shape(0), c.Shape(1))
			if err != nil {
				return err
			}
			c.Out(0, out...)
			return nil
		},
		Run: func(a *sampleAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				sample[float64](a, c)
			} else {
				sample[float32](a, c)
			}
			return nil
		},
		Grad: func(a *sampleAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			return gradSample(a, b, n.In[0], n.In[1], dy[0], vectors(n, 2), need, func(k int) graph.Value {
				in := append([]graph.Value{n.In[0], n.In[1], dy[0]}, without(vectors(n, 2), k)...)
				return b.Add(SampleByGrid, a, in...)
			}), nil
		},
	})
	define(SampleBack, graph.Def[sampleAttrs]{
		Domain: Private, Name: "SampleBack", Since: []int{1}, Doc: doc, In: []graph.Formal{dy, grid, like, v},
		Out: []graph.Formal{{Name: "dX"}},
		Infer: func(a *sampleAttrs, c *graph.InferCtx) error {
			if err := sameDirections(c, 3); err != nil {
				return err
			}
			out, err := sampledShape(c.Shape(2), c.Shape(1))
			if err != nil {
				return err
			}
			if !out.Equal(c.Shape(0)) {
				return fmt.Errorf("dY has shape %v, want %v", c.Shape(0), out)
			}
			c.Out(0, c.Shape(2)...)
			return nil
		},
		Run: func(a *sampleAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				sampleBack[float64](a, c)
			} else {
				sampleBack[float32](a, c)
			}
			return nil
		},
		// <s, SampleBack(dY)> is <Sample(s), dY>.
		Grad: func(a *sampleAttrs, b *graph.Builder, n *graph.Node, s []graph.Value, need []bool) ([]graph.Value, error) {
			vs := vectors(n, 3)
			dx := make([]graph.Value, n.NumIn)
			if need[0] {
				dx[0] = b.Add(Sample, a, append([]graph.Value{s[0], n.In[1]}, vs...)...)
			}
			if need[1] {
				dx[1] = b.Add(SampleByGrid, a, append([]graph.Value{s[0], n.In[1], n.In[0]}, vs...)...)
			}
			for k := range vs {
				if need[3+k] {
					dx[3+k] = b.Add(SampleByGrid, a, append([]graph.Value{s[0], n.In[1], n.In[0]}, without(vs, k)...)...)
				}
			}
			return dx, nil
		},
	})
	define(SampleByGrid, graph.Def[sampleAttrs]{
		Domain: Private, Name: "SampleByGrid", Since: []int{1}, Doc: doc, In: []graph.Formal{x, grid, dy, v},
		Out: []graph.Formal{{Name: "dgrid"}},
		Infer: func(a *sampleAttrs, c *graph.InferCtx) error {
			if err := sameDirections(c, 3); err != nil {
				return err
			}
			out, err := sampledShape(c.Shape(0), c.Shape(1))
			if err != nil {
				return err
			}
			if !out.Equal(c.Shape(2)) {
				return fmt.Errorf("dY has shape %v, want %v", c.Shape(2), out)
			}
			c.Out(0, c.Shape(1)...)
			return nil
		},
		Run: func(a *sampleAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				sampleByGrid[float64](a, c)
			} else {
				sampleByGrid[float32](a, c)
			}
			return nil
		},
		// <s, SampleByGrid(dY)> is <Sample along s too, dY>.
		Grad: func(a *sampleAttrs, b *graph.Builder, n *graph.Node, s []graph.Value, need []bool) ([]graph.Value, error) {
			vs := vectors(n, 3)
			all := append(append([]graph.Value{}, vs...), s[0])
			few := gradSample(a, b, n.In[0], n.In[1], n.In[2], all, []bool{need[0], need[1]}, nil)
			dx := make([]graph.Value, n.NumIn)
			dx[0], dx[1] = few[0], few[1]
			if need[2] {
				dx[2] = b.Add(Sample, a, append([]graph.Value{n.In[0], n.In[1]}, all...)...)
			}
			for k := range vs {
				if need[3+k] {
					dx[3+k] = b.Add(SampleByGrid, a, append([]graph.Value{n.In[0], n.In[1], n.In[2]}, without(all, k)...)...)
				}
			}
			return dx, nil
		},
	})
}

// gradSample are the gradients of Sample along vs by X, by grid and, with byVector, by each of vs.
func gradSample(a *sampleAttrs, b *graph.Builder, x, grid, dy graph.Value, vs []graph.Value, need []bool,
	byVector func(k int) graph.Value) []graph.Value {
	dx := make([]graph.Value, len(need))
	if need[0] {
		dx[0] = b.Add(SampleBack, a, append([]graph.Value{dy, grid, x}, vs...)...)
	}
	if need[1] && a.Mode != "nearest" {
		dx[1] = b.Add(SampleByGrid, a, append([]graph.Value{x, grid, dy}, vs...)...)
	}
	for k := 2; k < len(need); k++ {
		if need[k] {
			dx[k] = byVector(k - 2)
		}
	}
	return dx
}

// sameDirections fails unless the inputs from on have the shape of grid.
func sameDirections(c *graph.InferCtx, from int) error {
	for i := from; i < len(c.In); i++ {
		if !c.Shape(i).Equal(c.Shape(1)) {
			return fmt.Errorf("a direction has shape %v, grid %v", c.Shape(i), c.Shape(1))
		}
	}
	return nil
}

// sampledShape is the shape of X [N,C,i…] sampled at grid [N·G,o…,d].
func sampledShape(x, grid tensor.Shape) (tensor.Shape, error) {
	d := len(x) - 2
	if d < 1 || len(grid) < 2 || grid[len(grid)-1] != d {
		return nil, fmt.Errorf("input X has shape %v and grid %v, want [N,C,i…] and [N,o…,%d]", x, grid, max(d, 0))
	}
	groups := 1
	if x[0] > 0 {
		groups = grid[0] / x[0]
	}
	if grid[0] != x[0]*groups || groups == 0 || x[1]%groups != 0 {
		return nil, fmt.Errorf("input X has shape %v and grid %v: the batches do not agree", x, grid)
	}
	out := append(tensor.Shape{x[0], x[1]}, grid[1:len(grid)-1]...)
	if x[2:].Len() == 0 && out.Len() > 0 {
		return nil, fmt.Errorf("input X has shape %v: there is nothing to sample", x)
	}
	return out, nil
}
