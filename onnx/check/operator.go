package check

import (
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/onnx/schema"
)

// operator checks a node against the signature of its operator in the version that the file imports.
func (c *checker) operator(at string, n *onnxpb.NodeProto, s *scope) {
	domain := normal(n.GetDomain())
	version := s.sets[domain]
	if n.GetOpType() == "" || version < 1 || !schema.Domains(domain) || c.m.Function(n) != nil {
		return
	}
	op, known := schema.Find(domain, n.GetOpType(), version)
	name := domain
	if name == "" {
		name = "ai.onnx"
	}
	switch {
	case op == nil && known:
		c.wrong(at, "the operator came with operator set %d of %s, and the model imports %d: import that (gtk import --opset)",
			schema.Versions(domain, n.GetOpType())[0], name, version)
		return
	case op == nil:
		c.wrong(at, "operator set %d of %s has no operator of this name%s: correct it, or give the domain that has it", version, name,
			c.near(n.GetOpType(), domain))
		return
	case op.Deprecated:
		c.wrong(at, "the operator is there no more since operator set %d: gtk import --opset writes it in others", op.Since)
		return
	case op.Unknown:
		return
	}
	c.side(at, op, "input", n.GetInput(), op.MinIn, op.Input)
	c.side(at, op, "output", n.GetOutput(), op.MinOut, op.Output)
	c.attributes(at, op, n)
	c.bodies(at, n)
}

// side checks the number of inputs or outputs, and which are left out.
func (c *checker) side(at string, op *schema.Op, what string, names []string, least int, formal func(int) *schema.Formal) {
	if len(names) < least {
		c.wrong(at, "has %d %ss, and needs at least %d: the next is %s", len(names), what, least, formal(len(names)).Name)
	}
	for i, name := range names {
		f := formal(i)
		if f == nil {
			c.wrong(at, "has %d %ss, and takes at most %d as of version %d: leave the others out", len(names), what, i, op.Since)
			return
		}
		if name == "" && !f.Optional && !f.Variadic {
			c.wrong(at, "%s %d (%s) is left out, and must be there", what, i, f.Name)
		}
	}
}

// attributes checks names, types, and which must be there.
func (c *checker) attributes(at string, op *schema.Op, n *onnxpb.NodeProto) {
	have := map[string]bool{}
	for _, a := range n.GetAttribute() {
		have[a.GetName()] = true
		want := op.Attr(a.GetName())
		switch {
		case strings.HasPrefix(a.GetName(), "__"): // of an exporter's own
		case want == nil:
			c.wrong(at, "has the attribute %q, which version %d of the operator does not know%s: take it away, or import the operator "+
				"set that has it", a.GetName(), op.Since, c.nearAttr(a.GetName(), op))
		case a.GetType() != want.Type:
			c.wrong(at, "attribute %s is of type %v, and must be of %v", a.GetName(), a.GetType(), want.Type)
		}
	}
	for _, a := range op.Attrs {
		if a.Required && !have[a.Name] {
			c.wrong(at, "has no attribute %s, which it needs", a.Name)
		}
	}
}

// nearAttr is near for attributes.
func (c *checker) nearAttr(name string, op *schema.Op) string {
	if len(c.errs) >= maxProblems {
		return ""
	}
	for _, a := range op.Attrs {
		if distance(name, a.Name) <= max(1, len(name)/4) {
			return fmt.Sprintf(" (did you mean %s?)", a.Name)
		}
	}
	return ""
}

// bodies checks how many inputs and outputs the graphs in a node have.
func (c *checker) bodies(at string, n *onnxpb.NodeProto) {
	for _, a := range n.GetAttribute() {
		g := a.GetG()
		if g == nil || normal(n.GetDomain()) != "" {
			continue
		}
		in, out := len(g.GetInput()), len(g.GetOutput())
		wantIn, wantOut := in, out
		switch n.GetOpType() {
		case "If":
			wantIn, wantOut = 0, len(n.GetOutput())
		case "Loop":
			carried := max(0, len(n.GetInput())-2)
			wantIn, wantOut = 2+carried, 1+len(n.GetOutput())
		}
		if in != wantIn || out != wantOut {
			c.wrong(at, "the graph in attribute %s has %d inputs and %d outputs, and needs %d and %d", a.GetName(), in, out, wantIn, wantOut)
		}
	}
}
