package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// survey finds out, for inputs of the given shapes, which input is explained, what its axes are, which number of the outputs is explained, and what lies
// between.
func (e *Explainer) survey(m *engine.Model, shapes map[string]tensor.Shape) (*terrain, error) {
	if e.net == nil {
		e.net = &net{m: m, batching: newBatching(m)}
	}
	t, err := e.traced(m, shapes)
	if err != nil {
		return nil, err
	}
	formula, values, err := e.aim(m)
	if err != nil {
		return nil, err
	}
	if e.mixes(m, shapes, t, values) {
		e.warn("the score depends on all examples of a batch: they are explained one at a time")
		e.net.fixed = 1
		if t, err = e.traced(m, shapes); err != nil {
			return nil, err
		}
	}
	before := upstream(t.g, values)
	src, err := chooseSource(m, e.c.Input, shapes, func(v graph.Value) bool { return before[v] })
	if err != nil {
		return nil, err
	}
	if !before[src.at] {
		return nil, fmt.Errorf("explain: the score does not depend on input %q", src.io.Name)
	}
	if err := src.look(t, e.rowValues(t.g)); err != nil {
		return nil, err
	}
	e.net.src = src
	if formula != nil {
		e.net.goal, err = newExpression(formula, values, t)
	} else {
		e.net.goal, err = newGoal(e.c.Objective, e.c.Score, e.head, values[0], t, src)
	}
	if err != nil {
		return nil, err
	}
	r := newTerrain(t, src, values, before)
	r.pointed = e.net.goal.pointed()
	return r, nil
}

// aim finds the tensors that the explained number is made of, and the formula for it if one is given.
func (e *Explainer) aim(m *engine.Model) (*Formula, []graph.Value, error) {
	o := e.c.Objective
	if o.Expression == "" {
		if o.Kind == ExpressionOf {
			return nil, nil, fmt.Errorf("explain: an objective of kind %q needs a formula", o.Kind)
		}
		v, err := e.chooseOutput(m, o.Output)
		return nil, []graph.Value{v}, err
	}
	if o.Output != "" || o.Region != "" || o.Position != nil || o.Kind != ByOutputs && o.Kind != ExpressionOf {
		return nil, nil, fmt.Errorf("explain: objective %q: a formula says itself which outputs and positions are meant", o.Expression)
	}
	if e.c.Score != Logit && e.c.Score != "" {
		return nil, nil, fmt.Errorf("explain: objective %q: score %q is for classes", o.Expression, e.c.Score)
	}
	f, err := ParseFormula(o.Expression)
	if err != nil {
		return nil, nil, err
	}
	e.head = engine.Head{Logits: f.String()}
	values, err := formulaValues(m, f)
	return f, values, err
}

// traced infers the shapes of all values, for two rows where the model takes any number.
func (e *Explainer) traced(m *engine.Model, shapes map[string]tensor.Shape) (*trace, error) {
	n := tracedRows
	if e.net.fixed > 0 {
		n = e.net.fixed
	}
	t, err := newTrace(m.Graph(), e.net.shapesFor(m, shapes, n), n)
	if err != nil && n != 1 && e.net.fixed == 0 { // a model that declares any batch and takes one
		if one, err1 := newTrace(m.Graph(), e.net.shapesFor(m, shapes, 1), 1); err1 == nil {
			e.net.fixed = 1
			return one, nil
		}
	}
	if err != nil {
		var of []string
		for _, io := range m.Inputs() {
			of = append(of, fmt.Sprintf("%q %v", io.Name, shapes[io.Name]))
		}
		return nil, fmt.Errorf("explain: inputs of shape %s: %w", strings.Join(of, ", "), err)
	}
	return t, nil
}

// rowValues are the inputs whose first axis is that of the rows.
func (e *Explainer) rowValues(g *graph.Graph) []graph.Value {
	var out []graph.Value
	for _, v := range g.Inputs {
		if e.net.rows[g.Info(v).Name] {
			out = append(out, v)
		}
	}
	return out
}

// chooseOutput is the score tensor of the output called name or, for "", of the first real one that depends on an input which can be explained.
func (e *Explainer) chooseOutput(m *engine.Model, name string) (graph.Value, error) {
	g := m.Graph()
	var names, fit []string
	for i, o := range m.Outputs() {
		names = append(names, o.String())
		up := upstream(g, g.Outputs[i:i+1])
		if isReal(g.Info(g.Outputs[i]).DType) && slices.ContainsFunc(sources(m), func(s source) bool { return up[s.at] }) {
			fit = append(fit, o.Name)
		}
	}
	if name == "" {
		if len(fit) == 0 {
			return 0, fmt.Errorf("explain: no output of the model (%s) is a real number that depends on an input", strings.Join(names, ", "))
		}
		if name = fit[0]; len(fit) > 1 {
			e.warn(fmt.Sprintf("the model has outputs %s: the first, %q, is explained", strings.Join(fit, ", "), name))
		}
	}
	h, err := m.Head(name)
	if err != nil {
		return 0, fmt.Errorf("explain: %w", err)
	}
	if !slices.Contains(fit, name) {
		return 0, fmt.Errorf("explain: output %q is no real number that depends on an input: choose one of %s", name, strings.Join(fit, ", "))
	}
	e.head = h
	if v := valueOf(m, h.Logits); v != 0 {
		return v, nil
	}
	return valueOf(m, h.Output), nil
}

// mixes reports whether an axis of a score other than the first grows with the batch: the examples are compared with each other.
func (e *Explainer) mixes(m *engine.Model, shapes map[string]tensor.Shape, t *trace, scores []graph.Value) bool {
	if e.net.fixed > 0 {
		return false
	}
	if i := slices.IndexFunc(m.Outputs(), func(o engine.IO) bool { return o.Name == e.head.Output }); i >= 0 {
		d, s := m.Outputs()[i].Dims, t.shapes[scores[0]]
		if len(d) > 0 && len(s) == len(d) && s[0] == t.n && !slices.ContainsFunc(d[1:], func(d graph.Dim) bool { return d.Size < 0 }) {
			return false // the file says that the other axes do not grow
		}
	}
	more, err := newTrace(m.Graph(), e.net.shapesFor(m, shapes, t.n+1), t.n+1)
	if err != nil {
		return true
	}
	return slices.ContainsFunc(scores, func(v graph.Value) bool {
		a, b := t.shapes[v], more.shapes[v]
		if len(a) != len(b) || len(a) == 0 {
			return false
		}
		return a[0] != t.n && a[0] != b[0] || !slices.Equal(a[1:], b[1:])
	})
}
