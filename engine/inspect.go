package engine

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Layer is one node of the forward graph with what it costs.
type Layer struct {
	Name, Op   string
	Domain     string
	Output     string       // name of the first output that something reads
	DType      tensor.DType // of that output
	Shape      []graph.Dim  // of that output, with the symbols of the inputs; nil when only a run can tell
	Parameters int          // numbers in the trainable parameters that it reads and no layer before it does
	MACs       int64        // multiply-accumulate operations for the input shapes of the inspection
	Bytes      int64        // of its outputs for those input shapes, 0 for one that shares its input's storage
}

// Inspection is what the layers of a model cost for given input shapes.
type Inspection struct {
	Layers      []Layer
	Inputs      []tensor.Shape // that shapes, MACs and bytes were worked out for
	Parameters  int            // trainable numbers
	State       int            // numbers in running statistics
	Fixed       int            // real numbers of the file that are neither
	NotTrained  []Untrained    // what State and Fixed count, and quantised and sparse tensors, with the reason
	WeightBytes int64          // of parameters, running statistics and constants
	MACs        int64
	PeakBytes   int64 // most memory that values take at the same time, without sharing storage in place
	Unknown     int   // layers of which only a run can tell the shape
}

// Sizes chooses extents for the free axes of the inputs: batch for the first axis of each input and for all that carry the same symbol;
// for others the first of a few usual sizes for which shapes can be inferred. Axes with the same symbol get the same extent. Axes that an
// input declares keep their extent, but for a batch that Batch says is free.
func (m *Model) Sizes(batch int) []tensor.Shape {
	if m.gate.enter() != nil {
		return nil
	}
	defer m.gate.leave()
	return m.inferable(batch, batch != m.batch.fixed && m.Batch() == 0)
}

// inferable is sizes for the first usual extents for which shapes can be inferred.
func (m *Model) inferable(batch int, free bool) []tensor.Shape {
	first := m.sizes(batch, usual[0], free)
	for _, u := range usual {
		s := m.sizes(batch, u, free)
		if _, _, err := exec.Shapes(m.g, s); err == nil {
			return s
		}
	}
	return first
}

// extent is what free axes are given: length in sequences, side in pictures.
type extent struct{ length, side int }

var usual = []extent{{16, 64}, {64, 224}, {256, 512}, {1024, 1024}}

// sizes is Sizes with the given extents of free axes; free lets a batch of a fixed size be batch too.
func (m *Model) sizes(batch int, u extent, free bool) []tensor.Shape {
	symbol := map[string]int{}
	for _, in := range m.inputs {
		if len(in.Dims) > 0 && in.Dims[0].Size < 0 && in.Dims[0].Symbol != "" {
			symbol[in.Dims[0].Symbol] = batch
		}
	}
	out := make([]tensor.Shape, len(m.inputs))
	for i, in := range m.inputs {
		out[i] = make(tensor.Shape, len(in.Dims))
		for k, d := range in.Dims {
			n := u.length
			if len(in.Dims) == 4 && k > 0 {
				n = u.side
			}
			switch {
			case k == 0 && free && m.batch.of[in.Name]:
				out[i][k] = batch
			case d.Size >= 0:
				out[i][k] = d.Size
			case k == 0 && d.Symbol == "":
				out[i][k] = batch
			default:
				if d.Symbol == "" {
					out[i][k] = n
					continue
				}
				if symbol[d.Symbol] == 0 {
					symbol[d.Symbol] = n
				}
				out[i][k] = symbol[d.Symbol]
			}
		}
	}
	return out
}

// Inspect works out shapes and costs of the layers for the given input shapes, nil for one example or the batch that the file declares.
// Shapes are inferred once more for inputs whose free axes have other extents: an axis of a layer that differs is shown as the symbol of
// the input axis that it equals in both, or as unknown.
func (m *Model) Inspect(inputs []tensor.Shape) (*Inspection, error) {
	if err := m.gate.enter(); err != nil {
		return nil, err
	}
	defer m.gate.leave()
	if inputs == nil {
		inputs = m.declared()
	}
	if len(inputs) != len(m.inputs) {
		return nil, fmt.Errorf("engine: inspect: %d input shapes given, the model has %d inputs", len(inputs), len(m.inputs))
	}
	for i, s := range inputs {
		if d := m.inputs[i].Dims; d != nil && len(s) != len(d) {
			return nil, fmt.Errorf("engine: inspect: input %v cannot have shape %v", m.inputs[i], s)
		}
	}
	shapes, _, err := exec.Shapes(m.g, inputs)
	if err != nil {
		return nil, fmt.Errorf("engine: inspect: %w", err)
	}
	symbols := m.symbols(inputs, shapes)
	r := m.Weights()
	r.Inputs = inputs
	seen := map[graph.Value]bool{}
	for _, n := range m.g.Nodes {
		l := m.layer(n, shapes)
		if v := firstOut(n); v != 0 {
			l.Shape = symbols(v)
			if shapes[v] == nil {
				r.Unknown++
			}
		}
		for _, v := range n.In {
			if v == 0 || seen[v] || m.g.Info(v).Kind != graph.Parameter {
				continue
			}
			seen[v] = true
			if p := m.byName[m.g.Info(v).Name]; p != nil && p.Trainable {
				l.Parameters += p.Value.Len()
			}
		}
		r.MACs += l.MACs
		r.Layers = append(r.Layers, l)
	}
	r.PeakBytes = peakBytes(m.g, shapes)
	return r, nil
}

