package engine

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Export is the graph of q as a plain ONNX model: the forward pass with its loss, gradients and whatever else q asks for, in ONNX's own
// operators, and those of other domains that the model itself has, so that any runtime computes them. Its outputs are called "loss",
// "grad:NAME", "norm2:NAME" and by the names of the values in q.Fetch. Operators of the engine that cannot be written in ONNX's are listed
// in an *UnsupportedError.
func (m *Model) Export(q Query) (*onnx.Model, error) {
	now, err := m.modern()
	if err != nil {
		return nil, err
	}
	if now != m {
		defer now.Close()
		m = now
	}
	if err := m.gate.enter(); err != nil {
		return nil, err
	}
	defer m.gate.leave()
	s := &Session{m: m, q: q, plain: true}
	g, fetch, err := s.derive()
	if err != nil {
		return nil, err
	}
	var failed *rewrite.LowerError
	if err := rewrite.LowerPrivate(g); errors.As(err, &failed) {
		e := &UnsupportedError{}
		for _, f := range failed.Failed {
			e.Missing = append(e.Missing, unwritten(f.Node, "no form in ONNX's operators: "+f.Err.Error()))
		}
		return nil, e
	} else if err != nil {
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
	opsets, err := commonOpsets(g)
	if err != nil {
		return nil, err
	}
	e := &encoder{
		g: g, p: &onnxpb.GraphProto{Name: &g.Name},
		name: map[graph.Value]string{}, written: map[graph.Value]bool{}, taken: map[string]bool{}, number: map[string]int{},
		promised: map[string]bool{},
	}
	for _, n := range slices.Concat(names, g.Names()) {
		e.taken[n] = true
	}
	for _, n := range names {
		e.promised[n] = true
	}
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
		if name := e.use(v); name != names[i] {
			e.p.Node = append(e.p.Node, onnx.NewNode("Identity", "", []string{name}, []string{names[i]}))
		}
		e.p.Output = append(e.p.Output, &onnxpb.ValueInfoProto{Name: &names[i], Type: onnx.TypeOf(g.Info(v).DType)})
	}
	m := onnx.NewModel(e.p, int64(opsets[""]))
	for _, domain := range slices.Sorted(maps.Keys(opsets)) {
		if domain != "" {
			m.Proto.OpsetImport = append(m.Proto.OpsetImport, &onnxpb.OperatorSetIdProto{
				Domain: new(domain), Version: new(int64(opsets[domain]))})
		}
	}
	return m, nil
}

