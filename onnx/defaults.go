package onnx

import (
	"slices"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// Defaults lists the inputs of the main graph that have an initializer, which is their value unless they are fed; before IR version 4
// there are none, since all initializers are inputs there.
func (m *Model) Defaults() []*onnxpb.ValueInfoProto {
	if m.Proto.GetIrVersion() < 4 {
		return nil
	}
	fed := m.Inputs()
	var out []*onnxpb.ValueInfoProto
	for _, v := range m.Proto.GetGraph().GetInput() {
		if !slices.Contains(fed, v) {
			out = append(out, v)
		}
	}
	return out
}

// DropDefault takes the default value of an input away, so that it must be fed; it reports whether there was one.
func (m *Model) DropDefault(name string) bool {
	if !slices.ContainsFunc(m.Defaults(), func(v *onnxpb.ValueInfoProto) bool { return v.GetName() == name }) {
		return false
	}
	g := m.Proto.GetGraph()
	g.Initializer = slices.DeleteFunc(g.Initializer, func(t *onnxpb.TensorProto) bool { return t.GetName() == name })
	g.SparseInitializer = slices.DeleteFunc(g.SparseInitializer, func(t *onnxpb.SparseTensorProto) bool {
		return t.GetValues().GetName() == name
	})
	return true
}
