// Package check looks at a model as strictly as ONNX's specification is written: what package onnx needs to read it, and beyond that the
// order of nodes, signatures of operators, types of values, and what versions of the format have. It lists all that is wrong at once.
//
// Source: https://github.com/onnx/onnx/blob/main/docs/IR.md and the signatures of package schema.
package check

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/onnx/schema"
	"github.com/gtk-onnx/gtk/onnx/typing"
)

// maxProblems is how many problems are listed; beyond, they are counted.
const maxProblems = 1000

// Full is all that is wrong with m, each with the file, the place, and what to do; nil when nothing is.
func Full(m *onnx.Model) []error {
	c := &checker{m: m}
	switch err := m.Check().(type) {
	case nil:
	case interface{ Unwrap() []error }:
		c.errs = append(c.errs, err.Unwrap()...)
	default:
		c.errs = append(c.errs, err)
	}
	c.model()
	if c.more > 0 {
		c.errs = append(c.errs, fmt.Errorf("onnx: and %d problems more", c.more))
	}
	return c.errs
}

type checker struct {
	m    *onnx.Model
	errs []error
	more int
}

func (c *checker) wrong(where, msg string, args ...any) {
	if len(c.errs) >= maxProblems {
		c.more++
		return
	}
	c.errs = append(c.errs, &onnx.FormatError{File: c.m.Path, Where: where, Msg: fmt.Sprintf(msg, args...)})
}

// model checks what holds for the whole file.
func (c *checker) model() {
	p := c.m.Proto
	ir := p.GetIrVersion()
	for _, r := range []struct {
		bad  bool
		what string
		ir   int64
	}{
		{len(p.GetOpsetImport()) > 0 && ir < 3, "operator sets", 3},
		{len(p.GetTrainingInfo()) > 0 && ir < 7, "training information", 7},
		{len(p.GetFunctions()) > 0 && ir < 8, "functions", 8},
	} {
		if r.bad && ir > 0 {
			c.wrong("", "has %s, which came with IR version %d, and says it is of %d: set ir_version to %d or newer", r.what, r.ir, ir, r.ir)
		}
	}
	if v := c.m.Opset(""); v > onnx.LatestOpset {
		c.wrong("", "imports operator set %d, and the newest known is %d: export it with an older one", v, onnx.LatestOpset)
	}
	keys := map[string]bool{}
	for _, e := range p.GetMetadataProps() {
		if keys[e.GetKey()] {
			c.wrong("", "metadata_props has the key %q twice: leave one", e.GetKey())
		}
		keys[e.GetKey()] = true
	}
	main := sets(p.GetOpsetImport())
	for _, f := range p.GetFunctions() {
		in := main
		if len(f.GetOpsetImport()) > 0 {
			in = sets(f.GetOpsetImport())
		}
		s := &scope{Scope: &typing.Scope{Of: map[string]*onnxpb.TypeProto{}}, names: map[string]bool{}, sets: in}
		for _, x := range f.GetInput() {
			s.names[x] = true
		}
		c.nodes(fmt.Sprintf("function %s: ", shown.Quote(f.GetName())), f.GetNode(), s)
	}
	if p.GetGraph() == nil {
		return
	}
	s := c.graph("", p.GetGraph(), nil, main)
	if ir < 4 && ir > 0 {
		in := map[string]bool{}
		for _, v := range p.GetGraph().GetInput() {
			in[v.GetName()] = true
		}
		for _, name := range c.m.InitializerNames() {
			if !in[name] {
				c.wrong(fmt.Sprintf("initializer %q", name), "is no graph input, as all were before IR version 4: set ir_version to 4 or newer")
			}
		}
	}
	for i, t := range p.GetTrainingInfo() {
		for _, g := range []*onnxpb.GraphProto{t.GetInitialization(), t.GetAlgorithm()} {
			if g != nil {
				c.graph(fmt.Sprintf("training_info[%d]: ", i), g, s, main)
			}
		}
	}
}

func sets(imports []*onnxpb.OperatorSetIdProto) map[string]int64 {
	v := map[string]int64{}
	for _, s := range imports {
		v[normal(s.GetDomain())] = s.GetVersion()
	}
	return v
}

func normal(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}

// scope is the values of a graph or function as far as the nodes before have made them.
type scope struct {
	*typing.Scope
	outer *scope
	names map[string]bool
	sets  map[string]int64
	graph *onnxpb.GraphProto
}

// visible reports whether a name is there, from the inside out.
func (s *scope) visible(name string) bool {
	for ; s != nil; s = s.outer {
		if s.names[name] {
			return true
		}
	}
	return false
}

// graph checks g and the graphs inside.
func (c *checker) graph(where string, g *onnxpb.GraphProto, outer *scope, in map[string]int64) *scope {
	s := &scope{outer: outer, names: map[string]bool{}, sets: in, graph: g}
	var up *typing.Scope
	if outer != nil {
		up = outer.Scope
	}
	s.Scope = typing.Declared(g, up)
	if g.GetName() == "" {
		c.wrong(where, "the graph has no name: give it one")
	}
	add := func(name string) {
		if name == "" {
			return
		}
		if outer != nil && outer.visible(name) && !s.names[name] {
			c.wrong(where, "%q is also a value of a graph around this one: names must differ", name)
		}
		s.names[name] = true
	}
	for _, v := range g.GetInput() {
		add(v.GetName())
		if outer == nil {
			c.declared(where+"input ", v)
		}
	}
	for _, t := range g.GetInitializer() {
		add(t.GetName())
	}
	c.defaults(where, g)
	for _, t := range g.GetSparseInitializer() {
		add(t.GetValues().GetName())
	}
	if outer == nil {
		for _, v := range g.GetOutput() {
			c.declared(where+"output ", v)
		}
	}
	c.nodes(where, g.GetNode(), s)
	return s
}