func valueInfo(name string, in *graph.Info) *onnxpb.ValueInfoProto {
	if in.DType.IsContainer() {
		return &onnxpb.ValueInfoProto{Name: &name, Type: onnx.TypeOf(in.DType)}
	}
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

// everyNode yields the nodes of g and of its bodies until yield says no, and reports whether it never did.
func everyNode(g *graph.Graph, yield func(*graph.Node) bool) bool {
	for _, n := range g.Nodes {
		if !yield(n) {
			return false
		}
		for _, b := range n.Bodies {
			if !everyNode(b.G, yield) {
				return false
			}
		}
	}
	return true
}

// unwritten says that n, which may be part of the gradient of another node, cannot be written.
func unwritten(n *graph.Node, why string) Missing {
	m := Missing{Node: n.Name, Op: n.Op.Name, Domain: n.Op.Domain, Opset: n.Op.Since[0], Why: why}
	if n.For != nil && m.Node == "" {
		m.Node = n.For.Name
	}
	return m
}

// firstOpset is the operator set that exports are written in, where it has all that they need.
const firstOpset = 17

// commonOpsets are operator sets, by domain, in which every node of g means what its operator implements: of ai.onnx one from firstOpset
// on or, where nodes are of versions that those no longer have, the newest before it.
func commonOpsets(g *graph.Graph) (map[string]int, error) {
	var missing []Missing
	nodes := map[string][]*graph.Node{"": nil}
	everyNode(g, func(n *graph.Node) bool {
		if n.Op.Domain == ops.Private {
			missing = append(missing, unwritten(n, "no form in ONNX's operators"))
		}
		nodes[n.Op.Domain] = append(nodes[n.Op.Domain], n)
		return true
	})
	if len(missing) > 0 {
		return nil, &UnsupportedError{missing}
	}
	opsets := map[string]int{}
	for domain, of := range nodes {
		v, n := commonOpset(domain, of)
		if n != nil {
			return nil, &UnsupportedError{[]Missing{{Node: n.Name, Op: n.Op.Name, Domain: domain, Opset: n.Op.Since[len(n.Op.Since)-1],
				Why: "operator is of a version that no operator set shares with the other nodes"}}}
		}
		opsets[domain] = v
	}
	return opsets, nil
}

// commonOpset is an operator set of a domain in which all nodes mean what their operators implement, or a node that keeps it from being.
func commonOpset(domain string, nodes []*graph.Node) (int, *graph.Node) {
	var order []int
	for v := 1; v <= onnx.LatestOpset; v++ {
		order = append(order, v)
	}
	if domain == "" {
		order = order[firstOpset-1:]
		for v := firstOpset - 1; v > 0; v-- {
			order = append(order, v)
		}
	}
	var last *graph.Node
	for _, v := range order {
		k := slices.IndexFunc(nodes, func(n *graph.Node) bool {
			since := graph.SinceAt(domain, n.Op.Name, v)
			if graph.SinceAt(domain, n.Op.Name, math.MaxInt) == 0 { // no operator of ONNX's own
				return n.Op.Since[0] > v
			}
			return !slices.Contains(n.Op.Since, since)
		})
		if k < 0 {
			return v, nil
		}
		last = nodes[k]
	}
	return 0, last
}

// encoder turns the nodes of a graph into protobuf.
type encoder struct {
	g       *graph.Graph
	p       *onnxpb.GraphProto
	name    map[graph.Value]string
	written map[graph.Value]bool // constants and parameters that are initializers already
	taken   map[string]bool      // names of the whole model
	number  map[string]int       // that a name which was taken got last
	inside  bool                 // a body, whose names must differ from those around it

	promised map[string]bool // names of the outputs: what else the source calls so takes another
}

func (e *encoder) nameOf(v graph.Value) string {
	if n, ok := e.name[v]; ok {
		return n
	}
	n := e.g.Info(v).Name
	if k := e.g.Info(v).Kind; e.inside || e.promised[n] && (k == graph.Computed || k == graph.Constant) {
		n = e.free(n)
		e.name[v] = n
	}
	return n
}

// free is name, or one like it, that the model does not have yet.
func (e *encoder) free(name string) string {
	n := name
	for i := e.number[name] + 1; e.taken[n]; i++ {
		n, e.number[name] = fmt.Sprintf("%s#%d", name, i), i
	}
	e.taken[n] = true
	return n
}

// use is the name of v for a reader; a constant or parameter becomes an initializer when it is first used.
func (e *encoder) use(v graph.Value) string {
	if v == 0 {
		return ""
	}
	n := e.nameOf(v)
	if in := e.g.Info(v); in.Data != nil && !e.written[v] {
		e.written[v] = true
		e.p.Initializer = append(e.p.Initializer, onnx.TensorToProto(n, in.Data))
	}
	return n
}

// body is body k of n as an attribute.
func (e *encoder) body(n *graph.Node, k int) (*onnxpb.AttributeProto, error) {
	b := n.Bodies[k]
	c := &encoder{
		g: b.G, name: map[graph.Value]string{}, written: map[graph.Value]bool{}, taken: e.taken, number: e.number,
		inside: true,
		p:      &onnxpb.GraphProto{Name: new(fmt.Sprintf("%s#%d %s", n.Op.Name, n.ID, b.Attr))},
	}
	given := map[graph.Value]bool{} // names that are not for an output to have
	for i, v := range b.G.Inputs {
		given[v] = true
		if i < b.Formals {
			c.p.Input = append(c.p.Input, valueInfo(c.nameOf(v), b.G.Info(v)))
		} else {
			c.name[v] = e.use(n.Captured(k)[i-b.Formals])
		}
	}
	for _, m := range b.G.Nodes {
		if err := c.node(m); err != nil {
			return nil, err
		}
	}
	for _, v := range b.G.Outputs {
		name := c.use(v)
		if given[v] || b.G.Info(v).Data != nil {
			name = c.free(name)
			c.p.Node = append(c.p.Node, onnx.NewNode("Identity", "", []string{c.use(v)}, []string{name}))
		}
		given[v] = true
		c.p.Output = append(c.p.Output, valueInfo(name, b.G.Info(v)))
	}
	return &onnxpb.AttributeProto{Name: &b.Attr, Type: new(onnxpb.AttributeProto_GRAPH), G: c.p}, nil
}

func (e *encoder) node(n *graph.Node) error {
	in, out := make([]string, n.NumIn), make([]string, len(n.Out))
	for i, v := range n.In[:n.NumIn] {
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
	if len(n.Bodies) > 0 { // runtimes want an output for each that the bodies have
		out = append(out, make([]string, len(n.Bodies[0].G.Outputs)-n.Op.Lead-len(out))...)
		for i := range out {
			if out[i] == "" {
				out[i] = e.free("unused")
			}
		}
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
		case tensor.DType:
			ps = append(ps, onnx.AttrTypeProto(k, x))
		default:
			return fmt.Errorf("engine: export: %s: attribute %s of type %T", n.Label(), k, x)
		}
	}
	for k := range n.Bodies {
		p, err := e.body(n, k)
		if err != nil {
			return err
		}
		ps = append(ps, p)
	}
	p := onnx.NewNode(n.Op.Name, fmt.Sprintf("%s#%d", n.Op.Name, n.ID), in, out, ps...)
	if n.Op.Domain != "" {
		p.Domain = new(n.Op.Domain)
	}
	e.p.Node = append(e.p.Node, p)
	return nil
}