// Weights is the part of an inspection that needs no shapes: no layers, MACs and peak.
func (m *Model) Weights() *Inspection {
	r := &Inspection{}
	if m.gate.enter() != nil {
		return r
	}
	defer m.gate.leave()
	for _, p := range m.params {
		switch {
		case p.Trainable:
			r.Parameters += p.Value.Len()
		case p.State:
			r.State += p.Value.Len()
		default:
			r.Fixed += p.Value.Len()
		}
	}
	r.NotTrained = m.notTrained()
	for _, in := range m.g.Values {
		if in.Data != nil {
			r.WeightBytes += int64(in.DType.Size(in.Data.Len()))
		}
	}
	return r
}

// symbols returns the function that gives the shape of a value with symbols for what follows the inputs' free axes.
func (m *Model) symbols(inputs, shapes []tensor.Shape) func(graph.Value) []graph.Dim {
	type extents struct{ a, b int }
	names := map[extents]string{} // of axes of inputs, the first with these extents
	second := m.sizes(inputBatch(inputs)+1, extent{1024 + 16, 1024 + 64}, false)
	for i, in := range m.inputs {
		for k, d := range in.Dims {
			switch {
			case d.Size >= 0:
				second[i][k] = inputs[i][k]
			case d.Symbol != "":
				if e := (extents{inputs[i][k], second[i][k]}); names[e] == "" {
					names[e] = d.Symbol
				}
			}
		}
	}
	other, _, err := exec.Shapes(m.g, second)
	return func(v graph.Value) []graph.Dim {
		s := shapes[v]
		if s == nil {
			return nil
		}
		out := make([]graph.Dim, len(s))
		for k, a := range s {
			out[k] = graph.Dim{Size: a}
			if err != nil || len(other[v]) != len(s) || other[v][k] == a {
				continue
			}
			out[k] = graph.Dim{Size: -1, Symbol: "?"}
			if name := names[extents{a, other[v][k]}]; name != "" {
				out[k].Symbol = name
			}
		}
		return out
	}
}

func inputBatch(inputs []tensor.Shape) int {
	if len(inputs) > 0 && len(inputs[0]) > 0 {
		return inputs[0][0]
	}
	return 1
}

// firstOut is the first output of n that is there.
func firstOut(n *graph.Node) graph.Value {
	for _, v := range n.Out {
		if v != 0 {
			return v
		}
	}
	return 0
}

// layer describes n.
func (m *Model) layer(n *graph.Node, shapes []tensor.Shape) Layer {
	l := Layer{Name: n.Name, Op: n.Op.Name, Domain: n.Op.Domain, MACs: ops.MACs(n, shapes)}
	for _, v := range n.Out {
		if v == 0 {
			continue
		}
		in := m.g.Info(v)
		if v == firstOut(n) {
			l.Output, l.DType = in.Name, in.DType
		}
		if shapes[v] != nil && !n.Op.View {
			l.Bytes += int64(in.DType.Size(shapes[v].Len()))
		}
	}
	return l
}

// peakBytes is the most memory that computed values take at once when each is given up after its last reader.
func peakBytes(g *graph.Graph, shapes []tensor.Shape) int64 {
	last := map[graph.Value]int{}
	root := map[graph.Value]graph.Value{} // of views
	of := func(v graph.Value) graph.Value {
		if r, ok := root[v]; ok {
			return r
		}
		return v
	}
	for i, n := range g.Nodes {
		if n.Op.View && len(n.Out) > 0 {
			root[n.Out[0]] = of(n.In[0])
		}
		for _, v := range n.In {
			last[of(v)] = i
		}
	}
	for _, v := range g.Outputs {
		last[of(v)] = len(g.Nodes)
	}
	frees := map[int][]graph.Value{}
	for v, i := range last {
		frees[i] = append(frees[i], v)
	}
	bytes := func(v graph.Value) int64 {
		if v == 0 || g.Info(v).Kind != graph.Computed || shapes[v] == nil {
			return 0
		}
		return int64(g.Info(v).DType.Size(shapes[v].Len()))
	}
	var live, peak int64
	for i, n := range g.Nodes {
		if !n.Op.View {
			for _, v := range n.Out {
				if _, read := last[v]; read {
					live += bytes(v)
				}
			}
		}
		peak = max(peak, live)
		for _, v := range frees[i] {
			live -= bytes(v)
		}
	}
	return peak
}
