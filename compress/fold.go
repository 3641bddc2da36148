package compress

import (
	"math"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// foldBatchNorm puts each batch normalisation by stored statistics behind a Conv that nothing else reads, with stored weights in float32,
// into those weights, and says how many. The values after them keep their names.
func (n *net) foldBatchNorm() int {
	folded := 0
	for _, bn := range append([]*onnxpb.NodeProto(nil), n.g.Node...) {
		if !is(bn, "BatchNormalization") || len(bn.GetInput()) != 5 || number(bn, "training_mode", 0) != 0 || n.extra(bn) {
			continue
		}
		conv := n.maker[in(bn, 0)]
		if !is(conv, "Conv") || n.alone(in(bn, 0)) != bn {
			continue
		}
		w := n.constant(in(conv, 1))
		if w == nil || w.DType() != tensor.Float32 || w.Rank() < 3 {
			continue
		}
		var p [4][]float32 // scale, bias, mean, variance
		ok := true
		for i := range p {
			t := n.constant(in(bn, i+1))
			if ok = ok && t != nil && t.DType() == tensor.Float32 && t.Len() == w.Dim(0); ok {
				p[i] = t.F32()
			}
		}
		bias := make([]float64, w.Dim(0))
		if name := in(conv, 2); name != "" {
			t := n.constant(name)
			if ok = ok && t != nil && t.DType() == tensor.Float32 && t.Len() == len(bias); ok {
				for i, x := range t.F32() {
					bias[i] = float64(x)
				}
			}
		}
		if !ok {
			continue
		}
		eps := float64(float(bn, "epsilon", 1e-5))
		v := w.Clone()
		rows, c := v.F32(), make([]float32, len(bias))
		each := v.Len() / max(1, len(bias))
		for i := range bias {
			k := float64(p[0][i]) / math.Sqrt(float64(p[3][i])+eps)
			for j := i * each; j < (i+1)*each; j++ {
				rows[j] = float32(float64(rows[j]) * k)
			}
			c[i] = float32((bias[i]-float64(p[2][i]))*k + float64(p[1][i]))
		}
		x := onnx.NewNode("Conv", conv.GetName(), []string{in(conv, 0), n.store(in(conv, 1), v), n.store(in(conv, 1)+"_bias",
			tensor.From(c, len(c)))},
			[]string{bn.GetOutput()[0]}, conv.GetAttribute()...)
		x.DocString, x.MetadataProps = conv.DocString, conv.MetadataProps
		n.replace(conv, x)
		n.replace(bn)
		n.index()
		folded++
	}
	n.sweep()
	return folded
}

// extra reports whether one of the further outputs of x is there.
func (n *net) extra(x *onnxpb.NodeProto) bool {
	for i, o := range x.GetOutput() {
		if i > 0 && o != "" {
			return true
		}
	}
	return false
}
