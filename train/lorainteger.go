package train

import (
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// integerWeight reads the MatMulInteger n as a layer of real numbers, as ONNX Runtime's dynamic quantisation writes it: what comes in is
// quantised by DynamicQuantizeLinear, and the product is cast and multiplied by both scales. w is nil for anything else.
func (f *finder) integerWeight(n *onnxpb.NodeProto, uses map[string][]valueUse) (w *loraWeight, root, why string) {
	if !f.is(n, ops.MatMulInteger) || len(n.GetInput()) < 3 {
		return nil, "", ""
	}
	from := f.made(n.GetInput()[0], ops.DynamicQuantizeLinear)
	codes := f.operand(n, 1)
	if from == nil || codes == nil || codes.value.Rank() != 2 || len(from.GetOutput()) < 3 || n.GetInput()[2] != from.GetOutput()[2] {
		return nil, "", ""
	}
	last := f.scaledProduct(n, from, uses)
	if last == nil {
		return nil, "", ""
	}
	return &loraWeight{
		key: codes.root, reads: []loraRead{{n: n, input: 1, x: from.GetInput()[0], last: last}}, shape: codes.value.Shape(),
		dtype: tensor.Float32, form: loraRight, group: 1, quant: true, integer: true, views: viewsOf(codes.chain),
	}, codes.root, ""
}

// scaledProduct finds the Cast behind n, and the product with both scales behind that, which is the end of the layer.
func (f *finder) scaledProduct(n, from *onnxpb.NodeProto, uses map[string][]valueUse) *onnxpb.NodeProto {
	only := func(name string) *onnxpb.NodeProto {
		if u := uses[name]; len(u) == 1 && !u[0].body {
			return u[0].n
		}
		return nil
	}
	cast := only(n.GetOutput()[0])
	if cast == nil || !f.is(cast, ops.Cast) || intAttr(cast, "to", 0) != int64(tensor.Float32) {
		return nil
	}
	last := only(cast.GetOutput()[0])
	if last == nil || !f.is(last, ops.Mul) {
		return nil
	}
	for i := range 2 {
		both := f.made(last.GetInput()[i], ops.Mul)
		if both == nil || last.GetInput()[1-i] != cast.GetOutput()[0] {
			continue
		}
		for k := range 2 {
			if o := f.operand(both, k); o != nil && both.GetInput()[1-k] == from.GetOutput()[1] && o.value.DType() == tensor.Float32 {
				return last
			}
		}
	}
	return nil
}
