package onnx

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// maxProblems is how many problems Check lists.
const maxProblems = 100

// Check says what is wrong with the model, all of it joined in one error: versions and operator sets, names that are
// used twice or produced by nobody, cycles, attributes, subgraphs, functions, and the size of every tensor, also of those
// beside the model. Signatures of operators and types are not its matter.
//
// It is more lenient than ONNX where runtimes are: the nodes may be in any order, graphs need no name, and a subgraph
// may use a name of the graph around it for a value of its own.
//
// Source: https://github.com/onnx/onnx/blob/main/docs/IR.md
func (m *Model) Check() error {
	c := &checker{m: m, functions: map[string]*onnxpb.FunctionProto{}, domains: domainsOf(m.Proto.GetOpsetImport())}
	p := m.Proto
	switch ir := p.GetIrVersion(); {
	case ir == 0:
		c.format("", "the model has no IR version")
	case ir < MinIR || ir > MaxIR:
		c.report(&UnsupportedError{Feature: fmt.Sprintf("IR version %d; versions %d to %d are known: convert the model, or export it again",
			ir, MinIR, MaxIR)})
	}
	if len(p.GetOpsetImport()) == 0 && p.GetIrVersion() >= 3 { // before, there were no operator sets
		c.format("", "the model imports no operator set")
	}
	c.imports("", p.GetOpsetImport())
	for _, f := range p.GetFunctions() {
		key := functionKey(f.GetDomain(), f.GetName(), f.GetOverload())
		if c.functions[key] != nil {
			c.format("function "+key, "is defined twice")
		}
		c.functions[key] = f
	}
	for _, f := range p.GetFunctions() {
		c.function(f)
	}
	c.recursion()
	if p.GetGraph() == nil {
		c.format("", "the model has no graph")
	} else {
		s := &scope{domains: c.domains}
		c.graph("", p.GetGraph(), s)
		for i, t := range p.GetTrainingInfo() {
			where := fmt.Sprintf("training_info[%d]", i)
			if g := t.GetInitialization(); g != nil {
				c.graph(where+".initialization", g, &scope{outer: s, domains: s.domains})
			}
			if g := t.GetAlgorithm(); g != nil {
				c.graph(where+".algorithm", g, &scope{outer: s, domains: s.domains})
			}
		}
	}
	if c.more > 0 {
		c.errs = append(c.errs, fmt.Errorf("onnx: and %d problems more", c.more))
	}
	return errors.Join(c.errs...)
}

type checker struct {
	m         *Model
	functions map[string]*onnxpb.FunctionProto
	domains   map[string]bool // that the model imports
	errs      []error
	more      int
}

func (c *checker) report(err error) {
	switch {
	case err == nil:
	case len(c.errs) >= maxProblems:
		c.more++
	default:
		c.errs = append(c.errs, err)
	}
}

func (c *checker) format(where, msg string, args ...any) {
	c.report(&FormatError{File: c.m.Path, Where: where, Msg: fmt.Sprintf(msg, args...)})
}

// scope is what the nodes of one graph or function see.
type scope struct {
	names   map[string]int // value → index of the node that makes it, -1 for inputs and initializers
	outer   *scope
	domains map[string]bool // whose operators there are
	attrs   map[string]bool // of the function around, nil outside of functions
	uses    []string        // what the subgraphs of the present node took from here
}

// domainsOf is the domains of sets that have a version.
func domainsOf(sets []*onnxpb.OperatorSetIdProto) map[string]bool {
	domains := map[string]bool{}
	seen := map[string]bool{}
	for _, o := range sets {
		if d := normalDomain(o.GetDomain()); !seen[d] {
			seen[d], domains[d] = true, o.GetVersion() != 0
		}
	}
	return domains
}

// has looks a name up, from the inside out.
func (s *scope) has(name string) bool {
	if _, ok := s.names[name]; ok {
		return true
	}
	for o := s.outer; o != nil; o = o.outer {
		if _, ok := o.names[name]; ok {
			o.uses = append(o.uses, name)
			return true
		}
	}
	return false
}

func (c *checker) imports(where string, sets []*onnxpb.OperatorSetIdProto) {
	seen := map[string]bool{}
	for _, o := range sets {
		d := normalDomain(o.GetDomain())
		if seen[d] {
			c.format(where, "the operator set of domain %q is imported twice", d)
		}
		seen[d] = true
		if o.GetVersion() < 1 {
			c.format(where, "the operator set of domain %q has the version %d", d, o.GetVersion())
		}
	}
}

