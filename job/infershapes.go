package job

import (
	"maps"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/onnx/schema"
	"github.com/gtk-onnx/gtk/onnx/typing"
)

// InferredReport says what was stored of the values of a model.
type InferredReport struct {
	Values int    `json:"values"` // that nodes of the main graph make
	Types  int    `json:"types"`  // of them with an element type
	Shapes int    `json:"shapes"` // of them with a shape
	Why    string `json:"why"`    // there are no more shapes
}

// storeTypes declares the values of the main graph of m, inputs and outputs apart, in value_info, and completes outputs that have no shape.
// What the file declares stays.
func storeTypes(m *onnx.Model, threads int) *InferredReport {
	r := &InferredReport{}
	types, err := engine.Types(m, engine.WithThreads(threads))
	if err != nil {
		r.Why = err.Error()
	}
	g := m.Proto.GetGraph()
	declared := map[string]*onnxpb.ValueInfoProto{}
	for _, vs := range [][]*onnxpb.ValueInfoProto{g.GetValueInfo(), g.GetOutput()} {
		for _, v := range vs {
			declared[v.GetName()] = v
		}
	}
	for _, n := range g.GetNode() {
		for _, o := range n.GetOutput() {
			if o == "" {
				continue
			}
			r.Values++
			v := declared[o]
			switch t := types[o]; {
			case t == nil:
			case v == nil:
				v = &onnxpb.ValueInfoProto{Name: new(o), Type: t}
				g.ValueInfo = append(g.ValueInfo, v)
			case schema.TypeName(v.GetType()) == "":
				v.Type = t
			case v.GetType().GetTensorType() != nil && v.GetType().GetTensorType().Shape == nil:
				v.GetType().GetTensorType().Shape = t.GetTensorType().GetShape()
			}
			if schema.TypeName(v.GetType()) != "" {
				r.Types++
			}
			if v.GetType().GetTensorType().GetShape() != nil {
				r.Shapes++
			}
		}
	}
	s := typing.Declared(g, nil)
	for _, n := range g.GetNode() {
		storeBodies(m, n, s)
	}
	return r
}

// storeBodies declares the element types of the values in the bodies of n, a node of s.
func storeBodies(m *onnx.Model, n *onnxpb.NodeProto, s *typing.Scope) {
	for _, a := range n.GetAttribute() {
		for _, g := range append([]*onnxpb.GraphProto{a.GetG()}, a.GetGraphs()...) {
			if g == nil {
				continue
			}
			inner := typing.Declared(g, s)
			declared := maps.Clone(inner.Of)
			typing.Nodes(g.GetNode(), inner, m.Opset, func(n *onnxpb.NodeProto) bool { return m.Function(n) != nil }, nil)
			for _, x := range g.GetNode() {
				for _, o := range x.GetOutput() {
					if t := inner.Of[o]; o != "" && declared[o] == nil && t != nil {
						g.ValueInfo = append(g.ValueInfo, &onnxpb.ValueInfoProto{Name: new(o), Type: t})
					}
				}
				storeBodies(m, x, inner)
			}
		}
	}
}
