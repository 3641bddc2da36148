// Package engine loads an ONNX model, runs it, differentiates it and gives it back.
//
// Load turns an *onnx.Model, which is kept untouched, into a Model. A Session answers one Query: values to fetch, a
// loss, what to differentiate it by. Parameters are changed in place between runs; Save writes them back.
package engine

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// IO is an input or output of a model: its name, element type and declared shape (nil when the rank is not declared).
type IO struct {
	Name  string
	DType tensor.DType
	Dims  []graph.Dim
}

// String is for example `input float32[N,3,224,224]`, or `parts sequence(float32)`.
func (io IO) String() string {
	if io.DType.IsContainer() {
		return fmt.Sprintf("%s %v", shown.Name(io.Name), io.DType)
	}
	if io.Dims == nil {
		return fmt.Sprintf("%s %v[...]", shown.Name(io.Name), io.DType)
	}
	var d []string
	for _, x := range io.Dims {
		switch {
		case x.Size >= 0:
			d = append(d, fmt.Sprint(x.Size))
		case x.Symbol != "":
			d = append(d, shown.Name(x.Symbol))
		default:
			d = append(d, "?")
		}
	}
	return fmt.Sprintf("%s %v[%s]", shown.Name(io.Name), io.DType, shown.Line(strings.Join(d, ","), 200))
}

// Model is a loaded model. Its methods are safe for concurrent use, and so are its sessions, each by one goroutine at a time, with one
// exception: the content of parameters (Param.Value) may be changed, by an optimiser for example, only while no session of the model runs
// and nothing else reads them; Changed then tells the sessions. Thaw and Close wait for runs in progress. See Session.
type Model struct {
	file    *onnx.Model
	g       *graph.Graph
	inputs  []IO
	outputs []IO
	params  []*Param
	byName  map[string]*Param
	threads int
	pool    *parallel.Pool
	set     *graph.Set
	gen     atomic.Int64 // counts changes of parameters
	thawed  bool
	short   error // why parameters have no storage of their own
	batch   batching
	looks   looks
	gate    gate

	wanted    []string    // globs of WithTrainable
	forward   bool        // ForwardOnly
	untrained []Untrained // beside parameters
}

// Missing is one thing a model needs that the engine does not have.
type Missing struct {
	Node, Op, Domain string
	Opset            int
	Why              string
}

// UnsupportedError lists everything that keeps a model from being loaded.
type UnsupportedError struct{ Missing []Missing }

// maxLines is how many operators the message of an UnsupportedError names.
const maxLines = 20

// Error names each operator once, with its nodes.
func (e *UnsupportedError) Error() string {
	var lines []string
	count, first := map[string]int{}, map[string]string{}
	for _, m := range e.Missing {
		if m.Why == "" {
			continue
		}
		op := m.Op
		if m.Domain != "" {
			op = m.Domain + "." + op
		}
		line := fmt.Sprintf("%s (opset %d): %s", shown.Name(op), m.Opset, shown.Line(m.Why, 400))
		if count[line] == 0 {
			lines, first[line] = append(lines, line), m.Node
		}
		count[line]++
	}
	more := len(lines) - maxLines
	lines = lines[:min(len(lines), maxLines)]
	for i, l := range lines {
		lines[i] += fmt.Sprintf("; first at node %s, %d in all", shown.Quote(first[l]), count[l])
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return "engine: the model needs what this engine does not have: " + strings.Join(lines, " | ")
}

// Option changes how a model is loaded.
type Option func(*Model)

// WithThreads runs the model on n threads; 0 means all processors.
func WithThreads(n int) Option { return func(m *Model) { m.threads = n } }

// WithPool runs the model on p, which it closes with itself.
func WithPool(p *parallel.Pool) Option { return func(m *Model) { m.pool, m.threads = p, p.Threads() } }

// WithOps looks operators up in set instead of ops.Standard.
func WithOps(set *graph.Set) Option { return func(m *Model) { m.set = set } }

// Load prepares m for running. What it needs and the engine does not have is reported all at once in an *UnsupportedError;
// a model that is malformed gives an *onnx.FormatError.
func Load(m *onnx.Model, opts ...Option) (*Model, error) {
	em := &Model{file: m, byName: map[string]*Param{}, set: ops.Standard}
	for _, o := range opts {
		o(em)
	}
	if m.Proto.GetGraph() == nil {
		return nil, fmt.Errorf("engine: %w", &onnx.FormatError{Msg: "the model has no graph"})
	}
	im := newImporter(m, em.set)
	for _, o := range m.Proto.GetOpsetImport() {
		im.opsets.model[domainOf(o.GetDomain())] = int(o.GetVersion())
	}
	if len(im.opsets.model) == 0 {
		im.opsets.model[""] = 1 // IR versions before 3 had no operator sets
	}
	if v := im.opsets.model[""]; v > onnx.LatestOpset {
		return nil, fmt.Errorf("engine: %w", &onnx.UnsupportedError{Feature: fmt.Sprintf("operator set %d; the newest known is %d: "+
			"export the model with an older one", v, onnx.LatestOpset)})
	}
	held := m.ContentBytes()
	im.left, im.bytes, im.distinct = maxExpanded, 64<<20+16*held, 64<<20+4*held
	m.Walk(func(_ *onnxpb.GraphProto, n *onnxpb.NodeProto) {
		im.left += 16
		im.bytes += int64(2 * copied(n))
	})
	g, inputs, outputs, err := im.graph(m.Proto.GetGraph())
	if len(im.missing) > 0 {
		return nil, &UnsupportedError{im.missing}
	}
	if err != nil {
		return nil, err
	}
	em.g, em.inputs, em.outputs = g, inputs, outputs
	g.Given = int(max(1, held))
	shared := rewrite.Unshare(g, func(n *graph.Node) bool { return im.own[n] })
	if err := em.findParams(im, shared); err != nil {
		return nil, err
	}
	if err := rewrite.Fold(g, dequantised(g)...); err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	rewrite.Dead(g, nil)
	em.dropDead()
	if em.pool == nil {
		em.pool = parallel.New(em.threads)
	}
	em.freeBatch()
	return em, nil
}

// File is the model as it was read; nil once m is closed.
func (m *Model) File() *onnx.Model {
	if m.gate.enter() != nil {
		return nil
	}
	defer m.gate.leave()
	return m.file
}

// Graph is the forward graph, folded; it must not be changed. It is nil once m is closed.
func (m *Model) Graph() *graph.Graph {
	if m.gate.enter() != nil {
		return nil
	}
	defer m.gate.leave()
	return m.g
}

// Inputs are the inputs that a run must feed.
func (m *Model) Inputs() []IO { return slices.Clone(m.inputs) }

// Outputs are the outputs of the model.
func (m *Model) Outputs() []IO { return slices.Clone(m.outputs) }

// Pool is the worker pool that the model runs on. It is closed with the model.
func (m *Model) Pool() *parallel.Pool { return m.pool }

// value finds a value of the forward graph by ONNX name, or a node by its name, meaning its first output.
func (m *Model) value(name string) (graph.Value, error) {
	l := m.look()
	defer l.mu.Unlock()
	if i, ok := l.output[name]; ok {
		return m.g.Outputs[i], nil
	}
	if v := m.g.Lookup(name); v != 0 {
		return v, nil
	}
	if v, ok := l.node[name]; ok {
		return v, nil
	}
	return 0, fmt.Errorf("engine: the model has no value %q%s", name, hint(name, m.g.Names()))
}
