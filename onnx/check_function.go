package onnx

import (
	"slices"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// function checks one function of the model. Its nodes see its inputs and nothing else.
func (c *checker) function(f *onnxpb.FunctionProto) {
	where := "function " + functionKey(f.GetDomain(), f.GetName(), f.GetOverload())
	if f.GetName() == "" {
		c.format(where, "has no name")
	}
	c.imports(where, f.GetOpsetImport())
	s := &scope{names: map[string]int{}, domains: c.domains, attrs: map[string]bool{}}
	if len(f.GetOpsetImport()) > 0 {
		s.domains = domainsOf(f.GetOpsetImport())
	}
	for _, in := range f.GetInput() {
		if _, dup := s.names[in]; dup {
			c.format(where, "two inputs are named %q", in)
		}
		s.names[in] = -1
	}
	declare := func(name string) {
		if s.attrs[name] {
			c.format(where, "the attribute %q is declared twice", name)
		}
		s.attrs[name] = true
	}
	for _, a := range f.GetAttribute() {
		declare(a)
	}
	for _, a := range f.GetAttributeProto() {
		declare(a.GetName())
		c.attribute(joinPlace(where, "default of attribute "+a.GetName()), a, &scope{domains: s.domains})
	}
	c.nodes(where, f.GetNode(), s)
	for _, o := range f.GetOutput() {
		if !s.has(o) {
			c.format(where, "output %q is produced by no node", o)
		}
	}
}

// recursion reports functions that call themselves, which ONNX does not allow.
func (c *checker) recursion() {
	keys := make([]string, 0, len(c.functions))
	for k := range c.functions {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	index := map[string]int{}
	for i, k := range keys {
		index[k] = i
	}
	calls := make([][]int, len(keys))
	for i, k := range keys {
		w := walker{node: func(_ *onnxpb.GraphProto, n *onnxpb.NodeProto) bool {
			if j, ok := index[functionKey(n.GetDomain(), n.GetOpType(), n.GetOverload())]; ok {
				calls[i] = append(calls[i], j)
			}
			return true
		}}
		for _, n := range c.functions[k].GetNode() {
			w.oneNode(nil, n)
		}
	}
	if i := onCycle(calls); i >= 0 {
		c.format("function "+keys[i], "calls itself")
	}
}
