package onnx

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Diff is what two models differ in, sorted by kind. Everything in the files is compared; what belongs to none of the
// kinds is in Other.
type Diff struct {
	Nodes        []Change `json:"nodes"`
	Attributes   []Change `json:"attributes"`
	Initializers []Change `json:"initializers"`
	Metadata     []Change `json:"metadata"`
	IO           []Change `json:"io"` // inputs and outputs of graphs
	Other        []Change `json:"other"`
}

// Change is one difference. A is "" for what only the second model has, B for what only the first has.
type Change struct {
	Path string `json:"path"`
	A    string `json:"a,omitempty"`
	B    string `json:"b,omitempty"`
}

// String is one line.
func (c Change) String() string {
	path, a, b := shown.Line(c.Path, 400), shown.Line(c.A, 400), shown.Line(c.B, 400)
	switch {
	case c.A == "":
		return fmt.Sprintf("+ %s: %s", path, b)
	case c.B == "":
		return fmt.Sprintf("- %s: %s", path, a)
	}
	return fmt.Sprintf("~ %s: %s → %s", path, a, b)
}

// Empty reports whether the models are the same.
func (d Diff) Empty() bool {
	return len(d.Nodes)+len(d.Attributes)+len(d.Initializers)+len(d.Metadata)+len(d.IO)+len(d.Other) == 0
}

// String lists the differences by kind, one line each.
func (d Diff) String() string {
	if d.Empty() {
		return "the models are the same\n"
	}
	var b strings.Builder
	for _, s := range []struct {
		name    string
		changes []Change
	}{
		{"inputs and outputs", d.IO}, {"nodes", d.Nodes}, {"attributes", d.Attributes},
		{"initializers", d.Initializers}, {"metadata", d.Metadata}, {"other", d.Other},
	} {
		if len(s.changes) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s (%d)\n", s.name, len(s.changes))
		for _, c := range s.changes {
			fmt.Fprintf(&b, "  %v\n", c)
		}
	}
	return b.String()
}

// CompareModels lists the differences from a to b. Nodes, initializers, attributes and values are matched by name, so
// that one that was put in does not show all that follow as changed; how they are stored does not matter for tensors of
// equal values, except that it is reported under Other.
func CompareModels(a, b *Model) Diff {
	d := &differ{a: a, b: b}
	d.message("", d.other(), a.Proto.ProtoReflect(), b.Proto.ProtoReflect())
	return d.out
}

type differ struct {
	a, b *Model
	out  Diff
}

func (d *differ) other() *[]Change { return &d.out.Other }

// listOf says where the differences of a field belong; those of fields inside go with it.
func (d *differ) listOf(fd protoreflect.FieldDescriptor, in *[]Change) *[]Change {
	switch fd.FullName() {
	case "gtk.onnx.GraphProto.node", "gtk.onnx.FunctionProto.node":
		return &d.out.Nodes
	case "gtk.onnx.NodeProto.attribute":
		return &d.out.Attributes
	case "gtk.onnx.GraphProto.initializer", "gtk.onnx.GraphProto.sparse_initializer":
		return &d.out.Initializers
	case "gtk.onnx.GraphProto.input", "gtk.onnx.GraphProto.output":
		return &d.out.IO
	}
	if fd.Name() == "metadata_props" {
		return &d.out.Metadata
	}
	return in
}

func (d *differ) message(path string, list *[]Change, a, b protoreflect.Message) {
	if ta, ok := a.Interface().(*onnxpb.TensorProto); ok {
		d.tensor(path, list, ta, b.Interface().(*onnxpb.TensorProto))
		return
	}
	fds := a.Descriptor().Fields()
	for i := range fds.Len() {
		fd := fds.Get(i)
		if !a.Has(fd) && !b.Has(fd) {
			continue
		}
		p, l := joinPath(path, string(fd.Name())), d.listOf(fd, list)
		switch {
		case fd.IsList() && fd.Message() != nil:
			d.messages(p, l, a.Get(fd).List(), b.Get(fd).List())
		case fd.IsList():
			if x, y := render(fd, a), render(fd, b); !a.Get(fd).Equal(b.Get(fd)) {
				if x == y {
					y += " (in part)"
				}
				*l = append(*l, Change{p, x, y})
			}
		case fd.Message() != nil && a.Has(fd) && b.Has(fd):
			d.message(p, l, a.Get(fd).Message(), b.Get(fd).Message())
		case a.Has(fd) != b.Has(fd):
			*l = append(*l, Change{p, render(fd, a), render(fd, b)})
		case !a.Get(fd).Equal(b.Get(fd)):
			*l = append(*l, Change{p, render(fd, a), render(fd, b)})
		}
	}
	if !bytes.Equal(a.GetUnknown(), b.GetUnknown()) {
		*list = append(*list, Change{joinPath(path, "unknown fields"), fmt.Sprintf("%d bytes", len(a.GetUnknown())),
			fmt.Sprintf("%d other bytes", len(b.GetUnknown()))})
	}
}

