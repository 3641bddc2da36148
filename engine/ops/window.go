package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// windowAttrs are the attributes of the windows: the element type of the result, and whether it is a period of the window's function,
// which has its end left out, or symmetric.
type windowAttrs struct {
	Output   tensor.DType `onnx:"output_datatype,default=1"`
	Periodic bool         `onnx:"periodic,default=1"`
}

// writable are the element types of results that are computed from nothing but sizes.
var writable = append(slices.Clone(numeric), tensor.Float16, tensor.BFloat16)

// defineWindow defines in s the window of size elements w(n) = c0 + c1·cos(2πn/N) + c2·cos(4πn/N), where N is size, or size-1 for a
// symmetric one; a symmetric window of one element is 1.
func defineWindow(s *graph.Spec, name string, c0, c1, c2 float64) {
	define(s, graph.Def[windowAttrs]{
		Name: name, Since: []int{17}, Doc: "https://onnx.ai/onnx/operators/onnx__" + name + ".html",
		In:    []graph.Formal{{Name: "size", NoGrad: true, Types: indexes}},
		Out:   []graph.Formal{{Name: "output"}},
		Types: func(a *windowAttrs, _, out []tensor.DType) error { return writtenType(a.Output, out) },
		Infer: func(_ *windowAttrs, c *graph.InferCtx) error {
			t, err := c.Value(0)
			if err != nil {
				return err
			}
			n, err := count("size", t)
			if err != nil {
				return err
			}
			c.Out(0, n)
			return nil
		},
		Run: func(a *windowAttrs, c *graph.RunCtx) error {
			return writeFloats(c, func(w []float64) {
				n := len(w)
				if !a.Periodic {
					n--
				}
				for i := range w {
					w[i] = 1
					if n > 0 {
						t := 2 * math.Pi * float64(i) / float64(n)
						w[i] = c0 + c1*math.Cos(t) + c2*math.Cos(2*t)
					}
				}
			})
		},
	})
	followRules[name] = (*follower).refuse
}

// writtenType is a Types rule for results of type d.
func writtenType(d tensor.DType, out []tensor.DType) error {
	if !slices.Contains(writable, d) {
		return fmt.Errorf("attribute output_datatype: %v is none of %v", d, writable)
	}
	for i := range out {
		out[i] = d
	}
	return nil
}

// writeFloats sets Out[0], in its own type, to what f computes in float64.
func writeFloats(c *graph.RunCtx, f func(y []float64)) error {
	t, err := tensor.Make("its output", tensor.Float64, c.Out[0].Shape()...)
	if err != nil {
		return err
	}
	f(tensor.Data[float64](t))
	if t, err = t.Convert(c.Out[0].DType()); err != nil {
		return err
	}
	copy(c.Out[0].Bytes(), t.Bytes())
	return nil
}
