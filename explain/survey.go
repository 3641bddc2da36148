package explain

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/tensor"
)

// survey finds out, for inputs like feeds, which input is explained, what its axes are, which number of the outputs is explained, and
// what lies between.
func (e *Explainer) survey(m *engine.Model, feeds map[string]*tensor.Tensor) (*terrain, error) {
	if e.net == nil {
		e.net = &net{batching: newBatching(m)}
	}
	shapes := map[string]tensor.Shape{}
	for name, t := range feeds {
		shapes[name] = t.Shape()
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
		e.net.alone()
		if t, err = e.traced(m, shapes); err != nil {
			return nil, err
		}
	}
	if err := e.measure(t, values, feeds); err != nil {
		return nil, err
	}
	before := upstream(t.g, values)
	src, err := chooseSource(m, e.c.Input, shapes, func(v graph.Value) bool { return before[v] })
	if err != nil {
		return nil, err
	}
	if !before[src.at] {
		return nil, fmt.Errorf("explain: the score does not depend on input %q", src.io.Name)
	}
	if err := src.look(t, e.rowAxes(t.g)); err != nil {
		return nil, err
	}
	r := newTerrain(t, src, values, before)
	if err := r.bounded(); err != nil {
		return nil, err
	}
	for _, n := range t.mixing {
		if !slices.Contains(r.nodes, n) {
			continue
		}
		if e.net.plan.Batch() > 0 || n.Op.Role == graph.Recurrent {
			return nil, fmt.Errorf("explain: %s mixes the rows of the batch, so that no example can be explained alone: "+
				"the first axis of input %v may not be that of the examples", n.Label(), src.io)
		}
		e.warn(fmt.Sprintf("%s mixes the examples of a batch: they are explained one at a time", n.Label()))
		e.net.alone()
		return e.survey(m, feeds)
	}
	e.net.src = src
	if formula != nil {
		e.net.goal, err = newExpression(formula, values, t)
	} else {
		e.net.goal, err = newGoal(e.c.Objective, e.c.Score, e.head, values[0], t, src)
	}
	switch {
	case err == nil:
		r.pointed = e.net.goal.kind() == PositionScore
	case !e.listing:
		return nil, err
	}
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

// measure runs the model for the shapes of the scores that inference does not know.
func (e *Explainer) measure(t *trace, scores []graph.Value, feeds map[string]*tensor.Tensor) error {
	var names []string
	for _, v := range scores {
		if t.shapes[v] == nil {
			names = append(names, t.g.Info(v).Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	s, err := e.net.m.Session(engine.Query{Fetch: names})
	if err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	ctx := context.Background()
	if e.listing { // on inputs that nobody gave
		ctx = graph.TryOut(ctx)
	}
	r, err := s.Run(ctx, e.net.takes(feeds, make([]int, t.n)))
	if err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	for _, name := range names {
		t.shapes[t.g.Lookup(name)] = r.Value(name).Shape()
	}
	return nil
}

// traced infers the shapes of all values, for two rows where the model takes any number.
func (e *Explainer) traced(m *engine.Model, shapes map[string]tensor.Shape) (*trace, error) {
	fixed := e.net.plan.Batch()
	n := cmp.Or(fixed, tracedRows)
	t, err := newTrace(m.Graph(), e.net.shapesFor(shapes, n), n)
	if err != nil && n != 1 && fixed == 0 { // a model that declares any batch and takes one
		if one, err1 := newTrace(m.Graph(), e.net.shapesFor(shapes, 1), 1); err1 == nil {
			e.net.alone()
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

// rowAxes are the axes along which the rows of inputs lie.
func (e *Explainer) rowAxes(g *graph.Graph) map[graph.Value]int {
	out := map[graph.Value]int{}
	for _, v := range g.Inputs {
		if k := e.net.m.BatchAxis(g.Info(v).Name); k >= 0 {
			out[v] = k
		}
	}
	return out
}

// chooseOutput is the score tensor of the output called name or, for "", of the first real one that depends on an input which can be
// explained.
func (e *Explainer) chooseOutput(m *engine.Model, name string) (graph.Value, error) {
	g := m.Graph()
	var names, fit []string
	for i, o := range m.Outputs() {
		names = append(names, o.String())
		up := upstream(g, g.Outputs[i:i+1])
		_, v, err := scoreOf(m, o.Name)
		if err == nil && isReal(g.Info(v).DType) && slices.ContainsFunc(sources(m), func(s source) bool { return up[s.at] }) {
			fit = append(fit, o.Name)
		}
	}
	if name == "" {
		if len(fit) == 0 {
			return 0, fmt.Errorf("explain: no output of the model (%s) is a real number that depends on an input",
				shown.Names(names, 12))
		}
		if name = fit[0]; len(fit) > 1 {
			e.warn(fmt.Sprintf("the model has outputs %s: the first, %q, is explained", shown.Names(fit, 12), name))
		}
	}
	h, v, err := scoreOf(m, name)
	if err != nil {
		return 0, fmt.Errorf("explain: %w", err)
	}
	if !slices.Contains(fit, name) {
		return 0, fmt.Errorf("explain: output %q is no real number that depends on an input: choose one of %s", name,
			shown.Names(fit, 12))
	}
	if e.c.Objective.Kind == OutputValue && h.Activation != "" { // what it is after the activation
		w := valueOf(m, name)
		if n := g.Info(w).Def; !isReal(g.Info(w).DType) && n != nil && n.Op.Name == ops.Cast.Name {
			w = n.In[0] // before it was narrowed
		}
		if isReal(g.Info(w).DType) {
			h, v = engine.Head{Output: h.Output, Logits: g.Info(w).Name}, w
		}
	}
	e.head = h
	return v, nil
}

// scoreOf is the tensor of scores that an output is made of.
func scoreOf(m *engine.Model, output string) (engine.Head, graph.Value, error) {
	h, err := m.Head(output)
	if err != nil {
		return h, 0, err
	}
	if v := valueOf(m, h.Logits); v != 0 {
		return h, v, nil
	}
	return h, valueOf(m, h.Output), nil
}

// mixes reports whether an axis of a score other than the first grows with the batch: the examples are compared with each other.
func (e *Explainer) mixes(m *engine.Model, shapes map[string]tensor.Shape, t *trace, scores []graph.Value) bool {
	if e.net.plan.Batch() > 0 {
		return false
	}
	if i := slices.IndexFunc(m.Outputs(), func(o engine.IO) bool { return o.Name == e.head.Output }); i >= 0 {
		d, s := m.Outputs()[i].Dims, t.shapes[scores[0]]
		if len(d) > 0 && len(s) == len(d) && s[0] == t.n && !slices.ContainsFunc(d[1:], func(d graph.Dim) bool { return d.Size < 0 }) {
			return false // the file says that the other axes do not grow
		}
	}
	more, err := newTrace(m.Graph(), e.net.shapesFor(shapes, t.n+1), t.n+1)
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
