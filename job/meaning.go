package job

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// TaskReport is what the outputs of a model seem to mean, or those of one of them.
type TaskReport struct {
	Kind   task.Kind `json:"kind"` // "" when the outputs alone do not tell
	Output string    `json:"output,omitempty"`
	// the value that training and explanations read: the output, or what its activation is of
	Logits     string   `json:"logits,omitempty"`
	Activation string   `json:"activation,omitempty"`
	Classes    int      `json:"classes"` // or labels of a multilabel task; values of a regression
	Says       string   `json:"says"`
	Why        []string `json:"why"`
}

// meaning reports a task of the named output, of all where that is "", or why there is none; an error is a model that cannot be looked at.
func meaning(t *task.Task, err error, output string) (*TaskReport, error) {
	var unknown *task.UnknownError
	switch {
	case errors.As(err, &unknown):
		r := &TaskReport{Output: output, Says: "the outputs alone do not tell: " + strings.Join(first(unknown.Outputs), "; "),
			Why: []string{unknown.Help}}
		if output != "" {
			r.Why = nil // the help is that of the model
		}
		return r, nil
	case err != nil:
		return nil, err
	}
	k := t.NumClasses()
	if k == 0 {
		k = t.K
	}
	return &TaskReport{Kind: t.Kind, Output: t.Head.Output, Logits: t.Head.Logits, Activation: t.Head.Activation, Classes: k,
		Says: t.String(), Why: t.Why}, nil
}

// mostListed is how many outputs a report of all of them together lists.
const mostListed = 16

// first is the first of outputs, and how many there are beside them.
func first(outputs []string) []string {
	if more := len(outputs) - mostListed; more > 0 {
		return append(slices.Clone(outputs[:mostListed]), fmt.Sprintf("and %d more", more))
	}
	return outputs
}

// meanings sets what the outputs of m mean, together and one by one.
func (d *Description) meanings(m *engine.Model) {
	t, err := task.OfModel(m, task.Options{})
	if d.Task, err = meaning(t, err, ""); err != nil {
		d.warn("what the outputs mean is not known: %v", err)
		return
	}
	if len(m.Outputs()) < 2 {
		return
	}
	tasks, errs := task.OfOutputs(m, task.Options{})
	for i, o := range m.Outputs() {
		if r, err := meaning(tasks[i], errs[i], o.Name); err == nil {
			d.Tasks = append(d.Tasks, r)
		}
	}
}

// BatchReport says how many examples a model takes at a time.
type BatchReport struct {
	Takes    int  `json:"takes"`    // 0: any number
	Declared int  `json:"declared"` // by the file; 0 when it leaves it open
	Proven   bool `json:"proven"`   // that any number can be fed although the file declares one: examples give the same alone and together
}

// batchOf is nil for a model whose inputs have no axes.
func batchOf(m *engine.Model) *BatchReport {
	for _, in := range m.Inputs() {
		if len(in.Dims) == 0 {
			continue
		}
		b := &BatchReport{Takes: m.Batch(), Declared: max(0, in.Dims[0].Size)}
		b.Proven = b.Declared > 0 && b.Takes == 0
		return b
	}
	return nil
}

// trains says why the weights of m cannot be trained; "" when they can: when a gradient of the outputs by them can be made.
func trains(m *engine.Model) string {
	names, err := train.Select(m, nil, false)
	if err != nil {
		return err.Error()
	}
	if len(names) == 0 {
		return "the model has no weights"
	}
	var heads []string
	for _, o := range m.Outputs() {
		if h, err := m.Head(o.Name); err == nil && o.DType.IsFloat() {
			heads = append(heads, h.Logits)
		}
	}
	if len(heads) == 0 {
		return "none of the outputs is real numbers"
	}
	if _, err := m.Session(engine.Query{Loss: squares(heads), Grad: names}); err != nil {
		return err.Error()
	}
	return ""
}

// squares is the sum of the squares of values.
func squares(names []string) engine.Loss {
	return func(b *engine.Build) (graph.Value, error) {
		var sum graph.Value
		for _, n := range names {
			v, err := b.Value(n)
			if err != nil {
				return 0, err
			}
			v = b.Add(ops.Cast, ops.CastTo(tensor.Float32), v)
			v = b.Add(ops.ReduceSum, ops.KeepDims(false), b.Add(ops.Mul, nil, v, v))
			if sum != 0 {
				v = b.Add(ops.Add, nil, sum, v)
			}
			sum = v
		}
		return sum, b.Err()
	}
}
