package onnx

import (
	"fmt"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// AppendAffine makes output the value that it was, times scale, plus shift, by a Mul and an Add behind it; the output keeps its name, its
// type and its shape. scale and shift are of the output's element type and broadcast to it. What inside the graph reads the value goes on
// reading it as it was.
func (m *Model) AppendAffine(output string, scale, shift *tensor.Tensor) error {
	g := m.Proto.GetGraph()
	var out *onnxpb.ValueInfoProto
	for _, o := range g.GetOutput() {
		if o.GetName() == output {
			out = o
		}
	}
	if out == nil {
		return fmt.Errorf("onnx: affine: the model has no output %q", output)
	}
	d := tensor.DType(out.GetType().GetTensorType().GetElemType())
	if scale.DType() != d || shift.DType() != d {
		return fmt.Errorf("onnx: affine: output %q is %v, scale and shift are %v and %v", output, d, scale, shift)
	}
	var from *onnxpb.NodeProto
	for _, n := range g.GetNode() {
		for _, o := range n.GetOutput() {
			if o == output {
				from = n
			}
		}
	}
	if from == nil {
		return fmt.Errorf("onnx: affine: output %q is not computed by a node", output)
	}
	free := m.freeNames()
	raw, scaled := free(output+".raw"), free(output+".scaled")
	m.renameValue(output, raw)
	names := [2]string{free(output + ".scale"), free(output + ".shift")}
	for i, t := range []*tensor.Tensor{scale, shift} {
		g.Initializer = append(g.Initializer, TensorToProto(names[i], t))
		if m.Proto.GetIrVersion() < 4 { // initializers are inputs too
			g.Input = append(g.Input, ValueInfo(names[i], d, dimsOf(t)...))
		}
	}
	var attrs []*onnxpb.AttributeProto
	if m.Opset("") < 7 {
		attrs = append(attrs, AttrInt("broadcast", 1))
	}
	g.Node = append(g.Node,
		NewNode("Mul", free(output+".mul"), []string{raw, names[0]}, []string{scaled}, attrs...),
		NewNode("Add", free(output+".add"), []string{scaled, names[1]}, []string{output}, attrs...))
	return nil
}

func dimsOf(t *tensor.Tensor) []any {
	var dims []any
	for _, d := range t.Shape() {
		dims = append(dims, d)
	}
	return dims
}

// renameValue renames a value of the main graph that a node computes wherever it is read, but for the list of the graph's outputs.
func (m *Model) renameValue(from, to string) {
	swap := func(names []string) {
		for i, n := range names {
			if n == from {
				names[i] = to
			}
		}
	}
	main := m.Proto.GetGraph()
	for g := range m.Graphs() {
		for _, n := range g.GetNode() {
			swap(n.Input)
			swap(n.Output)
		}
		for _, v := range g.GetValueInfo() {
			if v.GetName() == from {
				v.Name = &to
			}
		}
		for _, q := range g.GetQuantizationAnnotation() {
			if q.GetTensorName() == from {
				q.TensorName = &to
			}
		}
		if g == main {
			continue
		}
		for _, o := range g.GetOutput() { // of a body: the value from outside, handed on
			if o.GetName() == from {
				o.Name = &to
			}
		}
	}
}

// freeNames gives names of values and nodes that the model does not have, near those that are asked for.
func (m *Model) freeNames() func(string) string {
	taken := map[string]bool{}
	for g := range m.Graphs() {
		ownNames(g, taken)
		for _, n := range g.GetNode() {
			taken[n.GetName()] = true
		}
	}
	return func(want string) string {
		name := want
		for i := 2; taken[name]; i++ {
			name = fmt.Sprintf("%s.%d", want, i)
		}
		taken[name] = true
		return name
	}
}
