package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// OneHot has a new axis of extent depth, along which it is values[1] at the place that indices name, counted from the end where negative,
// and values[0] elsewhere; values[0] alone where there is no such place.
//
// Source: https://onnx.ai/onnx/operators/onnx__OneHot.html
var OneHot = new(graph.Spec)

type oneHotAttrs struct {
	Axis int `onnx:"axis,default=-1"`
}

// movable are the element types of operators that move elements of any type of the first operator sets.
var movable = append(slices.Clone(numeric), tensor.Bool, tensor.String, tensor.Complex64, tensor.Complex128)

func init() {
	define(OneHot, graph.Def[oneHotAttrs]{
		Name: "OneHot", Since: []int{9, 11}, Doc: "https://onnx.ai/onnx/operators/onnx__OneHot.html",
		In: []graph.Formal{{Name: "indices", NoGrad: true, Types: numeric}, {Name: "depth", NoGrad: true, Types: numeric},
			{Name: "values", NoGrad: true, Types: movable}},
		Out:   []graph.Formal{{Name: "output"}},
		Types: typeOf[oneHotAttrs](2),
		Infer: func(a *oneHotAttrs, c *graph.InferCtx) error {
			d, err := c.Value(1)
			if err != nil {
				return err
			}
			depth, err := count("depth", d)
			if err != nil {
				return err
			}
			s := c.Shape(0)
			at, err := axis(a.Axis, len(s)+1)
			if err != nil {
				return err
			}
			if v := c.Shape(2); len(v) != 1 || v[0] != 2 {
				return fmt.Errorf("values has shape %v, want [2]", v)
			}
			c.Out(0, slices.Insert(slices.Clone(s), at, depth)...)
			return nil
		},
		Run: func(a *oneHotAttrs, c *graph.RunCtx) error {
			idx, err := c.In[0].Convert(tensor.Int64)
			if err != nil {
				return err
			}
			switch y, v := c.Out[0], c.In[2]; y.DType().Bits() {
			case 8:
				oneHot(a, c, idx.I64(), cells[uint8](y), cells[uint8](v))
			case 16:
				oneHot(a, c, idx.I64(), cells[uint16](y), cells[uint16](v))
			case 32:
				oneHot(a, c, idx.I64(), cells[uint32](y), cells[uint32](v))
			case 64:
				oneHot(a, c, idx.I64(), cells[uint64](y), cells[uint64](v))
			case 128:
				oneHot(a, c, idx.I64(), cells[complex128](y), cells[complex128](v))
			default:
				oneHot(a, c, idx.I64(), cells[string](y), cells[string](v))
			}
			return nil
		},
	})
	followRules["OneHot"] = (*follower).refuse
}

func oneHot[T cell](a *oneHotAttrs, c *graph.RunCtx, idx []int64, y, values []T) {
	for i := range y {
		y[i] = values[0]
	}
	_, depth, inner := around(c.Out[0].Shape(), a.Axis)
	for i, k := range idx {
		if k < 0 {
			k += int64(depth)
		}
		if k >= 0 && k < int64(depth) {
			y[(i/inner*depth+int(k))*inner+i%inner] = values[1]
		}
	}
}

// count is the one element of t, an extent, as a number that is neither negative nor beyond what a tensor can have.
func count(name string, t *tensor.Tensor) (int, error) {
	if t.Len() != 1 {
		return 0, fmt.Errorf("%s has %d elements, want one", name, t.Len())
	}
	x := t.Float64s()
	if len(x) != 1 || !(x[0] > -1 && x[0] < math.MaxInt32) {
		return 0, fmt.Errorf("%s is %v, want a number from 0 to %d", name, x, math.MaxInt32)
	}
	return int(x[0]), nil
}
