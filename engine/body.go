package engine

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops/training"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// frame is a graph under construction: the main one, or that of a body.
type frame struct {
	g        *graph.Graph
	outer    *frame
	captured []graph.Value               // values of outer.g for which g has inputs, in their order
	inner    map[graph.Value]graph.Value // what stands in g for a value of outer.g
	count    *int                        // of values that were captured, by all frames
}

// capture is what stands in f for v, a value of the graph around it: a constant of its own, or an input.
func (f *frame) capture(v graph.Value) graph.Value {
	if in, ok := f.inner[v]; ok {
		return in
	}
	info := f.outer.g.Info(v)
	var in graph.Value
	// what the body does with other numbers matters to their gradient
	if info.Kind == graph.Constant && !graph.Differentiable(info.DType) {
		in = f.g.AddConst(info.Name, info.Data)
	} else {
		in = f.g.AddInput(info.Name, info.DType, nil)
		f.captured = append(f.captured, v)
		*f.count++
	}
	if f.inner == nil {
		f.inner = map[graph.Value]graph.Value{}
	}
	f.inner[v] = in
	return in
}

// bring is what stands in f for v, a value of the main graph.
func (f *frame) bring(v graph.Value) graph.Value {
	if f.outer == nil {
		return v
	}
	return f.capture(f.outer.bring(v))
}

// from is the value of the main graph that v of f stands for; 0 when it is computed in between.
func (f *frame) from(v graph.Value) graph.Value {
	if f.outer == nil {
		return v
	}
	for _, c := range f.captured {
		if f.inner[c] == v {
			return f.outer.from(c)
		}
	}
	return 0
}

// scope resolves the names of one graph or function; bodies see the names of the graphs around them.
type scope struct {
	f     *frame
	g     *graph.Graph // of f
	b     *graph.Builder
	names map[string]graph.Value
	late  map[string]func() error // names what nothing looked up yet
	outer *scope
	im    *importer
}

func newScope(im *importer, f *frame, outer *scope) *scope {
	return &scope{f: f, g: f.g, b: graph.NewBuilder(f.g), names: map[string]graph.Value{}, outer: outer, im: im}
}

// has reports whether s itself has a value of that name.
func (s *scope) has(name string) bool {
	_, now := s.names[name]
	return now || s.late[name] != nil
}

// lookup is the value called name. Where it is a sparse tensor that cannot be had, importer.failed is set.
func (s *scope) lookup(name string) (graph.Value, bool) {
	if v, ok := s.names[name]; ok {
		return v, true
	}
	if make := s.late[name]; make != nil {
		delete(s.late, name)
		if err := make(); err != nil {
			s.im.failed = err
			return 0, false
		}
		return s.names[name], true
	}
	if s.outer == nil {
		return 0, false
	}
	ov, ok := s.outer.lookup(name)
	if !ok {
		return 0, false
	}
	v := s.f.capture(ov)
	s.names[name] = v
	return v, true
}

// maxDepth bounds the nesting of bodies, maxCalls that of functions.
const (
	maxDepth = 64
	maxCalls = 1 << 12
)

// maxExpanded is the number of nodes that functions may expand to, beside a multiple of what the file has.
const maxExpanded = 1 << 18

// maxCaptured is how many values bodies may take from the graphs around them in all; one of a graph further out counts for each in between.
const maxCaptured = 1 << 20

// opsets are the versions of operator sets that nodes are written for, by domain.
type opsets struct{ own, model map[string]int }

// of is the version for a domain, with ok false when there is none.
func (o opsets) of(domain string) (version int, ok bool) {
	if version, ok = o.own[domain]; !ok {
		version, ok = o.model[domain]
	}
	return version, ok
}

// opsetsOf are those of the nodes of f: what it imports, else what the model does.
func (im *importer) opsetsOf(f *onnxpb.FunctionProto) opsets {
	own, known := im.imports[f]
	if !known {
		own = make(map[string]int, len(f.GetOpsetImport()))
		for _, o := range f.GetOpsetImport() {
			own[domainOf(o.GetDomain())] = int(o.GetVersion())
		}
		im.imports[f] = own
	}
	return opsets{own, im.opsets.model}
}

