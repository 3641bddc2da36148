package compress

import (
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// dynamic quantises what products read in each run, and the weights of the other layers.
func (q *int8Net) dynamic() {
	type three struct{ x, scale, zero string }
	done := map[string]three{}
	var nodes []*onnxpb.NodeProto
	add := func(op, name string, ins []string, outs []string, attrs ...*onnxpb.AttributeProto) {
		nodes = append(nodes, onnx.NewNode(op, name, ins, outs, attrs...))
	}
	for _, x := range q.g.Node {
		l := q.of[x]
		switch {
		case l == nil:
			nodes = append(nodes, x)
			continue
		case !is(x, "MatMul", "Gemm"):
			nodes = append(append(nodes, q.stored(l, nil)...), x)
			continue
		}
		v, out := in(x, 0), x.GetOutput()[0]
		d, ok := done[v]
		if !ok {
			d = three{q.free(v + "_quantized"), q.free(v + "_scale"), q.free(v + "_zero_point")}
			add("DynamicQuantizeLinear", v+"_QuantizeLinear", []string{v}, []string{d.x, d.scale, d.zero})
			done[v] = d
		}
		m, axis := l.w, l.axis
		if is(x, "Gemm") && number(x, "transB", 0) != 0 {
			m = transposed(m)
			if axis >= 0 {
				axis = 1
			}
		}
		w := quantiseWeights(m, axis, q.m.most(), nil)
		scale := tensor.Scalar(w.scale[0])
		if axis >= 0 {
			scale = tensor.From(w.scale, len(w.scale))
		}
		name := in(x, 1)
		whole, real, both, product := q.free(out+"_int32"), q.free(out+"_float"), q.free(out+"_scale"), out
		if l.bias != nil {
			product = q.free(out + "_product")
		}
		add("MatMulInteger", x.GetName()+"_quant", []string{d.x, q.store(name+"_quantized", w.q), d.zero}, []string{whole})
		add("Cast", x.GetName()+"_cast", []string{whole}, []string{real}, onnx.AttrInt("to", int64(tensor.Float32)))
		add("Mul", x.GetName()+"_scales", []string{d.scale, q.store(name+"_scale", scale)}, []string{both})
		add("Mul", x.GetName()+"_scaled", []string{real, both}, []string{product})
		if l.bias != nil {
			add("Add", x.GetName()+"_bias", []string{product, q.store(in(x, 2), tensor.From(l.bias, len(l.bias)))}, []string{out})
		}
	}
	q.g.Node = nodes
	q.sweep()
}

// weightsOnly quantises weights and nothing else.
func (q *int8Net) weightsOnly() {
	var nodes []*onnxpb.NodeProto
	for _, x := range q.g.Node {
		if l := q.of[x]; l != nil {
			nodes = append(nodes, q.stored(l, nil)...)
		}
		nodes = append(nodes, x)
	}
	q.g.Node = nodes
	q.sweep()
}

// transposed is the transpose of a matrix in float32.
func transposed(t *tensor.Tensor) *tensor.Tensor {
	r, c := t.Dim(0), t.Dim(1)
	y := make([]float32, r*c)
	for i, v := range t.F32() {
		y[i%c*r+i/c] = v
	}
	return tensor.From(y, c, r)
}
