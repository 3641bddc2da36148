package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/tensor"
)

// OfModel says what m seems to be for by its outputs alone, for commands without labels. Why says how sure that is. Its loss is the one
// of o, or the usual one. An *UnknownError names the outputs when they tell nothing.
func OfModel(m *engine.Model, o Options) (*Task, error) {
	o = o.Remembered(m.File())
	forms, err := declared(m, o)
	if err != nil {
		return nil, err
	}
	return o.ofForms(forms)
}

// OfOutputs is OfModel for each output of m alone, in their order. Where there is no task, the error says why.
func OfOutputs(m *engine.Model, o Options) (tasks []*Task, errs []error) {
	known, ok := remembered(m.File())
	forms, err := declared(m, o)
	for i := range max(len(forms), len(m.Outputs())) {
		t, failed := (*Task)(nil), err
		if err == nil {
			one := o
			one.Output = forms[i].io.Name
			if ok && o.Kind == "" && one.Output == known.Output {
				one.Kind = known.Task
			}
			t, failed = one.ofForms(forms[i : i+1])
		}
		tasks, errs = append(tasks, t), append(errs, failed)
	}
	return tasks, errs
}

// ofForms is the task that the forms of outputs tell of.
func (o Options) ofForms(forms []form) (*Task, error) {
	kind, err := ParseKind(o.Kind)
	if err != nil {
		return nil, err
	}
	t, err := guess(kind, forms)
	if err != nil {
		return nil, err
	}
	t.Classes = o.Classes
	t.ask(o.Kind)
	t.noted(o)
	return t, t.setLoss(o.Loss)
}

// Seen is OfModel by what the model that p feeds gives for two examples of ds, of which the labels are not looked at.
func Seen(ctx context.Context, p *feed.Plan, ds data.Dataset, o Options) (*Task, error) {
	o = o.Remembered(p.Model().File())
	kind, err := ParseKind(o.Kind)
	if err != nil {
		return nil, err
	}
	forms, _, err := observe(ctx, p, ds, o, false)
	if err != nil {
		return nil, err
	}
	return seen(kind, forms, ds, o)
}

// Told is Of where the data have labels that fit, else Seen. Examples, which may be large pictures, are read once for both.
func Told(ctx context.Context, p *feed.Plan, ds data.Dataset, o Options) (*Task, error) {
	t, forms, err := of(ctx, p, ds, o)
	var unknown *UnknownError
	var few *ClassesError
	if forms == nil || !errors.As(err, &unknown) && !errors.As(err, &few) {
		return t, err
	}
	o = o.Remembered(p.Model().File())
	kind, err := ParseKind(o.Kind)
	if err != nil {
		return nil, err
	}
	return seen(kind, forms, ds, o)
}

// seen is the task by what was seen of the outputs.
func seen(kind Kind, forms []form, ds data.Dataset, o Options) (*Task, error) {
	t, err := guess(kind, forms)
	if err != nil {
		return nil, err
	}
	t.ask(o.Kind)
	t.noted(o)
	if kind == "" && t.Head.Activation == "" {
		t.Notes = t.Why // it is a guess
	}
	if t.Classes = o.Classes; t.Classes == nil {
		t.Classes = ds.Classes()
	}
	return t, t.setLoss(o.Loss)
}

// guess reads the forms without a truth.
func guess(kind Kind, forms []form) (*Task, error) {
	var first *Task
	same := true
	for _, f := range forms {
		t := alone(kind, f)
		switch {
		case t == nil:
			if f.dtype.IsFloat() && len(forms) > 1 {
				same = false
			}
		case first == nil:
			first = t
		case t.Kind != first.Kind || t.K != first.K:
			same = false
		}
	}
	e := &UnknownError{Truth: "no labels to go by"}
	for _, f := range forms {
		e.Outputs = append(e.Outputs, f.String())
	}
	const objective = "gtk explain takes any output with --objective"
	rows := slices.IndexFunc(forms, func(f form) bool { return f.usable() && len(f.shape) == 3 })
	switch {
	case first == nil && kind != "":
		e.Help = fmt.Sprintf("A %s task needs %s; %s", kind, wanted(kind), objective)
		return nil, e
	case first == nil && !slices.ContainsFunc(forms, form.usable):
		e.Help = "No output has a row of real numbers for each example, as far as the file tells; " + objective
		return nil, e
	case first == nil && rows >= 0:
		e.Help = fmt.Sprintf("Output %s has %d numbers at each position: scores of tokens, or the features of an encoder. Labels in the "+
			"data decide, or --task tokens or language-model; %s",
			forms[rows].io.Name, forms[rows].shape[2], objective)
		return nil, e
	case first == nil:
		e.Help = "Labels or targets in the data decide, or --task; " + objective
		return nil, e
	case !same && kind == "":
		e.Help = "The outputs differ in form, as those of a detector or of an encoder do: --output NAME says which one is meant; gtk " +
			"explain takes any with --objective"
		return nil, e
	}
	if len(forms) > 1 {
		first.Notes = append(first.Notes, fmt.Sprintf("the model has %d outputs; %s is used, --output chooses another", len(forms),
			first.Head.Output))
	}
	return first, nil
}

