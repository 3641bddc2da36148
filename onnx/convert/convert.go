// Package convert changes a model from one version of ONNX's default operator set to another, up and down, so that it computes the same.
// What cannot be had exactly is refused, all of it at once. The rest of the file stays as it is.
//
// One file has the rule of one operator, or of several that changed alike. An operator without a rule only took more from version to
// version: more types, and inputs and attributes that may be left out.
//
// Source: https://github.com/onnx/onnx/blob/main/docs/Changelog.md
package convert

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/onnx/schema"
	"github.com/gtk-onnx/gtk/onnx/typing"
	"google.golang.org/protobuf/proto"
)

// Options say what more is known of a model.
type Options struct {
	Types map[string]*onnxpb.TypeProto // of values of the main graph, beside what the file declares
}

// Report says what was converted.
type Report struct {
	From, To int64
	Changed  []Change
}

// Change is an operator whose nodes are written in another way.
type Change struct {
	Op    string `json:"op"`
	Since int    `json:"since"` // the version whose difference was bridged
	Count int    `json:"count"`
}

// MaxNodes is how many nodes a model may become.
const MaxNodes = 1 << 20

// MaxBytes is how many bytes of constants a conversion may add.
const MaxBytes = 256 << 20

// rule bridges what one version of an operator changed. up makes a node of the version before valid in it, down one of it valid in the
// version before; both return what takes its place, or why there is nothing. A nil one keeps the node.
type rule struct{ up, down step }

type step func(c *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error)

// rules is by operator and version.
var rules = map[string]map[int]rule{}

func register(op string, since int, r rule) {
	if rules[op] == nil {
		rules[op] = map[int]rule{}
	}
	rules[op][since] = r
}

// To is a copy of m whose operators are those of set to of the default domain. The error lists, as onnx.UnsupportedError, all nodes that
// cannot be converted.
func To(m *onnx.Model, to int64, o Options) (*onnx.Model, *Report, error) {
	from := m.Opset("")
	switch {
	case to < 1 || to > onnx.LatestOpset:
		return nil, nil, fmt.Errorf("onnx: there is no operator set %d; they are 1 to %d", to, onnx.LatestOpset)
	case from < 1 || from > onnx.LatestOpset:
		return nil, nil, &onnx.UnsupportedError{File: m.Path, Feature: fmt.Sprintf(
			"conversion from operator set %d; those known are 1 to %d", from, onnx.LatestOpset)}
	}
	out := m.Clone()
	if from == to {
		return out, &Report{From: from, To: to, Changed: []Change{}}, nil
	}
	c := &converter{m: out, to: to, names: map[string]bool{}, changed: map[Change]int{}, fixed: m.Proto.GetIrVersion() < 4,
		released: map[string]bool{}, left: MaxNodes, bytes: MaxBytes}
	c.collect()
	imports := func(sets []*onnxpb.OperatorSetIdProto) map[string]int64 {
		v := map[string]int64{}
		for _, s := range sets {
			v[normal(s.GetDomain())] = s.GetVersion()
		}
		return v
	}
	main := imports(m.Proto.GetOpsetImport())
	for _, f := range out.Proto.GetFunctions() {
		sets := main
		if len(f.GetOpsetImport()) > 0 {
			sets = imports(f.GetOpsetImport())
		}
		if sets[""] > 0 {
			s := &scope{Scope: &typing.Scope{Of: map[string]*onnxpb.TypeProto{}}, constants: map[string]*onnxpb.TensorProto{}, function: true}
			f.Node = c.nodes(f.Node, s, sets, fmt.Sprintf("function %s: ", shown.Quote(f.GetName())))
		}
		set(f.OpsetImport, to)
	}
	if g := out.Proto.GetGraph(); g != nil {
		c.graph(g, nil, main, "", o.Types)
		for _, t := range out.Proto.GetTrainingInfo() {
			for _, g := range []*onnxpb.GraphProto{t.GetInitialization(), t.GetAlgorithm()} {
				if g != nil {
					c.graph(g, c.mainScope, main, "training_info: ", nil)
				}
			}
		}
	}
	if c.bytes < 0 {
		c.errs = append(c.errs, &onnx.UnsupportedError{File: m.Path, Feature: fmt.Sprintf("conversion that adds more than %d MiB of constants",
			MaxBytes>>20)})
	}
	if c.left < 0 {
		c.errs = append(c.errs, &onnx.UnsupportedError{File: m.Path, Feature: fmt.Sprintf("conversion into more than %d nodes", MaxNodes)})
	}
	if len(c.errs) > 0 {
		return nil, nil, errors.Join(c.errs...)
	}
	c.tidy()
	set(out.Proto.OpsetImport, to)
	out.Proto.IrVersion = new(irVersion(out, to))
	if out.Proto.GetIrVersion() < 4 {
		c.declare()
	}
	r := &Report{From: from, To: to, Changed: []Change{}}
	for k, n := range c.changed {
		k.Count = n
		r.Changed = append(r.Changed, k)
	}
	slices.SortFunc(r.Changed, func(a, b Change) int { return cmp.Or(cmp.Compare(a.Op, b.Op), a.Since-b.Since) })
	return out, r, nil
}

