package engine

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/onnx/typing"
	"github.com/gtk-onnx/gtk/tensor"
)

// Types is what is known of the values that the nodes of the main graph of a file make: element types by the signatures of the operators,
// and shapes, with symbols, by Model.Symbolic. The error says why there are no shapes; the element types come with it.
func Types(file *onnx.Model, opts ...Option) (map[string]*onnxpb.TypeProto, error) {
	g := file.Proto.GetGraph()
	s := typing.Declared(g, nil)
	typing.Nodes(g.GetNode(), s, file.Opset, func(n *onnxpb.NodeProto) bool { return file.Function(n) != nil }, nil)
	types := map[string]*onnxpb.TypeProto{}
	var names []string
	for _, n := range g.GetNode() {
		for _, o := range n.GetOutput() {
			if o == "" {
				continue
			}
			names = append(names, o)
			if t := s.Of[o]; t != nil {
				types[o] = t
			}
		}
	}
	m, err := Load(file, opts...)
	if err != nil {
		return types, err
	}
	defer m.Close()
	dims, err := m.Symbolic(names...)
	if err != nil {
		return types, err
	}
	for i, name := range names {
		t := types[name]
		if t == nil { // of a function, or of an operator outside of ONNX
			if d, err := m.DType(name); err == nil && d != tensor.Float32 && d != tensor.Undefined && !d.IsContainer() {
				t = typing.Tensor(int32(d), nil) // float32 may be what half precision was widened to
				types[name] = t
			}
		}
		if tt := t.GetTensorType(); tt != nil && tt.Shape == nil && dims[i] != nil {
			tt.Shape = shapeProto(dims[i])
		}
	}
	return types, nil
}

func shapeProto(dims []graph.Dim) *onnxpb.TensorShapeProto {
	s := &onnxpb.TensorShapeProto{Dim: []*onnxpb.TensorShapeProto_Dimension{}}
	for _, d := range dims {
		p := &onnxpb.TensorShapeProto_Dimension{}
		switch {
		case d.Size >= 0:
			p.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(d.Size)}
		case d.Symbol != "":
			p.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: d.Symbol}
		}
		s.Dim = append(s.Dim, p)
	}
	return s
}
