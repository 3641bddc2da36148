package onnx

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Model is one ONNX model. The zero value with Proto set is usable. Methods that only read may be called from several
// goroutines.
type Model struct {
	Proto *onnxpb.ModelProto // the whole file
	Path  string             // file it was read from, "" if none

	old     int64 // IR version of the file where it was changed when read, else 0
	untyped int   // attributes that got a type when read

	data dataFolder // where external data is

	functions atomic.Pointer[functionIndex] // see Function

	mu      sync.Mutex
	changed map[*onnxpb.TensorProto]*tensor.Tensor // new values of external tensors, until WriteFile
	sums    map[string]error                       // checksums that were verified, by location
	beside  *beside                                // what was read of external data; nil until then
	sparse  densified
	ctx     context.Context // of reading, nil when it is not to end
}

// Opset is the version of an operator set the model imports, 0 when it does not import it. The domains "" and
// "ai.onnx" are the same. A model of IR version 1 or 2, which had no operator sets, has version 1 of that one.
func (m *Model) Opset(domain string) int64 {
	if len(m.Proto.GetOpsetImport()) == 0 && m.Proto.GetIrVersion() < 3 && normalDomain(domain) == "" {
		return 1
	}
	return opsetIn(m.Proto.GetOpsetImport(), domain)
}

func opsetIn(imports []*onnxpb.OperatorSetIdProto, domain string) int64 {
	for _, o := range imports {
		if normalDomain(o.GetDomain()) == normalDomain(domain) {
			return o.GetVersion()
		}
	}
	return 0
}

func normalDomain(d string) string {
	if d == "ai.onnx" {
		return ""
	}
	return d
}

// Metadata is the value of a key of metadata_props, and whether it is there.
func (m *Model) Metadata(key string) (string, bool) {
	for _, e := range m.Proto.GetMetadataProps() {
		if e.GetKey() == key {
			return e.GetValue(), true
		}
	}
	return "", false
}

// SetMetadata sets the value of a key of metadata_props, keeping its place, or appends it.
func (m *Model) SetMetadata(key, val string) {
	for _, e := range m.Proto.MetadataProps {
		if e.GetKey() == key {
			e.Value = &val
			return
		}
	}
	m.Proto.MetadataProps = append(m.Proto.MetadataProps, &onnxpb.StringStringEntryProto{Key: &key, Value: &val})
}

// DropMetadata removes the entries of a key of metadata_props.
func (m *Model) DropMetadata(key string) {
	m.Proto.MetadataProps = slices.DeleteFunc(m.Proto.MetadataProps, func(e *onnxpb.StringStringEntryProto) bool {
		return e.GetKey() == key
	})
}

// Warnings lists what is legal but may matter: versions newer than this package knows.
func (m *Model) Warnings() []string {
	w := m.oldWarnings()
	if v := m.Proto.GetIrVersion(); v > MaxIR {
		w = append(w, fmt.Sprintf("onnx: the model has IR version %d, the newest known is %d: what it has that is new is kept but not "+
			"understood; "+
			"export it with an older IR version if something fails", v, MaxIR))
	}
	if v := m.Opset(""); v > LatestOpset {
		w = append(w, fmt.Sprintf("onnx: the model imports operator set %d, the newest known is %d: export it with an older one if an "+
			"operator fails", v, LatestOpset))
	}
	return w
}

// Initializer is the initializer of the main graph with that name, nil if there is none.
func (m *Model) Initializer(name string) *onnxpb.TensorProto {
	for _, t := range m.Proto.GetGraph().GetInitializer() {
		if t.GetName() == name {
			return t
		}
	}
	return nil
}

// InitializerNames lists the initializers of the main graph, sparse ones after the others, in file order.
func (m *Model) InitializerNames() []string {
	var names []string
	for _, t := range m.Proto.GetGraph().GetInitializer() {
		names = append(names, t.GetName())
	}
	for _, t := range m.Proto.GetGraph().GetSparseInitializer() {
		names = append(names, t.GetValues().GetName())
	}
	return names
}

// Inputs lists the inputs of the main graph that have no initializer. (Before IR version 4 all initializers are listed
// as inputs too; later, one that is listed is the default value of the input.)
func (m *Model) Inputs() []*onnxpb.ValueInfoProto {
	init := map[string]bool{}
	for _, n := range m.InitializerNames() {
		init[n] = true
	}
	var in []*onnxpb.ValueInfoProto
	for _, v := range m.Proto.GetGraph().GetInput() {
		if !init[v.GetName()] {
			in = append(in, v)
		}
	}
	return in
}

// Outputs lists the outputs of the main graph.
func (m *Model) Outputs() []*onnxpb.ValueInfoProto { return m.Proto.GetGraph().GetOutput() }

// SetInitializer gives an initializer of the main graph new values of the same element type and shape. It stays stored
// as it was (raw bytes, typed field, or beside the model), in its place, with its documentation and unknown fields.
// t is copied, except for external data, where it must not change until WriteFile.
func (m *Model) SetInitializer(name string, t *tensor.Tensor) error {
	where := fmt.Sprintf("initializer %q", name)
	p := m.Initializer(name)
	if p == nil {
		if slices.Contains(m.InitializerNames(), name) {
			return &UnsupportedError{Where: where, Feature: "setting the values of a sparse initializer"}
		}
		return fmt.Errorf("onnx: %s: the model has none of this name%s", where, m.similar(name))
	}
	return m.setTensor(where, p, t)
}