func normal(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}

func set(imports []*onnxpb.OperatorSetIdProto, to int64) {
	for _, s := range imports {
		if normal(s.GetDomain()) == "" {
			s.Version = new(to)
		}
	}
}

// converter is the conversion of one model.
type converter struct {
	m         *onnx.Model
	to        int64
	names     map[string]bool // that are taken, anywhere
	changed   map[Change]int
	fixed     bool            // initializers that are inputs cannot be fed
	released  map[string]bool // constants that a node does not read any more
	left      int
	bytes     int // that may still be added
	mainScope *scope
	errs      []error
}

// scope is what is known of one graph or function.
type scope struct {
	*typing.Scope
	outer     *scope
	constants map[string]*onnxpb.TensorProto
	graph     *onnxpb.GraphProto // nil in a function
	function  bool
}

// graph converts g and the graphs inside; more are types of its values.
func (c *converter) graph(g *onnxpb.GraphProto, outer *scope, sets map[string]int64, where string, more map[string]*onnxpb.TypeProto) {
	s := &scope{outer: outer, graph: g, constants: map[string]*onnxpb.TensorProto{}}
	var up *typing.Scope
	if outer != nil {
		up, s.function = outer.Scope, outer.function
	}
	s.Scope = typing.Declared(g, up)
	for name, t := range more {
		s.Set(name, t)
	}
	fed := map[string]bool{}
	if !c.fixed {
		for _, v := range g.GetInput() {
			fed[v.GetName()] = true
		}
	}
	for _, t := range g.GetInitializer() {
		if !fed[t.GetName()] {
			s.constants[t.GetName()] = t
		}
	}
	if outer == nil {
		c.mainScope = s
	}
	g.Node = c.nodes(g.Node, s, sets, where)
}

// nodes converts the nodes of s.
func (c *converter) nodes(nodes []*onnxpb.NodeProto, s *scope, sets map[string]int64, where string) []*onnxpb.NodeProto {
	version := func(d string) int64 { return sets[normal(d)] }
	typing.Nodes(nodes, s.Scope, version, func(n *onnxpb.NodeProto) bool { return c.m.Function(n) != nil }, nil)
	for _, n := range nodes {
		if n.GetOpType() == "Constant" && normal(n.GetDomain()) == "" && len(n.GetOutput()) == 1 {
			if t := constantOf(n); t != nil {
				s.constants[n.GetOutput()[0]] = t
			}
		}
	}
	var out []*onnxpb.NodeProto
	for _, n := range nodes {
		if normal(n.GetDomain()) != "" || c.m.Function(n) != nil {
			out = append(out, n)
		} else {
			out = append(out, c.convert(&conv{converter: c, s: s, first: n, where: where}, n, sets[""])...)
		}
		for _, a := range n.GetAttribute() {
			for _, g := range append([]*onnxpb.GraphProto{a.GetG()}, a.GetGraphs()...) {
				if g != nil {
					c.graph(g, s, sets, where+label(n)+": ", nil)
				}
			}
		}
	}
	return out
}

// convert is what n, valid in operator set from, becomes.
func (c *converter) convert(k *conv, n *onnxpb.NodeProto, from int64) []*onnxpb.NodeProto {
	if c.left--; c.left < 0 || c.bytes < 0 {
		return nil
	}
	versions := schema.Versions("", n.GetOpType())
	op, known := schema.Find("", n.GetOpType(), from)
	if write := removed[n.GetOpType()]; !known && write != nil {
		k.set = from
		var nodes []*onnxpb.NodeProto
		err := enough(n, 1, 1)
		if err == nil {
			nodes, err = write(k, n)
		}
		if err == nil && c.to < 10 {
			err = errors.New("the operator was on trial and taken back; it is written in others from operator set 10 on")
		}
		if err != nil {
			k.refuse(n, 0, err)
			return nil
		}
		c.changed[Change{Op: k.first.GetOpType(), Since: 10}]++
		var out []*onnxpb.NodeProto
		for _, x := range nodes {
			out = append(out, c.convert(k, x, from)...)
		}
		return out
	}
	if !known || op == nil || op.Deprecated {
		k.refuse(n, int(from), fmt.Errorf("there is no such operator in operator set %d", from))
		return nil
	}
	if err := enough(n, op.MinIn, op.MinOut); err != nil && !op.Unknown {
		k.refuse(n, int(from), err)
		return nil
	}
	for from != c.to {
		v := 0
		if from < c.to {
			if i := slices.IndexFunc(versions, func(v int) bool { return int64(v) > from && int64(v) <= c.to }); i >= 0 {
				v = versions[i]
			}
		} else {
			for _, x := range versions {
				if int64(x) <= from && int64(x) > c.to {
					v = x
				}
			}
		}
		if v == 0 {
			break
		}
		var before *onnxpb.NodeProto
		if _, ruled := rules[n.GetOpType()][v]; ruled {
			before = proto.CloneOf(n)
		}
		nodes, err := k.bridge(n, v, from < c.to)
		if err != nil {
			k.refuse(n, v, err)
			return nil
		}
		if from < c.to {
			from = int64(v)
		} else {
			from = int64(v) - 1
		}
		if len(nodes) == 1 && nodes[0] == n && nodes[0].GetOpType() == op.Name {
			if before != nil && !proto.Equal(before, n) {
				c.changed[Change{Op: op.Name, Since: v}]++
			}
			continue
		}
		c.changed[Change{Op: op.Name, Since: v}]++
		var out []*onnxpb.NodeProto
		for _, x := range nodes {
			out = append(out, c.convert(k, x, from)...)
		}
		return out
	}
	if err := k.fits(n); err != nil {
		k.refuse(n, 0, err)
		return nil
	}
	return []*onnxpb.NodeProto{n}
}

