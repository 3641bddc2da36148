package ops

import (
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// quantised is a value of numbers of 8 bits and what they stand for: a scale and zero point for all of them, constants.
type quantised struct{ x, scale, zero graph.Value }

// InIntegers adds the node that computes the quantised output of q, a QuantizeLinear, from quantised inputs in integers, where what q
// quantises is one layer of dequantised values that nothing else reads: a convolution with dequantised weights, or what only moves numbers.
// It returns that node, which takes the place of q, and nil where there is none. only(v) is the one reader of v, nil where there are more
// or v is wanted. Sums and products are for QuantisedTriple.
func InIntegers(b *graph.Builder, q *graph.Node, only func(graph.Value) *graph.Node) *graph.Node {
	g := b.G
	if q.Op != QuantizeLinear || !slices.Contains(small8, g.Info(q.Out[0]).DType) {
		return nil
	}
	qa := q.Attrs.(*quantizeAttrs)
	out := quantised{q.Out[0], q.In[1], input(q, 2)}
	if !single(g, out.scale) || qa.Precision != 0 || out.zero != 0 && !single(g, out.zero) {
		return nil
	}
	out.zero = zeroPoint(b, out)
	reader, v := q, q.In[0]
	layer := g.Info(v).Def
	if layer == nil || only(v) != reader {
		return nil
	}
	if layer.Op == Relu && out.zero != 0 && lowest(g, out.zero) { // what is below zero saturates there
		reader, v = layer, layer.In[0]
		layer = g.Info(v).Def
		if layer == nil || only(v) != reader {
			return nil
		}
	}
	if layer.For != nil || len(layer.Out) != 1 {
		return nil
	}
	switch {
	case layer.Op == Conv:
		return convInIntegers(b, layer, out)
	case reader == q:
		return moveInIntegers(b, layer, out)
	}
	return nil
}

// single reports whether v is a constant of one element.
func single(g *graph.Graph, v graph.Value) bool {
	in := g.Info(v)
	return in.Kind == graph.Constant && in.Data.Len() == 1
}

// zeroPoint is the zero point of q, a constant 0 where it has none.
func zeroPoint(b *graph.Builder, q quantised) graph.Value {
	if q.zero != 0 {
		return q.zero
	}
	return b.Const(tensor.New(b.DType(q.x)))
}

// lowest reports whether the zero point v is the smallest number of its type.
func lowest(g *graph.Graph, v graph.Value) bool {
	t := g.Info(v).Data
	lo, _ := bounds(t.DType())
	return zeroOf(t) == lo
}

// dequantisedAll is what v was dequantised from, with one scale and zero point for all.
func dequantisedAll(b *graph.Builder, v graph.Value) (quantised, bool) {
	g := b.G
	n := g.Info(v).Def
	if n == nil || n.Op != DequantizeLinear || !slices.Contains(small8, g.Info(n.In[0]).DType) || !single(g, n.In[1]) {
		return quantised{}, false
	}
	q := quantised{n.In[0], n.In[1], input(n, 2)}
	if q.zero != 0 && !single(g, q.zero) {
		return quantised{}, false
	}
	q.zero = zeroPoint(b, q)
	return q, true
}

// dequantisedWeights is what v was dequantised from, a constant, with one scale and zero point for all, or one for each place along axis
// at.
func dequantisedWeights(b *graph.Builder, v graph.Value, at int) (quantised, bool) {
	g := b.G
	n := g.Info(v).Def
	if n == nil || n.Op != DequantizeLinear || g.Info(n.In[0]).Kind != graph.Constant {
		return quantised{}, false
	}
	if q, ok := dequantisedAll(b, v); ok {
		return q, true
	}
	w, a := g.Info(n.In[0]), n.Attrs.(*dequantizeAttrs)
	s := g.Info(n.In[1])
	k, err := axis(a.Axis, w.Data.Rank())
	if err != nil || k != at || a.Block != 0 || !slices.Contains(small8, w.DType) || s.Kind != graph.Constant ||
		!s.Data.Shape().Equal(tensor.Shape{w.Data.Dim(at)}) {
		return quantised{}, false
	}
	q := quantised{n.In[0], n.In[1], input(n, 2)}
	if q.zero == 0 {
		q.zero = b.Const(tensor.New(w.DType, w.Data.Dim(at)))
	} else if z := g.Info(q.zero); z.Kind != graph.Constant || !z.Data.Shape().Equal(s.Data.Shape()) {
		return quantised{}, false
	}
	return q, true
}

func convInIntegers(b *graph.Builder, n *graph.Node, out quantised) *graph.Node {
	a := n.Attrs.(*convAttrs)
	if a.act != nil || a.residual {
		return nil
	}
	x, ok := dequantisedAll(b, n.In[0])
	if !ok {
		return nil
	}
	w, ok := dequantisedWeights(b, n.In[1], 0)
	if !ok {
		return nil
	}
	in := []graph.Value{x.x, x.scale, x.zero, w.x, w.scale, w.zero, out.scale, out.zero}
	if bias := input(n, 2); bias != 0 {
		v := biasInIntegers(b, bias, x.scale, w.scale)
		if v == 0 {
			return nil
		}
		in = append(in, v)
	}
	c := *a
	return b.AddNode(n.Name, QLinearConv, &c, in, []bool{true})
}

// biasInIntegers is the constant bias v in steps of the scales sx·sw; 0 where it is no constant or too large.
func biasInIntegers(b *graph.Builder, v, sx, sw graph.Value) graph.Value {
	g := b.G
	var t *tensor.Tensor
	if in := g.Info(v); in.Kind == graph.Constant {
		t = in.Data
	} else if n := in.Def; n != nil && n.Op == DequantizeLinear {
		given := make([]*tensor.Tensor, len(n.In))
		for i, x := range n.In {
			if x == 0 {
				continue
			}
			if given[i] = g.Info(x).Data; g.Info(x).Kind != graph.Constant {
				return 0
			}
		}
		out, err := graph.Evaluate(g, n, given)
		if err != nil {
			return 0
		}
		t = out[0]
	}
	if t == nil || t.DType() != tensor.Float32 {
		return 0
	}
	s, each := g.Info(sx).Data.F32()[0], g.Info(sw).Data.F32()
	whole := make([]int32, t.Len())
	for i, x := range t.F32() {
		r := math.RoundToEven(float64(x) / (float64(s) * float64(each[min(i, len(each)-1)])))
		if !(math.Abs(r) < 1<<30) {
			return 0
		}
		whole[i] = int32(r)
	}
	return b.Const(tensor.From(whole, t.Shape()...))
}

// moveInIntegers moves quantised numbers as n moves what they stand for, where input and output have the same scale and zero point.
func moveInIntegers(b *graph.Builder, n *graph.Node, out quantised) *graph.Node {
	g := b.G
	monotone := n.Op.Role == graph.Pool && n.Op.Name == MaxPool.Name
	if !monotone && n.Op.Role != graph.View || n.Op == QuantizeLinear || n.Op == DequantizeLinear || n.Op.Name == Cast.Name {
		return nil
	}
	x, ok := dequantisedAll(b, n.In[0])
	if !ok || !sameNumber(g, x.scale, out.scale) || !sameNumber(g, x.zero, out.zero) {
		return nil
	}
	if f := n.Op.FormalIn(0); f.Types != nil && !slices.Contains(f.Types, g.Info(x.x).DType) {
		return nil
	}
	m := b.AddNode(n.Name, n.Op, n.Attrs, append([]graph.Value{x.x}, n.In[1:]...), []bool{true})
	if m != nil {
		m.Opset = n.Opset
	}
	return m
}

func sameNumber(g *graph.Graph, a, b graph.Value) bool {
	return tensor.Equal(g.Info(a).Data.Reshape(1), g.Info(b).Data.Reshape(1))
}

// zeroOf is the zero point in t, one number of 8 bits.
func zeroOf(t *tensor.Tensor) int32 {
	if t.DType() == tensor.Int8 {
		return int32(tensor.Data[int8](t)[0])
	}
	return int32(tensor.Data[uint8](t)[0])
}
