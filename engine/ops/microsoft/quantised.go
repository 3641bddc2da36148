package microsoft

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Quantised operators are their real counterparts between DequantizeLinear and QuantizeLinear, which round as ONNX Runtime's kernels do:
// ties to even, the zero point added after the rounding unless they say otherwise.

var (
	bytesOnly = []tensor.DType{tensor.Int8, tensor.Uint8}
	scaleOnly = []tensor.DType{tensor.Float32}
)

// quantisedIn are the three formals of a quantised input: its numbers, their scale and their zero point, which may be left out where free.
func quantisedIn(name string, free bool) []graph.Formal {
	return []graph.Formal{{Name: name, Types: bytesOnly, NoGrad: true}, {Name: name + "_scale", Types: scaleOnly, NoGrad: true},
		{Name: name + "_zero_point", Types: bytesOnly, NoGrad: true, Optional: free}}
}

// quantisedOut are the two formals that say how an output is quantised.
func quantisedOut(name string, free bool) []graph.Formal { return quantisedIn(name, free)[1:] }

// dequantised is the quantised input whose numbers are input i, in float32.
func dequantised(b *graph.Builder, n *graph.Node, i int) graph.Value {
	return dequantise(b, n.In[i], n.In[i+1], input(n, i+2), nil)
}

func dequantise(b *graph.Builder, x, scale, zero graph.Value, attrs graph.Attrs) graph.Value {
	return node(b, ops.DequantizeLinear, attrs, x, scale, zero)
}

// quantised is y quantised by the scale in input i and the zero point in the one after it; where there is none, to type d and around 0.
func quantised(b *graph.Builder, n *graph.Node, y graph.Value, i int, d tensor.DType) graph.Value {
	return quantise(b, y, n.In[i], input(n, i+1), d, nil)
}

func quantise(b *graph.Builder, y, scale, zero graph.Value, d tensor.DType, attrs graph.Attrs) graph.Value {
	if zero == 0 {
		zero = b.Const(tensor.New(d))
		if len(attrs) > 0 { // one for each scale: the type is enough
			all := graph.Attrs{"output_dtype": int64(d)}
			for k, v := range attrs {
				all[k] = v
			}
			return node(b, ops.QuantizeLinear, all, y, scale)
		}
	}
	return node(b, ops.QuantizeLinear, attrs, y, scale, zero)
}

// firstIs is a Types rule: the output has the type of input i.
func firstIs[A any](i int) func(*A, []tensor.DType, []tensor.DType) error {
	return func(_ *A, in, out []tensor.DType) error {
		out[0] = in[i]
		return nil
	}
}

// axesFrom are the axes of x from first on, but for the last ones, as many as skip says, in a list that the graph computes.
func axesFrom(b *graph.Builder, x graph.Value, first, skip int) graph.Value {
	rank := b.Add(ops.Size, nil, b.Add(ops.Shape, nil, x))
	if skip > 0 {
		rank = b.Add(ops.Sub, nil, rank, b.Const(tensor.Scalar(int64(skip))))
	}
	return b.Add(ops.Range, nil, b.Const(tensor.Scalar(int64(first))), rank, b.Const(tensor.Scalar(int64(1))))
}

// number is a quantised x as the whole numbers that it is stored as, in float32; a zero point that is left out is 0.
func number(b *graph.Builder, x graph.Value) graph.Value {
	if x == 0 {
		return b.Const(tensor.Scalar(float32(0)))
	}
	return node(b, ops.Cast, graph.Attrs{"to": int64(tensor.Float32)}, x)
}

// wholeSteps is y rounded to whole numbers of type d.
func wholeSteps(b *graph.Builder, y graph.Value, d tensor.DType) graph.Value {
	return quantise(b, y, b.Const(tensor.Scalar(float32(1))), 0, d, nil)
}
