package train

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// encoderFeatures is the output that the metadata of m name as its features, "" where it is no encoder.
func encoderFeatures(m *onnx.Model) string {
	name, ok := m.Metadata(FeaturesKey)
	if !ok {
		return ""
	}
	for _, o := range m.Proto.GetGraph().GetOutput() {
		if o.GetName() == name {
			return name
		}
	}
	return ""
}

// appendTo is a copy of the encoder m that gives scores of its features, in the place of its outputs: a dense layer, weights uniform in
// ±sqrt(1/fan-in), biases zero. It is an encoder no more.
func (r NewHead) appendTo(m *onnx.Model, features string) (*onnx.Model, *ClassifierHead, error) {
	out := m.Clone()
	g := out.Proto.GetGraph()
	f := newFinder(out)
	vi := f.outputOf(features)
	dims := vi.GetType().GetTensorType().GetShape().GetDim()
	kind := tensor.DType(vi.GetType().GetTensorType().GetElemType())
	if len(dims) != 2 || dims[1].GetDimValue() < 1 {
		return nil, nil, fmt.Errorf("train: head: the features %q of the encoder are not declared as [N,F]", features)
	}
	width := int(dims[1].GetDimValue())
	rnd := rand.New(rand.NewPCG(r.Seed, 0x6865616421))
	bound := math.Sqrt(1 / float64(width))
	v := make([]float64, r.Classes*width)
	for i := range v {
		v[i] = (2*rnd.Float64() - 1) * bound
	}
	w, _ := tensor.From(v, r.Classes, width).Convert(kind) // real numbers convert
	b := tensor.New(kind, r.Classes)
	name := f.freshName("logits")
	weight, bias := f.freshName("head.weight"), f.freshName("head.bias")
	f.addInitializer(weight, w)
	f.addInitializer(bias, b)
	g.Node = append(g.Node, onnx.NewNode("Gemm", f.freshName("head"), []string{features, weight, bias}, []string{name},
		onnx.AttrInt("transB", 1)))
	end := name
	if r.Activation == "Softmax" || r.Activation == "Sigmoid" {
		end = f.freshName("probabilities")
		n := onnx.NewNode(r.Activation, end, []string{name}, []string{end})
		if r.Activation == "Softmax" {
			n.Attribute = []*onnxpb.AttributeProto{onnx.AttrInt("axis", 1)}
		}
		g.Node = append(g.Node, n)
	}
	g.Output = []*onnxpb.ValueInfoProto{onnx.ValueInfo(end, kind, batchDim(g), r.Classes)}
	keepReached(out)
	out.DropMetadata(FeaturesKey)
	out.DropMetadata(task.MetadataKey)
	h, err := FindHead(out, "")
	return out, h, err
}
