package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Export is the graph of q as a plain ONNX model: the forward pass with its loss, gradients and whatever else q asks for, in ONNX's own
// operators, so that any runtime computes them. Its outputs are called "loss", "grad:NAME", "norm2:NAME" and by the names of the values in
// q.Fetch. Operators of the engine that cannot be written in ONNX's are listed in an *UnsupportedError.
func (m *Model) Export(q Query) (*onnx.Model, error) {
	s := &Session{m: m, q: q, plain: true}
	g, fetch, err := s.derive()
	if err != nil {
		return nil, err
	}
	if err := rewrite.LowerPrivate(g); err != nil {
		return nil, fmt.Errorf("engine: export: %w", err)
	}
	rewrite.Dead(g, fetch)
	names := make([]string, len(fetch))
	for key, i := range s.slot {
		kind, name, _ := strings.Cut(key, ":")
		switch kind {
		case "g":
			name = "grad:" + name
		case "n":
			name = "norm2:" + name
		case "s":
			name = "state:" + name
		case "loss", "norm2":
			name = kind
		}
		names[i] = name
	}
	return toModel(g, fetch, names)
}

// toModel writes g as an ONNX model with the values fetch as its outputs, called names.
func toModel(g *graph.Graph, fetch []graph.Value, names []string) (*onnx.Model, error) {
	opset, err := commonOpset(g)
	if err != nil {
		return nil, err
	}
	e := &encoder{g: g, name: make(map[graph.Value]string), p: &onnxpb.GraphProto{Name: &g.Name}}
	for i, v := range fetch {
		if _, taken := e.name[v]; !taken && g.Info(v).Kind == graph.Computed {
			e.name[v] = names[i]
		}
	}
	for _, v := range g.Inputs {
		in := g.Info(v)
		e.p.Input = append(e.p.Input, valueInfo(in.Name, in))
	}
	for _, n := range g.Nodes {
		if err := e.node(n); err != nil {
			return nil, err
		}
	}
	for i, v := range fetch {
		if e.nameOf(v) != names[i] {
			e.p.Node = append(e.p.Node, onnx.NewNode("Identity", "", []string{e.use(v)}, []string{names[i]}))
		}
		e.p.Output = append(e.p.Output, &onnxpb.ValueInfoProto{Name: &names[i], Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
			TensorType: &onnxpb.TypeProto_Tensor{ElemType: new(int32(g.Info(v).DType))},
		}}})
	}
	return onnx.NewModel(e.p, int64(opset)), nil
}

func valueInfo(name string, in *graph.Info) *onnxpb.ValueInfoProto {
	dims := make([]any, len(in.Dims))
	for i, d := range in.Dims {
		dims[i] = d.Symbol
		if d.Size >= 0 {
			dims[i] = d.Size
		}
	}
	vi := onnx.ValueInfo(name, in.DType, dims...)
	if in.Dims == nil {
		vi.GetType().GetTensorType().Shape = nil
	}
	return vi
}

// commonOpset is an operator set in which every node of g means what its operator implements.
func commonOpset(g *graph.Graph) (int, error) {
	var missing []Missing
	for _, n := range g.Nodes {
		if n.Op.Domain != "" || len(n.Bodies) > 0 {
			missing = append(missing, Missing{Node: n.Name, Op: n.Op.Name, Domain: n.Op.Domain, Why: "operator has no form in ONNX's operators"})
		}
	}
	if len(missing) > 0 {
		return 0, &UnsupportedError{missing}
	}
	var last *graph.Node
	for opset := 17; opset <= onnx.LatestOpset; opset++ {
		ok := true
		for _, n := range g.Nodes {
			if !slices.Contains(n.Op.Since, graph.SinceAt("", n.Op.Name, opset)) {
				ok, last = false, n
				break
			}
		}
		if ok {
			return opset, nil
		}
	}
	return 0, &UnsupportedError{[]Missing{{Node: last.Name, Op: last.Op.Name, Opset: last.Op.Since[len(last.Op.Since)-1],
		Why: "operator is of a version that no operator set from 17 on shares with the other nodes"}}}
}

// encoder turns the nodes of a graph into protobuf.
type encoder struct {
	g    *graph.Graph
	p    *onnxpb.GraphProto
	name map[graph.Value]string
}

func (e *encoder) nameOf(v graph.Value) string {
	if n, ok := e.name[v]; ok {
		return n
	}
	return e.g.Info(v).Name
}

// use is the name of v for a reader; a constant or parameter becomes an initializer when it is first used.
func (e *encoder) use(v graph.Value) string {
	if v == 0 {
		return ""
	}
	n := e.nameOf(v)
	in := e.g.Info(v)
	if _, done := e.name[v]; !done && in.Data != nil {
		e.name[v] = n
		e.p.Initializer = append(e.p.Initializer, onnx.TensorToProto(n, in.Data))
	}
	return n
}

func (e *encoder) node(n *graph.Node) error {
	in, out := make([]string, len(n.In)), make([]string, len(n.Out))
	for i, v := range n.In {
		in[i] = e.use(v)
	}
	for i, v := range n.Out {
		if v != 0 {
			if f := n.Op.FormalOut(i); f != nil && f.Private {
				return fmt.Errorf("engine: export: %s: output %s has no counterpart in ONNX", n.Label(), f.Name)
			}
			out[i] = e.nameOf(v)
		}
	}
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	attrs := graph.EncodeAttrs(n.Attrs)
	names := make([]string, 0, len(attrs))
	for k := range attrs {
		names = append(names, k)
	}
	slices.Sort(names)
	var ps []*onnxpb.AttributeProto
	for _, k := range names {
		switch x := attrs[k].(type) {
		case int64:
			ps = append(ps, onnx.AttrInt(k, x))
		case float32:
			ps = append(ps, onnx.AttrFloat(k, x))
		case string:
			ps = append(ps, onnx.AttrString(k, x))
		case []int64:
			ps = append(ps, onnx.AttrInts(k, x...))
		case []float32:
			ps = append(ps, onnx.AttrFloats(k, x...))
		case []string:
			ps = append(ps, onnx.AttrStrings(k, x...))
		case *tensor.Tensor:
			ps = append(ps, onnx.AttrTensor(k, x))
		default:
			return fmt.Errorf("engine: export: %s: attribute %s of type %T", n.Label(), k, x)
		}
	}
	e.p.Node = append(e.p.Node, onnx.NewNode(n.Op.Name, fmt.Sprintf("%s#%d", n.Op.Name, n.ID), in, out, ps...))
	return nil
}
