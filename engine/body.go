package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// scope resolves the names of one graph; bodies see the names of the graphs around them.
type scope struct {
	g        *graph.Graph
	b        *graph.Builder
	names    map[string]graph.Value
	outer    *scope
	captures []string
}

func (s *scope) lookup(name string) (graph.Value, bool) {
	if v, ok := s.names[name]; ok {
		return v, true
	}
	if s.outer == nil {
		return 0, false
	}
	ov, ok := s.outer.lookup(name)
	if !ok {
		return 0, false
	}
	in := s.outer.g.Info(ov)
	var v graph.Value
	if in.Kind == graph.Constant && !graph.Differentiable(in.DType) {
		v = s.g.AddConst(name, in.Data)
	} else { // what the body does with it matters to its gradient
		v = s.g.AddInput(name, in.DType, nil)
		s.captures = append(s.captures, name)
	}
	s.names[name] = v
	return v, true
}

// maxDepth bounds the nesting of functions and bodies.
const maxDepth = 64

// maxExpanded is the number of nodes that functions may expand to, beside a multiple of what the file has.
const maxExpanded = 1 << 16

// reads is the set of names that a node reads, those of its bodies included.
func reads(n *onnxpb.NodeProto) map[string]bool {
	r := map[string]bool{}
	for _, in := range n.GetInput() {
		if in != "" {
			r[in] = true
		}
	}
	for _, a := range n.GetAttribute() {
		if a.GetG() == nil {
			continue
		}
		own := map[string]bool{}
		for _, vi := range a.GetG().GetInput() {
			own[vi.GetName()] = true
		}
		for _, t := range a.GetG().GetInitializer() {
			own[t.GetName()] = true
		}
		for _, bn := range a.GetG().GetNode() {
			for _, o := range bn.GetOutput() {
				own[o] = true
			}
		}
		for _, bn := range a.GetG().GetNode() {
			for name := range reads(bn) {
				if !own[name] {
					r[name] = true
				}
			}
		}
		for _, o := range a.GetG().GetOutput() {
			if !own[o.GetName()] {
				r[o.GetName()] = true
			}
		}
	}
	return r
}

// formalTypes are the element types that a control-flow node gives to the inputs of its body: for Loop the iteration, the condition and the
// states, for Scan the states and the scanned inputs.
func formalTypes(s *scope, np *onnxpb.NodeProto, in []graph.Value) []tensor.DType {
	var types []tensor.DType
	switch np.GetOpType() {
	case "Loop":
		types = []tensor.DType{tensor.Int64, tensor.Bool}
		in = in[min(2, len(in)):]
	case "Scan":
	default:
		return nil
	}
	for _, v := range in {
		types = append(types, s.b.DType(v))
	}
	return types
}

// body imports a subgraph. types are the element types that the node gives to inputs which declare none.
func (im *importer) body(outer *scope, attr string, p *onnxpb.GraphProto, types []tensor.DType) (*graph.Body, error) {
	if im.depth++; im.depth > maxDepth {
		return nil, &onnx.FormatError{Msg: fmt.Sprintf("subgraphs are nested more than %d deep", maxDepth)}
	}
	defer func() { im.depth-- }()
	g := graph.New(p.GetName())
	s := &scope{g: g, b: graph.NewBuilder(g), names: map[string]graph.Value{}, outer: outer}
	formals := len(p.GetInput())
	for i, vi := range p.GetInput() {
		io, err := ioOf(vi)
		if err != nil {
			return nil, fmt.Errorf("input %w", err)
		}
		d := io.DType
		if d == tensor.Undefined && i < len(types) {
			d = types[i]
		}
		if half(d) {
			d = tensor.Float32
		}
		s.names[io.Name] = g.AddInput(io.Name, d, io.Dims)
	}
	if err := im.initializers(s, p, false); err != nil {
		return nil, err
	}
	before := len(im.missing)
	if err := im.nodes(s, p.GetNode()); err != nil {
		return nil, err
	}
	for _, vi := range p.GetOutput() {
		v, ok := s.lookup(vi.GetName())
		if !ok {
			if len(im.missing) > before {
				continue
			}
			return nil, &onnx.FormatError{Msg: fmt.Sprintf("subgraph output %q is produced by no node", vi.GetName())}
		}
		g.Outputs = append(g.Outputs, v)
	}
	return &graph.Body{Attr: attr, G: g, Formals: formals, Names: s.captures}, s.b.Err()
}

// function puts the nodes of f in the place of np.
func (im *importer) function(s *scope, np *onnxpb.NodeProto, f *onnxpb.FunctionProto, in []graph.Value) error {
	where := fmt.Sprintf("node %q (%s)", np.GetName(), np.GetOpType())
	if im.depth++; im.depth > maxDepth {
		return fmt.Errorf("engine: %w", &onnx.FormatError{Msg: fmt.Sprintf("%s: functions call each other more than %d deep", where, maxDepth)})
	}
	defer func() { im.depth-- }()
	given := map[string]*onnxpb.AttributeProto{}
	for _, a := range f.GetAttributeProto() {
		given[a.GetName()] = a
	}
	for _, a := range np.GetAttribute() {
		given[a.GetName()] = a
	}
	inner := &scope{g: s.g, b: s.b, names: map[string]graph.Value{}}
	for i, name := range f.GetInput() {
		if i < len(in) && in[i] != 0 {
			inner.names[name] = in[i]
		}
	}
	saved := im.opsets
	im.opsets = maps.Clone(saved)
	for _, o := range f.GetOpsetImport() {
		im.opsets[domainOf(o.GetDomain())] = int(o.GetVersion())
	}
	defer func() { im.opsets = saved }()
	nodes := make([]*onnxpb.NodeProto, len(f.GetNode()))
	for i, bn := range f.GetNode() {
		nodes[i] = onnx.BindAttributes(bn, given)
		// An input of the function that was not given reads as absent.
		for k, x := range nodes[i].GetInput() {
			if _, ok := inner.names[x]; !ok && slices.Contains(f.GetInput(), x) {
				nodes[i].Input[k] = ""
			}
		}
	}
	if err := im.nodes(inner, nodes); err != nil {
		return fmt.Errorf("engine: %s: %w", where, err)
	}
	for i, o := range np.GetOutput() {
		if o == "" {
			continue
		}
		if i >= len(f.GetOutput()) {
			return fmt.Errorf("engine: %w", &onnx.FormatError{Msg: fmt.Sprintf("%s: the function has %d outputs", where, len(f.GetOutput()))})
		}
		v, ok := inner.names[f.GetOutput()[i]]
		if !ok {
			if len(im.missing) > 0 {
				continue
			}
			return fmt.Errorf("engine: %w", &onnx.FormatError{Msg: fmt.Sprintf("%s: function output %q is produced by no node", where, f.GetOutput()[i])})
		}
		s.names[o] = v
	}
	return nil
}