// graph checks g, whose scope s still has no names.
func (c *checker) graph(where string, g *onnxpb.GraphProto, s *scope) {
	s.names = map[string]int{}
	for i, v := range g.GetInput() {
		switch _, dup := s.names[v.GetName()]; {
		case v.GetName() == "":
			c.format(where, "graph input %d has no name", i)
		case dup:
			c.format(where, "two graph inputs are named %q", v.GetName())
		}
		s.names[v.GetName()] = -1
		c.valueType(where, v)
	}
	inits := map[string]bool{}
	initializer := func(name string, i int) {
		switch {
		case name == "":
			c.format(where, "initializer %d has no name", i)
		case inits[name]:
			c.format(where, "two initializers are named %q", name)
		}
		inits[name] = true
		s.names[name] = -1
	}
	for i, t := range g.GetInitializer() {
		initializer(t.GetName(), i)
		c.tensor(joinPlace(where, fmt.Sprintf("initializer %q", t.GetName())), t)
	}
	for i, t := range g.GetSparseInitializer() {
		initializer(t.GetValues().GetName(), i)
		c.sparse(joinPlace(where, fmt.Sprintf("sparse initializer %q", t.GetValues().GetName())), t)
	}
	for _, v := range g.GetValueInfo() {
		c.valueType(where, v)
	}
	c.nodes(where, g.GetNode(), s)
	for i, v := range g.GetOutput() {
		switch {
		case v.GetName() == "":
			c.format(where, "graph output %d has no name", i)
		case !s.has(v.GetName()):
			c.format(where, "graph output %q is produced by no node", v.GetName())
		}
		c.valueType(where, v)
	}
}

// nodes checks the nodes of a graph or function, whose inputs are in s.
func (c *checker) nodes(where string, nodes []*onnxpb.NodeProto, s *scope) {
	for i, n := range nodes {
		for _, o := range n.GetOutput() {
			if o == "" {
				continue
			}
			if j, dup := s.names[o]; dup {
				other := "a graph input or initializer"
				if j >= 0 {
					other = nodeName(nodes[j])
				}
				c.format(joinPlace(where, nodeName(n)), "output %q is also produced by %s", o, other)
				continue
			}
			s.names[o] = i
		}
	}
	before := make([][]int, len(nodes)) // the nodes each one needs
	for i, n := range nodes {
		at := joinPlace(where, nodeName(n))
		s.uses = s.uses[:0]
		c.operator(at, n, s)
		for _, a := range n.GetAttribute() {
			c.attribute(joinPlace(at, "attribute "+a.GetName()), a, s)
		}
		for k, in := range n.GetInput() {
			if in == "" {
				continue
			}
			if !s.has(in) {
				c.format(at, "input %d %q is produced by no node, and is no graph input or initializer", k, in)
				continue
			}
			s.uses = append(s.uses, in)
		}
		for _, name := range s.uses {
			if j, ok := s.names[name]; ok && j >= 0 {
				before[i] = append(before[i], j)
			}
		}
	}
	if i := onCycle(before); i >= 0 {
		c.format(joinPlace(where, nodeName(nodes[i])), "is on a cycle: its result is needed to compute it")
	}
}

// onCycle is a node that depends on itself, -1 if there is none.
func onCycle(before [][]int) int {
	state := make([]uint8, len(before)) // 1 under way, 2 done
	type frame struct{ node, next int }
	for i := range before {
		if state[i] != 0 {
			continue
		}
		stack := []frame{{i, 0}}
		state[i] = 1
		for len(stack) > 0 {
			f := &stack[len(stack)-1]
			if f.next == len(before[f.node]) {
				state[f.node] = 2
				stack = stack[:len(stack)-1]
				continue
			}
			j := before[f.node][f.next]
			f.next++
			switch state[j] {
			case 0:
				state[j] = 1
				stack = append(stack, frame{j, 0})
			case 1:
				return j
			}
		}
	}
	return -1
}

