// Package schema has the signatures of ONNX's operators, in each version: inputs, outputs, attributes and the types they take.
//
// Source: https://github.com/onnx/onnx/blob/main/docs/Changelog.md and Changelog-ml.md.
package schema

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

//go:embed onnx17.tsv
var until17 string

//go:embed later.tsv
var later string

// Op is one version of an operator.
type Op struct {
	Domain, Name  string // the domain of ai.onnx is ""
	Since         int    // operator set that brought this version
	Deprecated    bool   // it is there no more
	Unknown       bool   // that it exists is all that is known
	MinIn, MinOut int    // how many inputs and outputs there are at least
	In, Out       []Formal
	Attrs         []Attr
	Types         map[string][]string // what the type parameters may be, in the form of TypeName; nil: any
}

// Formal is an input or output.
type Formal struct {
	Name, Type         string // Type is a parameter of Op.Types, or a type
	Optional, Variadic bool
	Mixed              bool // a variadic one of any types
}

// Attr is an attribute.
type Attr struct {
	Name     string
	Type     onnxpb.AttributeProto_AttributeType
	Required bool
}

type key struct{ domain, name string }

// Find is the version of an operator in an operator set, nil if there is none; known is whether any set has one of that name.
func Find(domain, name string, opset int64) (op *Op, known bool) {
	all := table()[key{normal(domain), name}]
	for _, o := range all {
		if int64(o.Since) <= opset {
			op = o
		}
	}
	return op, len(all) > 0
}

// Versions are the operator sets that brought an operator or changed it, ascending.
func Versions(domain, name string) (since []int) {
	for _, o := range table()[key{normal(domain), name}] {
		since = append(since, o.Since)
	}
	return since
}

// Domains reports whether the operators of a domain are listed here.
func Domains(domain string) bool {
	switch normal(domain) {
	case "", "ai.onnx.ml", "ai.onnx.preview.training":
		return true
	}
	return false
}

// Names are the operators of a domain.
func Names(domain string) (names []string) {
	for k := range table() {
		if k.domain == normal(domain) {
			names = append(names, k.name)
		}
	}
	slices.Sort(names)
	return names
}

// Attr is the attribute of that name, nil if there is none.
func (o *Op) Attr(name string) *Attr {
	if i := slices.IndexFunc(o.Attrs, func(a Attr) bool { return a.Name == name }); i >= 0 {
		return &o.Attrs[i]
	}
	return nil
}

// Input is the formal of input i, nil if there is none.
func (o *Op) Input(i int) *Formal { return nth(o.In, i) }

// Output is the formal of output i, nil if there is none.
func (o *Op) Output(i int) *Formal { return nth(o.Out, i) }

func nth(f []Formal, i int) *Formal {
	switch {
	case i < len(f):
		return &f[i]
	case len(f) > 0 && f[len(f)-1].Variadic:
		return &f[len(f)-1]
	}
	return nil
}

func normal(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}

var attrTypes = map[string]onnxpb.AttributeProto_AttributeType{
	"f": onnxpb.AttributeProto_FLOAT, "i": onnxpb.AttributeProto_INT, "s": onnxpb.AttributeProto_STRING, "t": onnxpb.AttributeProto_TENSOR,
	"g": onnxpb.AttributeProto_GRAPH, "z": onnxpb.AttributeProto_SPARSE_TENSOR, "p": onnxpb.AttributeProto_TYPE_PROTO,
	"F": onnxpb.AttributeProto_FLOATS, "I": onnxpb.AttributeProto_INTS, "S": onnxpb.AttributeProto_STRINGS,
	"T": onnxpb.AttributeProto_TENSORS, "G": onnxpb.AttributeProto_GRAPHS, "Z": onnxpb.AttributeProto_SPARSE_TENSORS,
	"P": onnxpb.AttributeProto_TYPE_PROTOS,
}

// table is the tables, read when first asked for. They are part of the program: what is malformed in them shows in its tests.
var table = sync.OnceValue(func() map[key][]*Op {
	all, sets := map[key][]*Op{}, map[string][]string{}
	for line := range strings.Lines(until17 + later) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "\t")
		if f[0][0] == '=' {
			sets[f[0][1:]] = strings.Fields(f[1])
			continue
		}
		f = append(f, make([]string, 9)...)
		k := key{normal(f[0]), f[1]}
		o := &Op{Domain: k.domain, Name: k.name, Types: map[string][]string{}}
		o.Since, _ = strconv.Atoi(strings.TrimSuffix(f[2], "-"))
		o.Deprecated = strings.HasSuffix(f[2], "-")
		o.MinIn, _ = strconv.Atoi(f[3])
		o.MinOut, _ = strconv.Atoi(f[4])
		o.In, o.Out, o.Attrs = formals(f[5]), formals(f[6]), attrs(f[7])
		switch f[3] {
		case "?":
			o.Unknown = true
		case "+":
			p := all[k][len(all[k])-1]
			o.Unknown, o.MinIn, o.MinOut, o.Out = p.Unknown, p.MinIn, p.MinOut, p.Out
			o.In, o.Attrs = slices.Concat(p.In, o.In), slices.Concat(p.Attrs, o.Attrs)
		}
		for _, t := range strings.Fields(f[8]) {
			name, set, _ := strings.Cut(t, "=")
			o.Types[name] = sets[set]
		}
		if o.Since > 17 {
			for _, f := range slices.Concat(o.In, o.Out) {
				if !concrete(f.Type) {
					o.Types[f.Type] = nil
				}
			}
		}
		all[k] = append(all[k], o)
	}
	return all
})

// concrete reports whether the type of a formal is a type, not a parameter.
func concrete(t string) bool {
	switch t {
	case "float", "double", "int64", "int32", "uint8", "string", "bool":
		return true
	}
	return strings.Contains(t, "(")
}

func formals(s string) (out []Formal) {
	for _, w := range strings.Fields(s) {
		name, typ, _ := strings.Cut(w, ":")
		f := Formal{Type: typ, Optional: strings.HasSuffix(name, "?"), Variadic: strings.HasSuffix(name, "*"),
			Mixed: strings.HasSuffix(name, "**")}
		f.Name = strings.TrimRight(name, "?*")
		out = append(out, f)
	}
	return out
}

func attrs(s string) (out []Attr) {
	for _, w := range strings.Fields(s) {
		name, typ, _ := strings.Cut(w, ":")
		out = append(out, Attr{name, attrTypes[strings.TrimSuffix(typ, "!")], strings.HasSuffix(typ, "!")})
	}
	return out
}