// defaults compares inputs with the initializers that are their defaults.
func (c *checker) defaults(where string, g *onnxpb.GraphProto) {
	in := map[string]*onnxpb.ValueInfoProto{}
	for _, v := range g.GetInput() {
		in[v.GetName()] = v
	}
	for _, t := range g.GetInitializer() {
		v := in[t.GetName()].GetType().GetTensorType()
		if v == nil {
			continue
		}
		differ := v.GetElemType() != 0 && v.GetElemType() != t.GetDataType() || v.Shape != nil && len(v.Shape.GetDim()) != len(t.GetDims())
		for i := 0; !differ && i < len(v.GetShape().GetDim()); i++ {
			n, fixed := v.Shape.Dim[i].GetValue().(*onnxpb.TensorShapeProto_Dimension_DimValue)
			differ = fixed && n.DimValue != t.GetDims()[i]
		}
		if differ {
			c.wrong(where+fmt.Sprintf("input %q", t.GetName()), "is declared as %s, and the initializer of its name is %s: correct one of them",
				onnx.TypeString(in[t.GetName()].GetType()), onnx.TypeString(typing.Tensor(t.GetDataType(), append([]int64{}, t.GetDims()...))))
		}
	}
}

// declared checks that an input or output of the main graph has a type.
func (c *checker) declared(where string, v *onnxpb.ValueInfoProto) {
	where += shown.Quote(v.GetName())
	switch t := v.GetType(); {
	case t.GetValue() == nil:
		c.wrong(where, "has no type: declare one (gtk import --infer-shapes does, for outputs)")
	case t.GetTensorType() != nil && t.GetTensorType().GetElemType() == 0:
		c.wrong(where, "has no element type: declare one")
	case t.GetTensorType() != nil && t.GetTensorType().Shape == nil:
		c.wrong(where, "has no shape: declare its rank, with symbols for what is not known")
	}
}

// nodes checks the nodes of s in their order.
func (c *checker) nodes(where string, nodes []*onnxpb.NodeProto, s *scope) {
	maker := map[string]*onnxpb.NodeProto{}
	for _, n := range nodes {
		for _, o := range n.GetOutput() {
			if o != "" && maker[o] == nil {
				maker[o] = n
			}
		}
	}
	types := func(n *onnxpb.NodeProto) {
		version := func(d string) int64 { return s.sets[normal(d)] }
		call := func(n *onnxpb.NodeProto) bool { return c.m.Function(n) != nil }
		typing.Nodes([]*onnxpb.NodeProto{n}, s.Scope, version, call,
			func(n *onnxpb.NodeProto, err error) {
				c.wrong(where+label(n), "%v: put a Cast before it, or correct what is declared", err)
			})
	}
	for _, n := range nodes {
		at := where + label(n)
		for i, in := range n.GetInput() {
			if in == "" || s.visible(in) {
				continue
			}
			if m := maker[in]; m != nil && m != n {
				c.wrong(at, "input %d %q is made by a later node, %s: sort the nodes", i, in, label(m))
			} // else package onnx says that nobody makes it
		}
		c.operator(at, n, s)
		types(n)
		for _, a := range n.GetAttribute() {
			for _, g := range append([]*onnxpb.GraphProto{a.GetG()}, a.GetGraphs()...) {
				if g != nil {
					c.graph(at+": attribute "+shown.Name(a.GetName())+": ", g, s, s.sets)
				}
			}
		}
		for _, o := range n.GetOutput() {
			if o == "" {
				continue
			}
			if s.outer != nil && s.outer.visible(o) {
				c.wrong(at, "output %q is also a value of a graph around this one: names must differ", o)
			}
			s.names[o] = true
		}
	}
}

// label is how messages name a node.
func label(n *onnxpb.NodeProto) string {
	if n.GetName() == "" && len(n.GetOutput()) > 0 {
		return fmt.Sprintf("node of output %s (%s)", shown.Quote(n.GetOutput()[0]), shown.Name(n.GetOpType()))
	}
	return fmt.Sprintf("node %s (%s)", shown.Quote(n.GetName()), cmp.Or(shown.Name(n.GetOpType()), "no operator"))
}

// near is a hint at the operator whose name is nearest, for as many problems as are told.
func (c *checker) near(name string, domain string) string {
	if len(c.errs) >= maxProblems {
		return ""
	}
	for _, other := range schema.Names(domain) {
		if distance(name, other) <= max(1, len(name)/4) {
			return fmt.Sprintf(" (did you mean %s?)", other)
		}
	}
	return ""
}

// distance is how many letters must change to make b of a; names of more than 64 are far from all.
func distance(a, b string) int {
	if max(len(a), len(b)) > 64 {
		return 1 << 10
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := slices.Clone(row)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