// setTensor gives p, called where in messages, new values as SetInitializer does.
func (m *Model) setTensor(where string, p *onnxpb.TensorProto, t *tensor.Tensor) error {
	shape, _, err := shapeOf(p)
	if err != nil {
		return at(err, where)
	}
	if d := tensor.DType(p.GetDataType()); d != t.DType() || !shape.Equal(t.Shape()) {
		return fmt.Errorf("onnx: %s is %v%v, cannot be set to %v", where, d, shape, t)
	}
	if isExternal(p) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.changed == nil {
			m.changed = map[*onnxpb.TensorProto]*tensor.Tensor{}
		}
		m.changed[p] = t
		return nil
	}
	return at(setValues(p, t), where)
}

// similar is a hint at the initializer whose name is nearest.
func (m *Model) similar(name string) string {
	best, score := "", len(name)/2
	for _, n := range m.InitializerNames() {
		if l := commonLen(n, name); l > score {
			best, score = n, l
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// commonLen is the length of the common prefix and suffix.
func commonLen(a, b string) int {
	n := min(len(a), len(b))
	i, j := 0, 0
	for i < n && a[i] == b[i] {
		i++
	}
	for j < n-i && a[len(a)-1-j] == b[len(b)-1-j] {
		j++
	}
	return i + j
}

// ReplaceNodeByInitializer takes the node away whose one output is name and puts an initializer of that name and the
// values of t in its place. It serves parameters that an exporter shared: an Identity of an initializer can become a
// parameter of its own.
func (m *Model) ReplaceNodeByInitializer(name string, t *tensor.Tensor) error {
	return m.ReplaceNodesByInitializers([]tensor.Named{{Name: name, Tensor: t}})
}

// ReplaceNodesByInitializers is ReplaceNodeByInitializer for several nodes; the initializers come in the order given.
func (m *Model) ReplaceNodesByInitializers(values []tensor.Named) error {
	if len(values) == 0 {
		return nil
	}
	g := m.Proto.GetGraph()
	maker, inits := map[string]*onnxpb.NodeProto{}, map[string]bool{}
	for _, n := range g.GetNode() {
		for _, o := range n.GetOutput() {
			if maker[o] == nil {
				maker[o] = n
			}
		}
	}
	for _, name := range m.InitializerNames() {
		inits[name] = true
	}
	gone := map[*onnxpb.NodeProto]bool{}
	for _, v := range values {
		n := maker[v.Name]
		if n == nil || gone[n] {
			return fmt.Errorf("onnx: no node has the output %q", v.Name)
		}
		for _, o := range n.GetOutput() {
			if o != "" && o != v.Name {
				return fmt.Errorf("onnx: %s also has the output %q", nodeName(n), o)
			}
		}
		if inits[v.Name] {
			return fmt.Errorf("onnx: there is an initializer %q already", v.Name)
		}
		gone[n] = true
	}
	g.Node = slices.DeleteFunc(g.Node, func(n *onnxpb.NodeProto) bool { return gone[n] })
	for _, v := range values {
		g.Initializer = append(g.Initializer, TensorToProto(v.Name, v.Tensor))
		if m.Proto.GetIrVersion() < 4 { // initializers are inputs there
			dims := make([]any, v.Tensor.Rank())
			for i, d := range v.Tensor.Shape() {
				dims[i] = d
			}
			g.Input = append(g.Input, ValueInfo(v.Name, v.Tensor.DType(), dims...))
		}
	}
	return nil
}

// Clone is a copy of m that can be changed without changing m, and the reverse, as long as the contents of tensors are
// replaced and not written into: those are shared.
func (m *Model) Clone() *Model {
	c := cloner{tensors: map[*onnxpb.TensorProto]*onnxpb.TensorProto{}}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.beside == nil {
		m.beside = new(beside)
	}
	out := &Model{Path: m.Path, old: m.old, untyped: m.untyped, data: m.data, sums: maps.Clone(m.sums), beside: m.beside, ctx: m.ctx}
	if m.Proto != nil {
		out.Proto = c.model(m.Proto)
	}
	for p, t := range m.changed {
		if q := c.tensors[p]; q != nil {
			if out.changed == nil {
				out.changed = map[*onnxpb.TensorProto]*tensor.Tensor{}
			}
			out.changed[q] = t
		}
	}
	return out
}

// nodeName is how errors name a node.
func nodeName(n *onnxpb.NodeProto) string {
	name := n.GetName()
	if name == "" && len(n.GetOutput()) > 0 {
		return fmt.Sprintf("node of output %s (%s)", shown.Quote(n.GetOutput()[0]), shown.Name(n.GetOpType()))
	}
	return fmt.Sprintf("node %s (%s)", shown.Quote(name), cmp.Or(shown.Name(n.GetOpType()), "no operator"))
}
