// Package task says what the outputs of a model and the labels of data mean, in one place for training, evaluation, explanation and
// scoring: which output is meant, whether its numbers are classes, values or classes of positions, which loss compares them with the
// truth and which metrics tell how good they are. Of decides from the shapes that the model gives and the labels that the data have; what
// it cannot know it refuses, with what would help.
package task

import (
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/tensor"
)

// Kind is what a model is for.
type Kind string

// The kinds. A Dense task has a class for each position of an example: the pixels of a segmentation, the tokens of a text.
const (
	Binary     Kind = "binary"     // one number for each example: a logit, or its sigmoid; labels 0 and 1
	Multiclass Kind = "multiclass" // one class of K
	Multilabel Kind = "multilabel" // any of K labels
	Regression Kind = "regression" // real numbers
	Dense      Kind = "dense"      // one class of K at each position
)

const (
	sigmoid = "Sigmoid"
	softmax = "Softmax"
	logSoft = "LogSoftmax"
)

// kinds are the names that Options.Kind takes and what they stand for; classification is binary or multiclass.
var kinds = map[string]Kind{
	"": "", "auto": "", "classification": "classification", "binary": Binary, "multiclass": Multiclass, "multilabel": Multilabel,
	"regression": Regression,
	"dense":      Dense, "segmentation": Dense, "tokens": Dense, "language-model": Dense,
}

// KindNames are the names of tasks that Options.Kind takes.
func KindNames() []string {
	return []string{"auto", "binary", "multiclass", "classification", "multilabel", "regression", "dense", "segmentation", "tokens",
		"language-model"}
}

// ParseKind checks the name of a task.
func ParseKind(name string) (Kind, error) {
	k, ok := kinds[name]
	if !ok {
		hint := ""
		if near := registry.Suggest(name, KindNames()); len(near) > 0 {
			hint = fmt.Sprintf(" (did you mean %q?)", near[0])
		}
		return "", fmt.Errorf("unknown task %q%s; tasks are %s", name, hint, strings.Join(KindNames(), ", "))
	}
	return k, nil
}

// TextKind reports whether name is that of a Dense task whose positions are the tokens of a text.
func TextKind(name string) bool { return name == "tokens" || name == "language-model" }

// Task is what a model is used for.
type Task struct {
	Kind    Kind
	Head    engine.Head // the output that is meant, and its logits
	K       int         // classes; outputs of a multilabel task or a regression; 1 for Binary
	Classes []string    // their names, nil when not known
	Loss    Loss
	Name    string   // of the loss, with its options
	Why     []string // how this was understood, a sentence each
	Notes   []string // what somebody who did not ask should know: of several outputs, which one is used

	asked string // the name of Options.Kind, where it says more than Kind

	positions bool         // a class for each position
	axis      int          // of the classes where there are positions: 1 or the last
	rank      int          // of the logits
	text      bool         // positions are along one axis
	next      bool         // the labels are the tokens that follow
	soft      bool         // the truth of a multiclass task is a distribution
	counts    []int        // examples by label, nil without labels of examples
	masks     bool         // the truth is Batch.Mask
	flatY     bool         // labels are in Batch.Y although one number tells the class
	real      tensor.DType // of the logits
	link      link         // from the model's numbers to logits
	void      bool         // of whole numbers at positions 255 is none
	binary255 bool         // ... or stands for class 1, as in a mask that was stored as a picture
	unit      *unit        // of the targets; nil: the model gives them as they are
	mixed     bool         // examples of a batch are mixed, see Mixed
	contrast  *contrast    // of a contrastive task
	restores  *restoration // of a restoring task
}

// ask keeps the name of the task that was asked for.
func (t *Task) ask(name string) {
	t.text = t.text || TextKind(name)
	if TextKind(name) || name == "segmentation" {
		t.asked = name
	}
}

// noted keeps notes among the reasons, and drops what o says itself.
func (t *Task) noted(o Options) {
	t.Why = append(t.Why, t.Notes...)
	if o.Output != "" {
		t.Notes = nil
	}
}