// alone reads one output without a truth; nil when it says nothing.
func alone(kind Kind, f form) *Task {
	if !f.usable() {
		return nil
	}
	act := f.head.Activation
	t := &Task{Head: f.head, rank: len(f.shape), real: f.dtype}
	is := func(k Kind) bool {
		return kind == "" || kind == k || kind == "classification" && (k == Binary || k == Multiclass)
	}
	say := func(k Kind, n int, why string) *Task {
		t.Kind, t.K = k, n
		t.Why = append(t.Why, why)
		return t
	}
	if k, ok := f.perExample(); ok {
		switch {
		case k == 1 && (act == sigmoid || kind == Binary || kind == "classification") && is(Binary):
			return say(Binary, 1, "one number for each example"+with(act))
		case k == 1 && f.probabilities() && is(Binary):
			t.link = linkLogit
			return say(Binary, 1, "one number for each example, which lies in [0,1]: a probability (--task regression if it is a value)")
		case k == 1 && is(Regression):
			return say(Regression, 1, "one number for each example without an activation: a value, or the logit of two classes (--task binary)")
		case k > 1 && act == sigmoid && is(Multilabel):
			return say(Multilabel, k, fmt.Sprintf("%d numbers for each example, each behind a Sigmoid", k))
		case k > 1 && kind == Multilabel:
			return say(Multilabel, k, fmt.Sprintf("%d numbers for each example", k))
		case k > 1 && kind == Regression:
			return say(Regression, k, fmt.Sprintf("%d numbers for each example", k))
		case k > 1 && f.probabilities() && f.unit && is(Multiclass):
			t.link = linkLog
			return say(Multiclass, k, fmt.Sprintf("%d probabilities for each example, which lie in [0,1]", k))
		case k > 1 && f.probabilities() && is(Multilabel):
			t.link = linkLogit
			return say(Multilabel, k, fmt.Sprintf("%d numbers for each example, which lie in [0,1]: probabilities, each for itself", k))
		case k > 1 && act != "" && is(Multiclass):
			return say(Multiclass, k, fmt.Sprintf("%d scores for each example%s", k, with(act)))
		case k > 1 && is(Multiclass):
			return say(Multiclass, k, fmt.Sprintf("%d numbers for each example without an activation: taken for the logits of classes "+
				"(--task regression if they are values)", k))
		}
		return nil
	}
	if kind == Regression || kind == "" && f.pictureLike() && act == "" {
		return say(Regression, f.shape[1:].Len(), "an output of the input's shape: the model changes pictures")
	}
	if !is(Dense) || len(f.shape) < 3 {
		return nil
	}
	axis := f.classAxes()[0]
	k, at, _ := f.dense(axis)
	if len(f.shape) == 4 && act != softmax && act != logSoft && kind == "" && !sameSides(at, f.in) && !sameSides(at, quarter(f.in)) {
		return nil // a feature map
	}
	if len(f.shape) == 3 && act == "" && kind == "" && !strings.Contains(strings.ToLower(f.io.Name), "logit") &&
		!(f.ids && slices.Contains(f.rows, k)) {
		return nil // the hidden states of an encoder look like the scores of tokens, unless there are as many as words
	}
	if k > 1 || act == sigmoid || kind == Dense {
		t.positions, t.axis, t.text = true, axis, len(f.shape) == 3
		where := "each position"
		if f.placed(axis) {
			where = fmt.Sprintf("each of %s positions", dims(at))
		}
		why := fmt.Sprintf("%s%s at %s", plural(k, "score"), with(act), where)
		if act == "" && k > 1 && kind == "" {
			why = fmt.Sprintf("%d numbers at %s without an activation: taken for the logits of classes", k, where)
		}
		return say(Dense, k, why)
	}
	return nil
}

// placed reports whether the file declares how many positions there are, where classes lie along an axis.
func (f form) placed(axis int) bool {
	for k, d := range f.io.Dims {
		if k > 0 && k != axis && d.Size < 0 {
			return false
		}
	}
	return true
}

// sameSides reports whether positions have the height and width of the picture in [N,C,H,W] or [N,H,W,C].
func sameSides(at, in tensor.Shape) bool {
	return len(at) == 2 && len(in) == 4 && (at[0] == in[2] && at[1] == in[3] || at[0] == in[1] && at[1] == in[2])
}

// quarter is the shape of a picture [N,C,H,W] at a quarter of its sides, where many segmentation networks stop.
func quarter(in tensor.Shape) tensor.Shape {
	if len(in) != 4 {
		return nil
	}
	return tensor.Shape{in[0], in[1], in[2] / 4, in[3] / 4}
}