// messages compares two lists, matching by name where there are names.
func (d *differ) messages(path string, l *[]Change, a, b protoreflect.List) {
	ka, kb := keysOf(a), keysOf(b)
	at := map[string]int{}
	for i, k := range kb {
		at[k] = i
	}
	var order []int
	for i, k := range ka {
		p := fmt.Sprintf("%s[%s]", path, k)
		j, ok := at[k]
		if !ok {
			*l = append(*l, Change{Path: p, A: summary(a.Get(i).Message())})
			continue
		}
		delete(at, k)
		order = append(order, j)
		d.message(p, l, a.Get(i).Message(), b.Get(j).Message())
	}
	for i, k := range kb {
		if _, added := at[k]; added {
			*l = append(*l, Change{Path: fmt.Sprintf("%s[%s]", path, k), B: summary(b.Get(i).Message())})
		}
	}
	if !slices.IsSorted(order) {
		*l = append(*l, Change{path, "this order", "another order"})
	}
}

// keysOf names the elements of a list, each name once: the name, key or first output of the element, or its index.
func keysOf(l protoreflect.List) []string {
	keys, seen := make([]string, l.Len()), map[string]bool{}
	for i := range keys {
		k := keyOf(l.Get(i).Message().Interface())
		if k == "" {
			k = fmt.Sprint(i)
		}
		for n := 2; seen[k]; n++ {
			k = fmt.Sprintf("%s #%d.%d", k, i, n)
		}
		keys[i], seen[k] = k, true
	}
	return keys
}

func keyOf(m proto.Message) string {
	switch m := m.(type) {
	case *onnxpb.NodeProto:
		if m.GetName() == "" && len(m.GetOutput()) > 0 {
			return "output " + m.GetOutput()[0]
		}
		return m.GetName()
	case *onnxpb.SparseTensorProto:
		return m.GetValues().GetName()
	case *onnxpb.StringStringEntryProto:
		return m.GetKey()
	case *onnxpb.OperatorSetIdProto:
		if m.GetDomain() == "" {
			return "ai.onnx"
		}
		return m.GetDomain()
	case *onnxpb.FunctionProto:
		return m.GetDomain() + "." + m.GetName() + m.GetOverload()
	case interface{ GetName() string }:
		return m.GetName()
	}
	return ""
}