// operator checks that the operator or function a node calls can be found.
func (c *checker) operator(at string, n *onnxpb.NodeProto, s *scope) {
	if n.GetOpType() == "" {
		c.format(at, "names no operator")
	}
	seen := map[string]bool{}
	for _, a := range n.GetAttribute() {
		switch {
		case a.GetName() == "":
			c.format(at, "an attribute has no name")
		case seen[a.GetName()]:
			c.format(at, "attribute %s is there twice", a.GetName())
		}
		seen[a.GetName()] = true
	}
	var f *onnxpb.FunctionProto
	if len(c.functions) > 0 {
		f = c.functions[functionKey(n.GetDomain(), n.GetOpType(), n.GetOverload())]
	}
	if f == nil {
		if len(s.domains) > 0 && !s.domains[normalDomain(n.GetDomain())] {
			c.format(at, "the model imports no operator set of domain %q", n.GetDomain())
		}
		return
	}
	if len(n.GetInput()) > len(f.GetInput()) || len(n.GetOutput()) > len(f.GetOutput()) {
		c.format(at, "has %d inputs and %d outputs, the function has %d and %d", len(n.GetInput()), len(n.GetOutput()),
			len(f.GetInput()), len(f.GetOutput()))
	}
	for _, a := range f.GetAttribute() {
		if !seen[a] {
			c.format(at, "the function needs the attribute %q", a)
		}
	}
}

func (c *checker) attribute(at string, a *onnxpb.AttributeProto, s *scope) {
	if ref := a.GetRefAttrName(); ref != "" {
		if !s.attrs[ref] {
			c.format(at, "refers to the attribute %q of a function; there is none of this name here", ref)
		}
		return
	}
	kind := AttrType(a)
	if kind == onnxpb.AttributeProto_UNDEFINED {
		c.format(at, "has no known type")
		return
	}
	for _, f := range attrFields(a) {
		switch {
		case f.kind != kind && f.set:
			c.format(at, "is of type %v and has a value of type %v", kind, f.kind)
		case f.kind == kind && f.missing:
			c.format(at, "is of type %v and has no value", kind)
		}
	}
	for _, t := range append([]*onnxpb.TensorProto{a.GetT()}, a.GetTensors()...) {
		if t != nil {
			c.tensor(at, t)
		}
	}
	for _, t := range append([]*onnxpb.SparseTensorProto{a.GetSparseTensor()}, a.GetSparseTensors()...) {
		if t != nil {
			c.sparse(at, t)
		}
	}
	for _, g := range append([]*onnxpb.GraphProto{a.GetG()}, a.GetGraphs()...) {
		if g != nil {
			c.graph(at, g, &scope{outer: s, domains: s.domains, attrs: s.attrs})
		}
	}
}

// tensor checks sizes, not values.
func (c *checker) tensor(where string, t *onnxpb.TensorProto) {
	err := func() error {
		if !isExternal(t) {
			_, _, _, err := checkStorage(t)
			return err
		}
		location, offset, size, _, _, err := externalRange(t)
		if err != nil || c.m.data.root == "" {
			return err
		}
		f, have, err := c.m.data.open(location)
		if err != nil {
			return err
		}
		f.Close()
		if offset > have || size > have-offset {
			return &FormatError{Msg: fmt.Sprintf("external data: bytes %d to %d of %q, which has %d", offset, offset+size, location, have)}
		}
		return nil
	}()
	if err != nil {
		c.report(inFile(at(err, where), c.m.Path))
	}
}

func (c *checker) sparse(where string, t *onnxpb.SparseTensorProto) {
	if _, _, _, err := c.m.sparseParts(t); err != nil {
		c.report(inFile(at(err, where), c.m.Path))
	}
}

// valueType checks that the element types of a value's type exist.
func (c *checker) valueType(where string, v *onnxpb.ValueInfoProto) {
	for t := v.GetType(); t != nil; {
		elem := int32(tensor.Float32)
		switch x := t.GetValue().(type) {
		case *onnxpb.TypeProto_TensorType:
			elem, t = x.TensorType.GetElemType(), nil
		case *onnxpb.TypeProto_SparseTensorType:
			elem, t = x.SparseTensorType.GetElemType(), nil
		case *onnxpb.TypeProto_SequenceType:
			t = x.SequenceType.GetElemType()
		case *onnxpb.TypeProto_OptionalType:
			t = x.OptionalType.GetElemType()
		case *onnxpb.TypeProto_MapType:
			elem, t = x.MapType.GetKeyType(), x.MapType.GetValueType()
		default:
			t = nil
		}
		if elem != 0 && !tensor.DType(elem).Valid() {
			c.format(where, "value %q: element type %d does not exist", v.GetName(), elem)
		}
	}
}

func joinPlace(where, inner string) string {
	if where == "" {
		return inner
	}
	return where + ": " + inner
}