// reads is the set of names that a node reads, those of its bodies included. Bodies that are nested too deep are for body to refuse.
func (im *importer) reads(n *onnxpb.NodeProto, depth int) map[string]bool {
	if r, known := im.read[n]; known {
		return r
	}
	r := map[string]bool{}
	for _, in := range n.GetInput() {
		if in != "" {
			r[in] = true
		}
	}
	bodies := false
	for _, a := range n.GetAttribute() {
		if n.GetDomain() == training.Domain && a.GetName() == "y" { // which a Gradient names, and reads
			r[string(a.GetS())] = true
		}
		if a.GetG() == nil || depth > maxDepth || im.named > maxCaptured {
			continue
		}
		bodies = true
		own := map[string]bool{}
		for _, vi := range a.GetG().GetInput() {
			own[vi.GetName()] = true
		}
		for _, t := range a.GetG().GetSparseInitializer() {
			own[t.GetValues().GetName()] = true
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
			for name := range im.reads(bn, depth+1) {
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
	if bodies {
		im.read[n] = r
		im.named += len(r)
	}
	return r
}

// body imports a subgraph. types are the element types that the node gives to inputs which declare none.
func (im *importer) body(outer *scope, attr string, p *onnxpb.GraphProto, types []tensor.DType) (*graph.Body, error) {
	if im.depth++; im.depth > maxDepth {
		return nil, &onnx.FormatError{Msg: fmt.Sprintf("subgraphs are nested more than %d deep", maxDepth)}
	}
	defer func() { im.depth-- }()
	g := graph.New(p.GetName())
	s := newScope(im, &frame{g: g, outer: outer.f, count: outer.f.count}, outer)
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
		s.names[io.Name] = g.AddInput(io.Name, wideOf(d), io.Dims)
	}
	if err := im.initializers(s, p); err != nil {
		return nil, err
	}
	before := len(im.missing)
	if err := im.nodes(s, p.GetNode()); err != nil {
		return nil, err
	}
	for _, vi := range p.GetOutput() {
		v, ok := s.lookup(vi.GetName())
		if im.failed != nil {
			return nil, im.failed
		}
		if !ok {
			if len(im.missing) > before {
				continue
			}
			return nil, &onnx.FormatError{Msg: fmt.Sprintf("subgraph output %q is produced by no node", vi.GetName())}
		}
		g.Outputs = append(g.Outputs, v)
	}
	b := &graph.Body{Attr: attr, G: g, Formals: formals}
	if im.captured == nil {
		im.captured = map[*graph.Body][]graph.Value{}
	}
	im.captured[b] = s.f.captured
	for _, v := range s.f.captured {
		b.Names = append(b.Names, outer.g.Info(v).Name)
	}
	return b, s.b.Err()
}

// function puts the nodes of f in the place of np.
func (im *importer) function(s *scope, np *onnxpb.NodeProto, f *onnxpb.FunctionProto, in []graph.Value) error {
	where := label(np, np.GetOpType())
	if im.calls++; im.calls > maxCalls {
		return fmt.Errorf("engine: %w", &onnx.FormatError{Msg: fmt.Sprintf("%s: functions call each other more than %d deep", where,
			maxCalls)})
	}
	defer func() { im.calls-- }()
	given := map[string]*onnxpb.AttributeProto{}
	for _, a := range f.GetAttributeProto() {
		given[a.GetName()] = a
	}
	for _, a := range np.GetAttribute() {
		given[a.GetName()] = a
	}
	fed := make(map[graph.Value]bool, len(in))
	for _, v := range in {
		fed[v] = true
	}
	inner := &scope{f: s.f, g: s.g, b: s.b, names: map[string]graph.Value{}, im: im}
	for i, name := range f.GetInput() {
		if i < len(in) && in[i] != 0 {
			inner.names[name] = in[i]
		}
	}
	saved := im.opsets
	im.opsets = im.opsetsOf(f)
	outside := im.prefix
	im.prefix += onnx.Brief(labelOf(np)) + "/"
	defer func() { im.opsets, im.prefix = saved, outside }()
	inputs := make(map[string]bool, len(f.GetInput()))
	for _, x := range f.GetInput() {
		inputs[x] = true
	}
	nodes := make([]*onnxpb.NodeProto, len(f.GetNode()))
	for i, bn := range f.GetNode() {
		// An input of the function that was not given reads as absent.
		absent := func(x string) bool {
			_, ok := inner.names[x]
			return !ok && inputs[x]
		}
		if nodes[i] = bn; onnx.RefersToCall(bn) || slices.ContainsFunc(bn.GetInput(), absent) {
			if err := im.spend(copied(bn)); err != nil {
				return err
			}
			nodes[i] = onnx.BindAttributes(bn, given)
		}
		for k, x := range nodes[i].GetInput() {
			if absent(x) {
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
			return fmt.Errorf("engine: %w", &onnx.FormatError{Msg: fmt.Sprintf("%s: the function has %d outputs", where,
				len(f.GetOutput()))})
		}
		v, ok := inner.lookup(f.GetOutput()[i])
		if im.failed != nil {
			return im.failed
		}
		if !ok {
			if len(im.missing) > 0 {
				continue
			}
			return fmt.Errorf("engine: %w", &onnx.FormatError{Msg: fmt.Sprintf("%s: function output %q is produced by no node", where,
				f.GetOutput()[i])})
		}
		if s.g.Info(v).Def != nil && !fed[v] {
			s.g.Rename(v, outside+o)
		}
		s.names[o] = v
	}
	return nil
}
