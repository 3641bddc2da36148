package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// QuantisedTriple makes of q, a QuantizeLinear of what m gives, the operator of quantised numbers that does what m does to what was
// dequantised, and reports whether there is one: all of one 8-bit type, each with one scale.
func QuantisedTriple(g *graph.Graph, m, q *graph.Node) bool {
	d := g.Info(q.Out[0]).DType
	if !contains(small8, d) || !oneScale(g, q) {
		return false
	}
	if m.Op == MatMul || m.Op == Gemm {
		return quantisedProduct(g, m, q)
	}
	var op *graph.Spec
	attrs := any(&noAttrs{})
	operands := 2
	switch m.Op {
	case Add:
		op = QuantisedAdd
	case Mul:
		op = QuantisedMul
	case Softmax:
		a, ok := m.Attrs.(*softmaxAttrs)
		if !ok {
			return false
		}
		op, attrs, operands = QuantisedSoftmax, &quantisedSoftmaxAttrs{Axis: a.Axis}, 1
	default:
		return false
	}
	var in []graph.Value
	for _, v := range m.In[:operands] {
		x := g.Info(v).Def
		if x == nil || x.Op != DequantizeLinear || g.Info(x.In[0]).DType != d || !oneScale(g, x) {
			return false
		}
		in = append(in, x.In[0], x.In[1], input(x, 2))
	}
	in = append(in, q.In[1], input(q, 2))
	q.Op, q.Attrs, q.In, q.NumIn = op, attrs, in, len(in)
	return true
}

// oneScale reports whether the scale of n, a QuantizeLinear or DequantizeLinear, is one number.
func oneScale(g *graph.Graph, n *graph.Node) bool {
	s := g.Info(n.In[1])
	if p, ok := n.Attrs.(*quantizeAttrs); ok && tensor.DType(p.Precision) != tensor.Undefined && tensor.DType(p.Precision) != tensor.Float32 {
		return false
	}
	return s.DType == tensor.Float32 && s.Data != nil && s.Data.Len() == 1
}

// quantisedProduct makes of q, a QuantizeLinear of the product m of dequantised matrices, a QLinearMatMul.
func quantisedProduct(g *graph.Graph, m, q *graph.Node) bool {
	var dq [3]*graph.Node
	for i, v := range m.In[:m.NumIn] {
		if v != 0 {
			dq[i] = g.Info(v).Def
		}
		if dq[i] == nil || dq[i].Op != DequantizeLinear {
			return false
		}
	}
	x, w := dq[0], dq[1]
	if x == nil || w == nil || g.Info(x.In[0]).DType != g.Info(q.Out[0]).DType || !oneScale(g, x) || !contains(small8, g.Info(w.In[0]).DType) {
		return false
	}
	b := graph.NewBuilder(g)
	factor, bias := w.In[0], graph.Value(0)
	columns := 1
	if m.Op == Gemm {
		a := m.Attrs.(*gemmAttrs)
		t := g.Info(factor).Data
		if a.TransA || a.Alpha != 1 || t == nil || t.Rank() != 2 {
			return false
		}
		if a.TransB {
			columns, factor = 0, b.Const(transposed8(t))
		}
		if dq[2] != nil {
			c := g.Info(dq[2].In[0])
			if a.Beta != 1 || c.DType != tensor.Int32 || c.Data == nil || !c.Data.Shape().Equal(tensor.Shape{t.Dim(columns)}) ||
				!sameContent(g, 0, input(dq[2], 2), never) || !biasScale(g, dq[2], x, w) {
				return false
			}
			bias = dq[2].In[0]
		}
	}
	if !oneScale(g, w) && !columnScales(g, w, columns) {
		return false
	}
	zero := func(n *graph.Node, i int, d tensor.DType, like graph.Value) graph.Value {
		if z := input(n, i); z != 0 {
			return z
		}
		return b.Const(tensor.New(d, g.Info(like).Data.Shape()...))
	}
	in := []graph.Value{x.In[0], x.In[1], zero(x, 2, g.Info(x.In[0]).DType, x.In[1]), factor, w.In[1],
		zero(w, 2, g.Info(w.In[0]).DType, w.In[1]), q.In[1], zero(q, 2, g.Info(q.Out[0]).DType, q.In[1])}
	if bias != 0 {
		in = append(in, bias)
	}
	if b.Err() != nil {
		return false
	}
	q.Op, q.Attrs, q.In, q.NumIn = QLinearMatMul, &noAttrs{}, in, len(in)
	return true
}

func never(graph.Value) bool { return false }

// columnScales reports whether the scales of w belong to the columns of a matrix that the file holds.
func columnScales(g *graph.Graph, w *graph.Node, columns int) bool {
	t, s, a := g.Info(w.In[0]).Data, g.Info(w.In[1]), w.Attrs.(*dequantizeAttrs)
	if t == nil || t.Rank() != 2 || s.Data == nil || s.DType != tensor.Float32 || a.Block != 0 {
		return false
	}
	k, err := axis(a.Axis, 2)
	return err == nil && k == columns && s.Data.Shape().Equal(tensor.Shape{t.Dim(k)})
}

// biasScale reports whether the bias is quantised, up to rounding, with the product of the scales of the factors.
func biasScale(g *graph.Graph, bias, x, w *graph.Node) bool {
	s, sx, sw := g.Info(bias.In[1]).Data, g.Info(x.In[1]).Data, g.Info(w.In[1]).Data
	if s == nil || sx == nil || sw == nil || s.Len() != sw.Len() || s.DType() != tensor.Float32 || sw.DType() != tensor.Float32 {
		return false
	}
	for i, v := range s.F32() {
		if p := sx.F32()[0] * sw.F32()[i]; !(v >= p*(1-1e-6) && v <= p*(1+1e-6)) {
			return false
		}
	}
	return true
}

// transposed8 is the transpose of a matrix of 8-bit numbers.
func transposed8(t *tensor.Tensor) *tensor.Tensor {
	rows, columns := t.Dim(0), t.Dim(1)
	out := tensor.New(t.DType(), columns, rows)
	x, y := t.Bytes(), out.Bytes()
	for i := range rows {
		for j := range columns {
			y[j*rows+i] = x[i*columns+j]
		}
	}
	return out
}
