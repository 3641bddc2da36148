package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Softmax is Y = e^X/Σ e^X, the sum along an axis; before version 13 along that and all following axes.
//
// Source: https://onnx.ai/onnx/operators/onnx__Softmax.html
var Softmax = new(graph.Spec)

// SoftmaxGrad is the gradient of Softmax, dX = Y·(dY - Σ Y·dY), or of LogSoftmax, dX = dY - e^Y·Σ dY. Inputs Y and dY, of one shape.
var SoftmaxGrad = new(graph.Spec)

// softmaxAttrs are the attributes of Softmax, LogSoftmax and Hardmax.
type softmaxAttrs struct {
	Axis int `onnx:"axis,default=-1"`
}

// AlongAxis are the attributes of a Softmax or LogSoftmax along an axis.
func AlongAxis(axis int) any { return &softmaxAttrs{Axis: axis} }

// softmaxOldAttrs are those of the versions before 13.
type softmaxOldAttrs struct {
	Axis int `onnx:"axis,default=1"`
}

type softmaxGradAttrs struct {
	Axis int  `onnx:"axis,default=-1"`
	Flat bool `onnx:"flat,default=0"` // axis and all that follow
	Log  bool `onnx:"log,default=0"`
}

func init() {
	defineSoftmax(Softmax, "Softmax", false)
	define(SoftmaxGrad, graph.Def[softmaxGradAttrs]{
		Domain: Private, Name: "SoftmaxGrad", Since: []int{1}, Doc: "gradient of Softmax",
		In: []graph.Formal{{Name: "Y", Types: floats}, {Name: "dY", Types: floats}}, Out: []graph.Formal{{Name: "dX"}},
		InPlace: [][2]int{{1, 0}}, Infer: sameShape[softmaxGradAttrs],
		Run: func(a *softmaxGradAttrs, c *graph.RunCtx) error {
			outer, n, inner, err := a.extents(c.In[0].Shape())
			if err != nil {
				return err
			}
			if c.In[0].DType() == tensor.Float64 {
				kernel.SoftmaxGrad(c.Pool, tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]), tensor.Data[float64](c.In[1]),
					outer, n, inner, a.Log)
			} else {
				kernel.SoftmaxGrad(c.Pool, c.Out[0].F32(), c.In[0].F32(), c.In[1].F32(), outer, n, inner, a.Log)
			}
			return nil
		},
		Lower: func(a *softmaxGradAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			y, dy, at := n.In[0], n.In[1], a.Axis
			if a.Flat {
				f := &flattenAttrs{Axis: a.Axis}
				y, dy, at = b.Add(Flatten, f, y), b.Add(Flatten, f, dy), 1
			}
			total := func(x graph.Value) graph.Value { return b.Add(ReduceSum, KeepDims(true), x, b.Ints(at)) }
			var dx graph.Value
			if a.Log {
				dx = sub(b, dy, mul(b, b.Add(Exp, nil, y), total(dy)))
			} else {
				dx = mul(b, y, sub(b, dy, total(mul(b, y, dy))))
			}
			if a.Flat {
				dx = b.Add(ReshapeLike, nil, dx, n.In[0])
			}
			return []graph.Value{dx}, nil
		},
	})
}

// extents splits s into the elements before, along and after what is normalised.
func (a *softmaxGradAttrs) extents(s tensor.Shape) (outer, n, inner int, err error) {
	if len(s) == 0 {
		if a.Axis < -1 || a.Axis > 1 {
			return 0, 0, 0, fmt.Errorf("axis %d is outside rank 0", a.Axis)
		}
		return 1, 1, 1, nil
	}
	if a.Flat {
		k := a.Axis
		if k < 0 {
			k += len(s)
		}
		if k < 0 || k > len(s) {
			return 0, 0, 0, fmt.Errorf("axis %d is outside rank %d", a.Axis, len(s))
		}
		return product(s[:k]), product(s[k:]), 1, nil
	}
	k, err := axis(a.Axis, len(s))
	if err != nil {
		return 0, 0, 0, err
	}
	outer, n, inner = around(s, k)
	return outer, n, inner, nil
}

// defineSoftmax defines Softmax or LogSoftmax, in s.
func defineSoftmax(s *graph.Spec, name string, log bool) {
	in, out := []graph.Formal{{Name: "input", Types: floats}}, []graph.Formal{{Name: "output"}}
	doc := "https://onnx.ai/onnx/operators/onnx__" + name + ".html"
	define(s, graph.Def[softmaxAttrs]{
		Name: name, Role: graph.Probability, Since: []int{13}, Doc: doc, In: in, Out: out, InPlace: [][2]int{{0, 0}},
		Infer: func(a *softmaxAttrs, c *graph.InferCtx) error {
			return (&softmaxGradAttrs{Axis: a.Axis}).infer(c)
		},
		Run: func(a *softmaxAttrs, c *graph.RunCtx) error {
			return runSoftmax(c, &softmaxGradAttrs{Axis: a.Axis, Log: log})
		},
		Grad: func(a *softmaxAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(SoftmaxGrad, &softmaxGradAttrs{Axis: a.Axis, Log: log}, n.Out[0], dy[0])}, nil
		},
	})
	define(new(graph.Spec), graph.Def[softmaxOldAttrs]{
		Name: name, Role: graph.Probability, Since: []int{1, 11}, Doc: doc, In: in, Out: out, InPlace: [][2]int{{0, 0}},
		Infer: func(a *softmaxOldAttrs, c *graph.InferCtx) error {
			return (&softmaxGradAttrs{Axis: a.Axis, Flat: true}).infer(c)
		},
		Run: func(a *softmaxOldAttrs, c *graph.RunCtx) error {
			return runSoftmax(c, &softmaxGradAttrs{Axis: a.Axis, Flat: true, Log: log})
		},
		Grad: func(a *softmaxOldAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(SoftmaxGrad, &softmaxGradAttrs{Axis: a.Axis, Flat: true, Log: log}, n.Out[0], dy[0])}, nil
		},
	})
}

// SoftmaxAxis is the axis that n, a Softmax, LogSoftmax or Hardmax, runs over, as in the file; flat says that it runs over all axes
// behind it too. Of other nodes it is 0.
func SoftmaxAxis(n *graph.Node) (axis int, flat bool) {
	switch a := n.Attrs.(type) {
	case *softmaxAttrs:
		return a.Axis, false
	case *softmaxOldAttrs:
		return a.Axis, true
	}
	return 0, false
}

func (a *softmaxGradAttrs) infer(c *graph.InferCtx) error {
	if _, _, _, err := a.extents(c.Shape(0)); err != nil {
		return err
	}
	c.Out(0, c.Shape(0)...)
	return nil
}

func runSoftmax(c *graph.RunCtx, a *softmaxGradAttrs) error {
	outer, n, inner, err := a.extents(c.In[0].Shape())
	if err != nil {
		return err
	}
	if c.In[0].DType() == tensor.Float64 {
		kernel.Softmax(c.Pool, tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]), outer, n, inner, a.Log)
	} else {
		kernel.Softmax(c.Pool, c.Out[0].F32(), c.In[0].F32(), outer, n, inner, a.Log)
	}
	return nil
}
