package engine

import (
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// Param is a tensor of real numbers that the file stores: an initializer or the value of a Constant node, of the main graph, a body or a
// function.
type Param struct {
	Name      string
	Value     *tensor.Tensor // changed in place by training
	Trainable bool           // a weight; false for running statistics and for constants such as the bounds of a Clip
	State     bool           // running statistics of a normalisation
	Why       string         // it is not trainable, "" when it is
	Place     string         // in the file, "" for an initializer of the main graph

	value graph.Value
	file  tensor.DType // element type in the file
	from  string       // parameter that it was made from when it was un-shared

	changed atomic.Int64 // Model.gen at its last change
}

// Untrained is a tensor of the file that is not trained, and why.
type Untrained struct {
	Name  string
	DType tensor.DType // in the file
	Shape tensor.Shape
	Why   string
}

// WithTrainable trains what the globs match, beside what is found to be learned: numbers that are taken for constants of the program. A
// glob is matched as by Match. Load fails when one matches nothing, or something that no gradient can reach.
func WithTrainable(globs ...string) Option {
	return func(m *Model) { m.wanted = append(m.wanted, globs...) }
}

// ForwardOnly lets WithTrainable have every real number of the file, whether a gradient reaches it or not, such as the scales of quantised
// numbers: for what is trained without gradients.
func ForwardOnly() Option {
	return func(m *Model) { m.forward = true }
}

// Match reports whether a glob, as of path.Match, matches a parameter's name: the whole, or a part that ends before a dot or slash, so
// that "layer1" matches "layer1.0.conv.weight". Slashes count as dots, which * crosses, where the name as it is does not match.
func Match(pattern, name string) (bool, error) {
	if ok, err := path.Match(pattern, name); ok || err != nil {
		return ok, err
	}
	// path.Match does not let * cross a slash; parameter names use both dots and slashes as separators.
	flat := func(s string) string { return strings.ReplaceAll(s, "/", ".") }
	if ok, err := path.Match(flat(pattern), flat(name)); ok || err != nil {
		return ok, err
	}
	for i, c := range name {
		if c == '.' || c == '/' {
			if ok, _ := path.Match(flat(pattern), flat(name[:i])); ok {
				return true, nil
			}
		}
	}
	return false, nil
}

// findParams lists the parameters and decides which are weights; see judge. shared has the parameters that were made from others.
func (m *Model) findParams(im *importer, shared map[graph.Value]graph.Value) error {
	g := m.g
	j := newJudge(m, im, shared)
	for v, in := range g.Values {
		if in.Kind != graph.Parameter {
			continue
		}
		origin := v
		p := &Param{Name: in.Name, Value: in.Data, value: v}
		if from, ok := shared[v]; ok {
			origin = from
			p.from = g.Info(from).Name
		}
		o := im.origin[origin]
		p.file, p.Place = o.dtype, o.weight.Place
		m.params = append(m.params, p)
		m.byName[p.Name] = p
	}
	for _, p := range m.params {
		var able bool
		p.State, able, p.Why = j.verdict(p)
		p.Trainable = p.Why == ""
		if err := m.override(p, able || m.forward && p.Value.DType().IsFloat()); err != nil {
			return err
		}
	}
	m.untrained = append(m.untrained, im.other...)
	m.untrained = append(m.untrained, quantised(g)...)
	if err := m.unmatched(); err != nil {
		return err
	}
	// What no weight depends on is a constant, and can be folded with.
	for _, p := range m.params {
		if !p.Trainable && !p.State {
			g.Info(p.value).Kind = graph.Constant
		}
	}
	return nil
}

// override makes p trainable when the caller asked for it. able says that a gradient can reach it.
func (m *Model) override(p *Param, able bool) error {
	for _, glob := range m.wanted {
		ok, err := Match(glob, p.Name)
		switch {
		case err != nil:
			return fmt.Errorf("engine: trainable %q: %w", glob, err)
		case !ok || p.Trainable:
		case !able:
			if glob == p.Name {
				return fmt.Errorf("engine: trainable %q: it cannot be trained: %s", glob, p.Why)
			}
		default:
			p.Trainable, p.Why = true, ""
		}
	}
	return nil
}

// unmatched fails for a glob of WithTrainable that matches nothing that is trained.
func (m *Model) unmatched() error {
	for _, glob := range m.wanted {
		if slices.ContainsFunc(m.params, func(p *Param) bool { ok, _ := Match(glob, p.Name); return ok && p.Trainable }) {
			continue
		}
		for _, u := range m.notTrained() {
			if ok, _ := Match(glob, u.Name); ok {
				return fmt.Errorf("engine: trainable %q: %q cannot be trained: %s", glob, u.Name, u.Why)
			}
		}
		var names []string
		for _, p := range m.params {
			names = append(names, p.Name)
		}
		return fmt.Errorf("engine: trainable %q matches no parameter%s", glob, hint(glob, names))
	}
	return nil
}

// quantised lists the tensors of few bits that are more than one number and that a node reads, and those that a DequantizeLinear does:
// weights and biases that were quantised.
func quantised(g *graph.Graph) []Untrained {
	var out []Untrained
	read := map[graph.Value]bool{}
	for _, n := range g.Nodes {
		for i, v := range n.In[:n.NumIn] {
			grid := n.Op == ops.QuantizeLinear || n.Op == ops.DequantizeLinear
			if v == 0 || read[v] || grid && i > 0 { // scales and zero points
				continue
			}
			read[v] = true
			in := g.Info(v)
			if in.Kind == graph.Constant && (fewBits(in.DType) || grid) && in.Data.Len() > 1 {
				out = append(out, Untrained{in.Name, in.DType, in.Data.Shape(),
					fmt.Sprintf("it is stored as %v, which has no gradient: quantised weights are not trained", in.DType)})
			}
		}
		for _, b := range n.Bodies {
			out = append(out, quantised(b.G)...)
		}
	}
	return out
}

// dequantised are the numbers that were stored in few bits, as real ones: they stay so until a session knows what is done with them.
func dequantised(g *graph.Graph) []graph.Value {
	var out []graph.Value
	for _, n := range g.Nodes {
		if n.Op == ops.DequantizeLinear {
			out = append(out, n.Out[0])
		}
	}
	return out
}

// fewBits reports whether d is a type that quantised numbers are stored in.
func fewBits(d tensor.DType) bool { return (d.IsInt() || d.IsFloat()) && d.Bits() <= 8 }

// dropDead marks the parameters that no output depends on.
func (m *Model) dropDead() {
	live := map[graph.Value]bool{}
	for _, n := range m.g.Nodes {
		for _, v := range n.In {
			live[v] = true
		}
	}
	for _, v := range m.g.Outputs {
		live[v] = true
	}
	for _, p := range m.params {
		if !live[p.value] && p.Trainable {
			p.Trainable, p.Why = false, "no output depends on it"
		}
	}
}

// notTrained lists what is not trained and why: parameters, then what is no parameter.
func (m *Model) notTrained() []Untrained {
	var out []Untrained
	for _, p := range m.params {
		if !p.Trainable {
			out = append(out, Untrained{p.Name, p.file, p.Value.Shape(), p.Why})
		}
	}
	return append(out, m.untrained...)
}

// Params yields the parameters: those of the main graph in the order of the file, then those that lie deeper.
func (m *Model) Params() iter.Seq[*Param] {
	return func(yield func(*Param) bool) {
		for _, p := range m.all() {
			if !yield(p) {
				return
			}
		}
	}
}

// all is the parameters, none once m is closed.
func (m *Model) all() []*Param {
	if m.gate.enter() != nil {
		return nil
	}
	defer m.gate.leave()
	return m.params
}

// Param is the parameter called name, or an error that suggests near names.
func (m *Model) Param(name string) (*Param, error) {
	if err := m.gate.enter(); err != nil {
		return nil, err
	}
	defer m.gate.leave()
	if p := m.byName[name]; p != nil {
		return p, nil
	}
	var names []string
	for _, p := range m.params {
		names = append(names, p.Name)
	}
	return nil, fmt.Errorf("engine: no parameter %q%s", name, hint(name, names))
}

func hint(name string, known []string) string {
	if near := registry.Suggest(name, known); len(near) > 0 {
		return fmt.Sprintf(" (did you mean %q?)", near[0])
	}
	return ""
}

// Thaw gives the parameters storage of their own, so that they can be changed without touching the file as it was read.
// Call it before making the sessions that train, which fail when there is no memory for it. It may be called at any time and again; it
// waits for runs in progress, and sessions that are there take the new storage at their next run. What was read from Param.Value before is
// the old storage.
func (m *Model) Thaw() {
	m.gate.alone(func() {
		if m.thawed || m.gate.closed {
			return
		}
		if m.short = m.thaw(); m.short == nil {
			m.thawed = true
			m.change(m.params)
		}
	})
}

// thaw copies the parameters.
func (m *Model) thaw() error {
	total := 0
	for _, p := range m.params {
		if p.Trainable || p.State {
			total += len(p.Value.Bytes())
		}
	}
	// Names may share what the file holds; each is trained by itself.
	if _, chosen := memory.Budget(); !chosen && total > 64<<20+4*m.g.Given {
		return fmt.Errorf("engine: %w", &exec.MemoryError{What: "training parameters that share what the file holds", Need: total,
			Limit: 64<<20 + 4*m.g.Given})
	}
	g, err := memory.Take(int64(total), "training the parameters")
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	defer g.Release() // it is measured from then on
	for _, p := range m.params {
		if p.Trainable || p.State {
			p.Value = p.Value.Clone()
			m.g.Info(p.value).Data = p.Value
		}
	}
	return nil
}

// Save is a copy of the file with the present content of the parameters, each where it lay and in the form in which it was stored; nothing
// else differs.
func (m *Model) Save() (*onnx.Model, error) {
	if err := m.gate.enter(); err != nil {
		return nil, err
	}
	defer m.gate.leave()
	out := m.file.Clone()
	values := map[string]*tensor.Tensor{}
	var own []tensor.Named // of parameters that the file shares
	for _, p := range m.params {
		if !p.Trainable && !p.State {
			continue
		}
		t := p.Value
		if half(p.file) {
			h, err := t.Convert(p.file)
			if err != nil {
				return nil, fmt.Errorf("engine: parameter %q: %w", p.Name, err)
			}
			t = h
		}
		if p.from == "" {
			values[p.Name] = t
			continue
		}
		if tensor.Equal(p.Value, m.byName[p.from].Value) {
			continue
		}
		own = append(own, tensor.Named{Name: p.Name, Tensor: t})
	}
	if err := out.ReplaceNodesByInitializers(own); err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	if err := out.SetWeights(values); err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	return out, nil
}

// lowerOps has the names of the operators in lower case.
func lowerOps(set *graph.Set) map[string]bool {
	ops := map[string]bool{}
	for _, name := range set.Names("") {
		ops[strings.ToLower(name)] = true
	}
	return ops
}
