package train

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// quantised is a constant of few bits that a layer reads as real numbers: an initializer behind a DequantizeLinear, perhaps through views.
type quantised struct {
	chain []*onnxpb.NodeProto // views from the layer to dq
	dq    *onnxpb.NodeProto
	key   string // the initializer
	root  string // likewise, as a value
	shape tensor.Shape
	dtype tensor.DType
}

// isNBits reports whether n is a product with a weight of 2, 4 or 8 bits in blocks, as ONNX Runtime's tools write it.
func isNBits(n *onnxpb.NodeProto) bool {
	return n.GetDomain() == fusedDomain && n.GetOpType() == "MatMulNBits"
}

// loraOperand is input i of n, a constant of real numbers or a quantised one.
func (f *finder) loraOperand(n *onnxpb.NodeProto, i int) (*operand, *quantised) {
	if i >= len(n.GetInput()) || n.GetInput()[i] == "" {
		return nil, nil
	}
	if o := f.operand(n, i); o != nil {
		return o, nil
	}
	q := &quantised{}
	name := n.GetInput()[i]
	for range 64 {
		at := f.makers[name]
		if at == nil || len(at.GetInput()) == 0 {
			return nil, nil
		}
		if f.is(at, ops.DequantizeLinear) {
			q.dq = at
			break
		}
		if f.role(at) != graph.View {
			return nil, nil
		}
		q.chain = append(q.chain, at)
		name = at.GetInput()[0]
	}
	if q.dq == nil || len(q.dq.GetInput()) < 2 {
		return nil, nil
	}
	codes, scale := f.operand(q.dq, 0), f.operand(q.dq, 1)
	if codes == nil || scale == nil || !scale.value.DType().IsFloat() {
		return nil, nil
	}
	q.key, q.root, q.dtype = codes.root, codes.root, scale.value.DType()
	t := tensor.New(q.dtype, codes.value.Shape()...)
	for i := len(q.chain) - 1; i >= 0; i-- {
		if t = f.view(q.chain[i], t); t == nil {
			return nil, nil
		}
	}
	q.shape, q.dtype = t.Shape(), t.DType()
	return nil, q
}

// nbitsWeight reads a MatMulNBits, whose weight stands for a matrix [K,N].
func (f *finder) nbitsWeight(n *onnxpb.NodeProto) (w *loraWeight, root, why string) {
	k, cols := int(intAttr(n, "K", 0)), int(intAttr(n, "N", 0))
	codes, scales := f.operand(n, 1), f.operand(n, 2)
	if codes == nil || scales == nil || k < 1 || cols < 1 {
		return nil, "", "its weight is computed"
	}
	w = &loraWeight{
		key: codes.root, reads: []loraRead{{n, 1}}, shape: tensor.Shape{k, cols}, dtype: scales.value.DType(), form: loraRight, group: 1,
		quant: true, views: viewsOf(codes.chain),
	}
	if !w.dtype.IsFloat() {
		why = "its scales are no real numbers"
	}
	return w, codes.root, why
}