// Positions reports whether there is a class for each position of an example.
func (t *Task) Positions() bool { return t.positions }

// Text reports whether positions lie along one axis, as tokens do.
func (t *Task) Text() bool { return t.text }

// Masks reports whether the truth is the masks of the data (data.BatchOptions.Masks).
func (t *Task) Masks() bool { return t.masks }

// HasClasses reports whether a decision is one class of several: Binary, Multiclass and Dense tasks.
func (t *Task) HasClasses() bool { return t.Kind == Binary || t.Kind == Multiclass || t.Kind == Dense }

// NumClasses is the number of classes of a decision, 2 for one number that tells two apart; 0 for other kinds.
func (t *Task) NumClasses() int {
	switch {
	case !t.HasClasses():
		return 0
	case t.K == 1:
		return 2
	}
	return t.K
}

// ClassName is the name of class k, or its number.
func (t *Task) ClassName(k int) string {
	if k < len(t.Classes) && t.Classes[k] != "" {
		return t.Classes[k]
	}
	return fmt.Sprint(k)
}

// String describes t in one sentence, for people.
func (t *Task) String() string {
	where := fmt.Sprintf("output %q", t.Head.Output)
	if t.Head.Activation != "" {
		where += fmt.Sprintf(" (logits %q before %s)", t.Head.Logits, t.Head.Activation)
	}
	switch t.Kind {
	case Binary:
		return "binary: " + where + " is one number that tells two classes apart"
	case Multiclass:
		return fmt.Sprintf("multiclass: %s scores %d classes", where, t.K)
	case Multilabel:
		return fmt.Sprintf("multilabel: %s scores %d labels, each for itself", where, t.K)
	case Regression:
		return fmt.Sprintf("regression: %s is %s", where, plural(t.K, "value"))
	case Dense:
		what := "segmentation"
		switch {
		case t.predicts():
			what = "the next token"
		case t.text:
			what = "tokens"
		}
		return fmt.Sprintf("dense (%s): %s scores %d classes at each position", what, where, t.NumClasses())
	}
	if t.Kind == Contrastive {
		return fmt.Sprintf("contrastive: %s is features, trained by %s over views of the examples", where, t.Name)
	}
	if t.Kind == Restoration {
		return fmt.Sprintf("restoration: %s is a picture made of %q, trained by %s", where, t.restores.network, t.Name)
	}
	return "no task that gtk knows"
}

func plural(n int, what string) string {
	if n == 1 {
		return "one " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// ClassesError is the error of a classifier that has fewer classes than the data.
type ClassesError struct {
	Have, Need int
	One        bool // one number tells its two classes apart
}

// Error says both numbers and the way out.
func (e *ClassesError) Error() string {
	if e.One {
		return fmt.Sprintf("the data has %d classes, the model gives one number, which tells two apart: --num-classes %d (or auto) "+
			"gives it a fresh last layer, "+
			"--task regression takes the labels as numbers", e.Need, e.Need)
	}
	return fmt.Sprintf("the data has %d classes, the model only %d: give --num-classes %d (or auto) to replace its last layer", e.Need,
		e.Have, e.Need)
}

// UnknownError is the error of a model and data whose meaning gtk does not know: the outputs, the truth, and what would help.
type UnknownError struct {
	Outputs []string // with shapes
	Truth   string
	Help    string

	remembered string // the task by the model's metadata, when that is what does not fit
}

// Error names all of it.
func (e *UnknownError) Error() string {
	if e.remembered != "" {
		return fmt.Sprintf("the model was trained for a %s task (its metadata say so), which does not fit: it gives %s, the data have "+
			"%s. --task auto has the data decide. %s",
			e.remembered, shown.Names(e.Outputs, 12), e.Truth, e.Help)
	}
	return fmt.Sprintf("no task that gtk knows fits: the model gives %s, the data have %s. %s", shown.Names(e.Outputs, 12), e.Truth,
		e.Help)
}
