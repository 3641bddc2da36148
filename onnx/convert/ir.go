package convert

import (
	"strings"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/onnx/schema"
)

// irVersion is the IR version of m for operator set to: the one that came with that set, later where the file has what came later. A file
// that is older and may hold the set keeps its own.
func irVersion(m *onnx.Model, to int64) int64 {
	have, want := m.Proto.GetIrVersion(), onnx.NewModel(&onnxpb.GraphProto{}, to).Proto.GetIrVersion()
	if have <= want {
		if want == 4 && have == 3 {
			return have // of the same age as operator sets 1 to 8
		}
		return want
	}
	need := func(v int64, is bool) {
		if is {
			want = max(want, v)
		}
	}
	p := m.Proto
	need(7, len(p.GetTrainingInfo()) > 0)
	need(8, len(p.GetFunctions()) > 0)
	props := func(g *onnxpb.GraphProto) {
		need(10, len(g.GetMetadataProps()) > 0)
		for _, vs := range [][]*onnxpb.ValueInfoProto{g.GetInput(), g.GetOutput(), g.GetValueInfo()} {
			for _, v := range vs {
				need(10, len(v.GetMetadataProps()) > 0)
				need(irOfType(schema.TypeName(v.GetType())), true)
			}
		}
	}
	for g := range m.Graphs() {
		props(g)
		need(5, len(g.GetSparseInitializer()) > 0)
	}
	m.Walk(func(_ *onnxpb.GraphProto, n *onnxpb.NodeProto) {
		need(10, len(n.GetMetadataProps()) > 0 || n.GetOverload() != "")
		need(11, len(n.GetDeviceConfigurations()) > 0)
	})
	for t := range m.Tensors() {
		need(10, len(t.Proto.GetMetadataProps()) > 0)
		need(irOfType(schema.Element(t.Proto.GetDataType())), true)
	}
	return min(have, want)
}

// irOfType is the IR version that a type needs.
func irOfType(name string) int64 {
	switch v := typeSince(name); {
	case strings.Contains(name, "optional("):
		return 8
	case v == 19:
		return 9
	case v == 21:
		return 10
	case v == 23:
		return 11
	case v == 24:
		return 12
	case v == 25:
		return 13
	}
	return 3
}

// typeSince is the operator set that brought an element type, 1 for the old ones.
func typeSince(name string) int {
	for _, t := range []struct {
		part  string
		since int
	}{{"float8e8m0", 24}, {"float8", 19}, {"float4", 23}, {"int4", 21}, {"int2", 25}, {"bfloat16", 13}} {
		if strings.Contains(name, t.part) {
			return t.since
		}
	}
	return 1
}