// render is a field as text.
func render(fd protoreflect.FieldDescriptor, m protoreflect.Message) string {
	switch {
	case !m.Has(fd):
		if fd.IsList() {
			return "[]"
		}
		return ""
	case fd.IsList():
		l := m.Get(fd).List()
		parts := make([]string, 0, 16)
		for i := range min(l.Len(), 16) {
			parts = append(parts, scalar(l.Get(i)))
		}
		if l.Len() > 16 {
			parts = append(parts, fmt.Sprintf("… %d in all", l.Len()))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case fd.Message() != nil:
		return summary(m.Get(fd).Message())
	case fd.Enum() != nil:
		if v := fd.Enum().Values().ByNumber(m.Get(fd).Enum()); v != nil {
			return string(v.Name())
		}
	}
	return scalar(m.Get(fd))
}

func scalar(v protoreflect.Value) string {
	text := ""
	switch x := v.Interface().(type) {
	case string:
		text = x
	case []byte:
		text = string(x)
	default:
		return v.String()
	}
	if len(text) > 80 {
		return fmt.Sprintf("%q… (%d bytes)", text[:80], len(text))
	}
	return fmt.Sprintf("%q", text)
}

// summary is a message in a few words.
func summary(m protoreflect.Message) string {
	switch x := m.Interface().(type) {
	case *onnxpb.NodeProto:
		return fmt.Sprintf("%s(%s) → %s", x.GetOpType(), shown.Names(x.GetInput(), 12), shown.Names(x.GetOutput(), 12))
	case *onnxpb.TensorProto:
		return fmt.Sprintf("%v%v", tensor.DType(x.GetDataType()), x.GetDims())
	case *onnxpb.AttributeProto:
		fds := m.Descriptor().Fields()
		for i := range fds.Len() {
			if fd := fds.Get(i); m.Has(fd) && fd.Name() != "name" && fd.Name() != "type" && fd.Name() != "doc_string" {
				return render(fd, m)
			}
		}
		return x.GetType().String() + " nothing"
	case *onnxpb.StringStringEntryProto:
		return fmt.Sprintf("%q", x.GetValue())
	case *onnxpb.OperatorSetIdProto:
		return fmt.Sprint(x.GetVersion())
	case *onnxpb.GraphProto:
		return fmt.Sprintf("graph %q of %d nodes", x.GetName(), len(x.GetNode()))
	case *onnxpb.ValueInfoProto:
		return TypeString(x.GetType())
	case *onnxpb.TypeProto:
		return TypeString(x)
	}
	return string(m.Descriptor().Name())
}

// tensor compares the values of two tensors, and everything else of them as any message.
func (d *differ) tensor(path string, l *[]Change, a, b *onnxpb.TensorProto) {
	ra, rb := a.ProtoReflect(), b.ProtoReflect()
	va, errA := d.a.Tensor(a)
	vb, errB := d.b.Tensor(b)
	before := len(*l)
	switch {
	case errA != nil || errB != nil:
		if !proto.Equal(a, b) {
			*l = append(*l, Change{path, describe(va, errA), describe(vb, errB)})
		}
		return
	case va.DType() != vb.DType() || !va.Shape().Equal(vb.Shape()):
		*l = append(*l, Change{path, va.String(), vb.String()})
	case !sameValues(va, vb):
		*l = append(*l, Change{path, va.String(), "other values" + distance(va, vb)})
	}
	for _, f := range []protoreflect.Name{"name", "doc_string", "segment", "metadata_props"} {
		fd := ra.Descriptor().Fields().ByName(f)
		switch {
		case fd.IsList():
			d.messages(path+"."+string(f), d.listOf(fd, l), ra.Get(fd).List(), rb.Get(fd).List())
		case !ra.Get(fd).Equal(rb.Get(fd)) || ra.Has(fd) != rb.Has(fd):
			*l = append(*l, Change{path + "." + string(f), render(fd, ra), render(fd, rb)})
		}
	}
	if !bytes.Equal(ra.GetUnknown(), rb.GetUnknown()) {
		*l = append(*l, Change{path + ".unknown fields", fmt.Sprintf("%d bytes", len(ra.GetUnknown())),
			fmt.Sprintf("%d other bytes", len(rb.GetUnknown()))})
	}
	if sa, sb := storage(a), storage(b); sa != sb && before == len(*l) {
		d.out.Other = append(d.out.Other, Change{path + " is stored as", sa, sb})
	}
}

func describe(t *tensor.Tensor, err error) string {
	if err != nil {
		return "unreadable: " + err.Error()
	}
	return t.String()
}

func storage(t *onnxpb.TensorProto) string {
	if isExternal(t) {
		return "external data"
	}
	if _, _, raw, err := checkStorage(t); err == nil && !raw {
		return "typed values"
	}
	return "raw bytes"
}

func sameValues(a, b *tensor.Tensor) bool {
	if a.DType() == tensor.String {
		return slices.Equal(a.Strings(), b.Strings())
	}
	return bytes.Equal(a.Bytes(), b.Bytes())
}

// distance says how far apart the values of two numeric tensors are.
func distance(a, b *tensor.Tensor) string {
	x, y := a.Float64s(), b.Float64s()
	if x == nil || y == nil {
		return ""
	}
	worst, n := 0.0, 0
	for i := range x {
		if x[i] != y[i] && !(math.IsNaN(x[i]) && math.IsNaN(y[i])) {
			n++
			worst = max(worst, math.Abs(x[i]-y[i]))
		}
	}
	return fmt.Sprintf(" (%d of %d differ, by at most %.3g)", n, len(x), worst)
}