// enough fails where a node has not the inputs and outputs that it needs.
func enough(n *onnxpb.NodeProto, in, out int) error {
	if len(n.GetInput()) < in || len(n.GetOutput()) < out {
		return fmt.Errorf("it has %d inputs and %d outputs, and needs %d and %d", len(n.GetInput()), len(n.GetOutput()), in, out)
	}
	return nil
}

// collect notes the names that are taken.
func (c *converter) collect() {
	note := func(g *onnxpb.GraphProto) {
		for _, v := range slices.Concat(g.GetInput(), g.GetOutput(), g.GetValueInfo()) {
			c.names[v.GetName()] = true
		}
		for _, t := range g.GetInitializer() {
			c.names[t.GetName()] = true
		}
		for _, t := range g.GetSparseInitializer() {
			c.names[t.GetValues().GetName()] = true
		}
	}
	for g := range c.m.Graphs() {
		note(g)
	}
	for _, f := range c.m.Proto.GetFunctions() {
		for _, name := range slices.Concat(f.GetInput(), f.GetOutput()) {
			c.names[name] = true
		}
	}
	c.m.Walk(func(g *onnxpb.GraphProto, n *onnxpb.NodeProto) {
		if g != nil {
			note(g)
		}
		for _, name := range slices.Concat(n.GetInput(), n.GetOutput()) {
			c.names[name] = true
		}
	})
}

// tidy takes away constants that were only read by what reads them no more.
func (c *converter) tidy() {
	if len(c.released) == 0 {
		return
	}
	used := map[string]bool{}
	outputs := func(g *onnxpb.GraphProto) {
		for _, v := range slices.Concat(g.GetOutput(), g.GetInput()) {
			used[v.GetName()] = true
		}
	}
	if g := c.m.Proto.GetGraph(); g != nil {
		outputs(g)
	}
	c.m.Walk(func(g *onnxpb.GraphProto, n *onnxpb.NodeProto) {
		if g != nil {
			outputs(g)
		}
		for _, name := range n.GetInput() {
			used[name] = true
		}
		for _, a := range n.GetAttribute() {
			for _, sub := range append([]*onnxpb.GraphProto{a.GetG()}, a.GetGraphs()...) {
				outputs(sub)
			}
		}
	})
	for _, f := range c.m.Proto.GetFunctions() {
		for _, o := range f.GetOutput() {
			used[o] = true
		}
	}
	gone := func(name string) bool { return c.released[name] && !used[name] }
	constant := func(n *onnxpb.NodeProto) bool {
		return n.GetOpType() == "Constant" && normal(n.GetDomain()) == "" && len(n.GetOutput()) == 1 && gone(n.GetOutput()[0])
	}
	drop := func(g *onnxpb.GraphProto) {
		g.Initializer = slices.DeleteFunc(g.Initializer, func(t *onnxpb.TensorProto) bool { return gone(t.GetName()) })
		g.ValueInfo = slices.DeleteFunc(g.ValueInfo, func(v *onnxpb.ValueInfoProto) bool { return gone(v.GetName()) })
		g.Node = slices.DeleteFunc(g.Node, constant)
	}
	for _, g := range slices.Collect(c.m.Graphs()) {
		drop(g)
	}
	for _, f := range c.m.Proto.GetFunctions() {
		f.Node = slices.DeleteFunc(f.Node, constant)
	}
}

// declare makes inputs of the initializers, as files before IR 4 have them.
func (c *converter) declare() {
	g := c.m.Proto.GetGraph()
	have := map[string]bool{}
	for _, v := range g.GetInput() {
		have[v.GetName()] = true
	}
	for _, t := range g.GetInitializer() {
		if !have[t.GetName()] {
			g.Input = append(g.Input, &onnxpb.ValueInfoProto{Name: new(t.GetName()),
				Type: typing.Tensor(t.GetDataType(), append([]int64{}, t.GetDims()...))})
		}
	}
}
