package ops

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// QuantisedSoftmax is Softmax along an axis of quantised numbers x, quantised, as ONNX Runtime computes it: from a table of the 256
// exponentials, with probabilities counted in ⌊1/y_scale⌋ steps. Inputs x, x_scale, x_zero_point, y_scale and y_zero_point.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/contrib_ops/cpu/quantization/qlinear_softmax.cc
var QuantisedSoftmax = new(graph.Spec)

type quantisedSoftmaxAttrs struct {
	Axis int `onnx:"axis,default=-1"`
}

func init() {
	scale := []tensor.DType{tensor.Float32}
	define(QuantisedSoftmax, graph.Def[quantisedSoftmaxAttrs]{
		Domain: Private, Name: "QuantisedSoftmax", Since: []int{1}, Doc: "quantised numbers, in ONNX Runtime's arithmetic",
		In: []graph.Formal{{Name: "x", Types: small8, NoGrad: true}, {Name: "x_scale", Types: scale, NoGrad: true},
			{Name: "x_zero_point", Types: small8, NoGrad: true, Optional: true}, {Name: "y_scale", Types: scale, NoGrad: true},
			{Name: "y_zero_point", Types: small8, NoGrad: true, Optional: true}},
		Out: []graph.Formal{{Name: "y"}}, Types: typeOf[quantisedSoftmaxAttrs](0),
		Infer: func(a *quantisedSoftmaxAttrs, c *graph.InferCtx) error {
			if _, err := axis(a.Axis, len(c.Shape(0))); err != nil {
				return err
			}
			for i := 1; i < len(c.In); i++ {
				if c.Has(i) && c.Shape(i).Len() != 1 {
					return fmt.Errorf("input %s has shape %v, want a scalar", c.Node.Op.In[i].Name, c.Shape(i))
				}
			}
			return sameShape(a, c)
		},
		Run: func(a *quantisedSoftmaxAttrs, c *graph.RunCtx) error {
			k, err := axis(a.Axis, c.In[0].Rank())
			if err != nil {
				return err
			}
			zero, err := zerosIn(c, 4)
			if err != nil {
				return err
			}
			runQuantisedSoftmax(c, k, zeroAt(zero, 0))
			return nil
		},
		Lower: func(a *quantisedSoftmaxAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			one := b.Scalar(tensor.Float32, 1)
			steps := b.Add(Floor, nil, div(b, one, n.In[3]))
			attrs, err := Softmax.DecodeAttrs(graph.Attrs{"axis": int64(a.Axis)})
			if err != nil {
				return nil, err
			}
			x := []graph.Value{n.In[0], n.In[1]}
			if z := input(n, 2); z != 0 {
				x = append(x, z)
			}
			y := mul(b, b.Add(Softmax, attrs, b.Add(DequantizeLinear, nil, x...)), steps)
			zero := input(n, 4)
			if zero == 0 {
				zero = b.Const(tensor.New(b.DType(n.In[0])))
			}
			return []graph.Value{b.Add(QuantizeLinear, nil, y, one, zero)}, nil
		},
	})
}

// runQuantisedSoftmax shifts each row so that its largest number has the largest exponential of the table, which is 1.
func runQuantisedSoftmax(c *graph.RunCtx, k int, zero int32) {
	x, y := c.In[0].Bytes(), c.Out[0].Bytes()
	flip := byte(0)
	if c.In[0].DType() == tensor.Int8 {
		flip = 128 // the order of int8 as that of uint8
	}
	outer, n, inner := around(c.In[0].Shape(), k)
	scale := float64(c.In[1].F32()[0])
	steps := float32(math.Floor(float64(1 / c.In[3].F32()[0])))
	var table [256]float32
	for i := range table {
		table[i] = float32(math.Exp(float64(i-255) * scale))
	}
	l, h := bounds(c.In[0].DType())
	lo, hi := float32(l-zero), float32(h-zero)
	c.Pool.For(outer*inner, max(1, stretchChunk/max(1, n)), func(from, to int) {
		for r := from; r < to; r++ {
			at := r/inner*n*inner + r%inner
			most := byte(0)
			for i := range n {
				most = max(most, x[at+i*inner]^flip)
			}
			shift, sum := 255-int(most), float32(0)
			for i := range n {
				sum += table[int(x[at+i*inner]^flip)+shift]
			}
			for i := range n {
				p := float32(table[int(x[at+i*inner]^flip)+shift]*steps) / sum
				y[at+i*inner] = byte(int32(roundHalf(min(max(p, lo), hi))) + zero)
			}
		}
	})
}
