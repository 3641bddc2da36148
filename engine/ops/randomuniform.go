package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// RandomUniform has numbers that are evenly distributed from low up to high. See draws for what they follow from.
//
// Source: https://onnx.ai/onnx/operators/onnx__RandomUniform.html
var RandomUniform = new(graph.Spec)

type randomUniformAttrs struct {
	DType tensor.DType `onnx:"dtype,default=1"`
	High  float32      `onnx:"high,default=1"`
	Low   float32      `onnx:"low,default=0"`
	Seed  *float32     `onnx:"seed"`
	Shape []int        `onnx:"shape,required"`
}

// randomTypes are the element types of random numbers.
var randomTypes = []tensor.DType{tensor.Float32, tensor.Float64, tensor.Float16, tensor.BFloat16}

func init() {
	define(RandomUniform, graph.Def[randomUniformAttrs]{
		Name: "RandomUniform", Since: []int{1, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__RandomUniform.html", Random: true,
		Out:   []graph.Formal{{Name: "output"}},
		Types: func(a *randomUniformAttrs, _, out []tensor.DType) error { return randomType(a.DType, out) },
		Infer: func(a *randomUniformAttrs, c *graph.InferCtx) error { return randomShape(a.Shape, c) },
		Run: func(a *randomUniformAttrs, c *graph.RunCtx) error {
			return runUniform(c, newDraws(c, a.Seed), a.Low, a.High)
		},
	})
}

// runUniform sets Out[0] to numbers from low up to high.
func runUniform(c *graph.RunCtx, d *draws, low, high float32) error {
	lo, hi := float64(low), float64(high)
	if !(lo <= hi) || math.IsInf(hi-lo, 0) {
		return fmt.Errorf("the range is from %v to %v, want low <= high", low, high)
	}
	return d.fill(c, func(i int) float64 {
		x := lo + d.uniform(i)*(hi-lo)
		if c.Out[0].DType() != tensor.Float64 && float32(x) >= high && low < high { // rounded up to what is left out
			x = float64(math.Nextafter32(high, low))
		}
		return x
	})
}

// randomType is a Types rule for random numbers of type d.
func randomType(d tensor.DType, out []tensor.DType) error {
	if !slices.Contains(randomTypes, d) {
		return fmt.Errorf("attribute dtype: %v is none of %v", d, randomTypes)
	}
	for i := range out {
		out[i] = d
	}
	return nil
}

func randomShape(shape []int, c *graph.InferCtx) error {
	for _, n := range shape {
		if n < 0 {
			return fmt.Errorf("attribute shape is %v, want extents", shape)
		}
	}
	c.Out(0, shape...)
	return nil
}
