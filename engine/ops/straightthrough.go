package ops

import (
	"bytes"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// StraightThrough is what node n of the builder's graph computes, in operators that a gradient goes through, where n ends a way through
// quantised numbers: a DequantizeLinear of what QuantizeLinear made with the same scales is a FakeQuantize, and the Cast to float32 of a
// product of what DynamicQuantizeLinear made with constants is that product of real numbers. It is 0 for all other nodes. Of a parameter
// for which changes is true the content is not known.
func StraightThrough(b *graph.Builder, n *graph.Node, changes func(graph.Value) bool) graph.Value {
	if len(n.Out) != 1 || n.NumIn == 0 {
		return 0
	}
	from := b.G.Info(n.In[0]).Def
	switch {
	case from == nil:
	case n.Op == DequantizeLinear && from.Op == QuantizeLinear:
		return fakeQuantized(b, from, n, changes)
	case n.Op == Cast && b.DType(n.Out[0]) == tensor.Float32 && (from.Op == MatMulInteger || from.Op == ConvInteger):
		return realProduct(b, from)
	}
	return 0
}

func fakeQuantized(b *graph.Builder, q, dq *graph.Node, changes func(graph.Value) bool) graph.Value {
	g := b.G
	if b.DType(q.In[0]) != tensor.Float32 || b.DType(q.In[1]) != tensor.Float32 {
		return 0
	}
	a, d := q.Attrs.(*quantizeAttrs), dq.Attrs.(*dequantizeAttrs)
	s := g.Info(q.In[1]).Data
	single := s != nil && s.Len() == 1
	if !single && (a.Axis != d.Axis || a.Block != d.Block) || !sameContent(g, q.In[1], dq.In[1], changes) ||
		!sameContent(g, input(q, 2), input(dq, 2), changes) {
		return 0
	}
	return b.Add(FakeQuantize, &fakeQuantizeAttrs{Axis: a.Axis, Block: a.Block, Saturate: a.Saturate, To: b.DType(q.Out[0])},
		q.In[:q.NumIn]...)
}

// realProduct is the product or convolution n in real numbers: those that DynamicQuantizeLinear quantised, in steps, times the constants.
func realProduct(b *graph.Builder, n *graph.Node) graph.Value {
	g := b.G
	x, w := g.Info(n.In[0]).Def, g.Info(n.In[1]).Data
	if x == nil || x.Op != DynamicQuantizeLinear || g.Info(n.In[0]).Index != 0 || w == nil || input(n, 2) == 0 ||
		g.Info(n.In[2]).Def != x {
		return 0
	}
	scale, op, attrs, ax := b.ExtraOutput(x, 1), MatMul, any(nil), 1
	if n.Op == ConvInteger {
		op, attrs, ax = Conv, n.Attrs, 0
	} else if w.Rank() != 2 {
		return 0
	}
	in := []graph.Value{n.In[1], b.Scalar(tensor.Float32, 1)}
	if z := input(n, 3); z != 0 {
		in = append(in, z)
		k := g.Info(z).Data
		if k == nil {
			return 0
		}
		if k.Len() > 1 {
			in[1] = b.Const(tensor.From(ones32(k.Len()), k.Len()))
		}
	}
	real := b.Add(DequantizeLinear, &dequantizeAttrs{Axis: ax}, in...)
	fake := b.Add(FakeQuantize, &fakeQuantizeAttrs{Axis: 1, Saturate: true, To: tensor.Uint8}, x.In[0], scale, n.In[2])
	return b.Add(op, attrs, div(b, fake, scale), real)
}

// Quantises reports whether n makes quantised numbers of real ones, which no gradient goes through.
func Quantises(n *graph.Node) bool { return n.Op == QuantizeLinear || n.Op == DynamicQuantizeLinear }

// sameContent reports whether u and v are one value, or numbers of the file of the same content; a zero point that is absent is 0.
func sameContent(g *graph.Graph, u, v graph.Value, changes func(graph.Value) bool) bool {
	if u == v {
		return true
	}
	content := func(v graph.Value) *tensor.Tensor {
		if v == 0 || changes(v) {
			return nil
		}
		return g.Info(v).Data
	}
	x, y := content(u), content(v)
	switch {
	case u == 0:
		return y != nil && allZero(y)
	case v == 0:
		return x != nil && allZero(x)
	}
	return x != nil && y != nil && x.DType() == y.DType() && x.Len() == y.Len() && bytes.Equal(x.Bytes(), y.Bytes())
}

func allZero(t *tensor.Tensor) bool {
	for _, x := range t.Bytes() {
		if x != 0 {
			return false
		}
	}
	return true
}
