package task

import (
	"context"
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/tensor"
)

// Options say what is known of a task beforehand. The zero value leaves everything to Of.
type Options struct {
	Kind       string           // one of KindNames; "" by the outputs and the labels
	Output     string           // name of the output that is meant; "" the one that fits
	Loss       string           // NAME:KEY=VALUE… of Losses; "" or "auto" by the kind
	Classes    []string         // names of the classes; nil takes those of the data
	Preprocess *data.Preprocess // of the data
	Sizes      []tensor.Shape   // of the inputs, for OfModel; nil lets it choose
}

// Of decides what the model that p feeds is for, on the data set ds. It runs the model on two examples to see what it gives.
func Of(ctx context.Context, p *feed.Plan, ds data.Dataset, o Options) (*Task, error) {
	kind, err := ParseKind(o.Kind)
	if err != nil {
		return nil, err
	}
	tr, err := readTruth(ds)
	if err != nil {
		return nil, err
	}
	forms, mask, err := observe(ctx, p, ds, o, tr.masks)
	if err != nil {
		return nil, err
	}
	t, err := choose(kind, forms, tr, mask)
	if err != nil {
		return nil, err
	}
	if o.Kind == "tokens" || o.Kind == "language-model" {
		t.text = true
	}
	if t.Classes = o.Classes; t.Classes == nil && !(t.positions && tr.labels) { // names of examples are not those of their positions
		t.Classes = tr.classes
	}
	if t.Kind == Multiclass || t.Kind == Binary {
		t.counts = tr.counts
	}
	return t, t.setLoss(o.Loss)
}

// candidate is one reading of an output.
type candidate struct {
	kind      Kind
	f         form
	k         int
	positions bool
	axis      int
	soft      bool
	masks     bool
	flatY     bool
	why       string
}

// choose finds the output and the reading that fit the truth.
func choose(kind Kind, forms []form, tr truth, mask tensor.Shape) (*Task, error) {
	var fits []candidate
	for _, f := range forms {
		for _, c := range readings(f, tr, mask, kind) {
			if kind == "" || c.kind == kind || kind == "classification" && (c.kind == Binary || c.kind == Multiclass) {
				fits = append(fits, c)
				break // one reading of each output
			}
		}
	}
	if len(fits) == 0 {
		return nil, unknownTask(kind, forms, tr, mask)
	}
	c := fits[0]
	if len(fits) > 1 && c.f.head.Activation == "" { // of several, one that ends in a softmax or sigmoid is the scores
		for _, x := range fits {
			if x.f.head.Activation != "" && x.kind == c.kind {
				c = x
				break
			}
		}
	}
	t := &Task{
		Kind: c.kind, Head: c.f.head, K: c.k, positions: c.positions, axis: c.axis, rank: len(c.f.shape), soft: c.soft, masks: c.masks, flatY: c.flatY,
		text: c.positions && len(c.f.shape) == 3, real: c.f.dtype, Why: []string{c.why},
	}
	if len(forms) > 1 {
		var others []string
		for _, f := range forms {
			if f.io.Name != c.f.io.Name {
				others = append(others, f.io.Name)
			}
		}
		t.Why = append(t.Why, fmt.Sprintf("of the model's outputs %s is used, not %s; --output chooses another", c.f.io.Name, strings.Join(others, ", ")))
	}
	return t, nil
}

// readings are the ways in which output f fits the truth, the likeliest first. With a kind only what could be that kind is weighed.
func readings(f form, tr truth, mask tensor.Shape, kind Kind) []candidate {
	var out []candidate
	add := func(c candidate) {
		c.f = f
		out = append(out, c)
	}
	if !f.usable() {
		return nil
	}
	k, single := f.perExample()
	act := f.head.Activation
	labels := func(flat bool, highest int) { // one class number for each example
		switch {
		case !single:
		case k == 1 && highest <= 1:
			add(candidate{kind: Binary, k: 1, flatY: flat, why: "one number for each example and labels 0 and 1" + with(act)})
		case k > 1 && highest < k:
			why := fmt.Sprintf("%d scores for each example%s and one class number as its label", k, with(act))
			if act == sigmoid {
				why += ": each class is trained against all others"
			}
			add(candidate{kind: Multiclass, k: k, flatY: flat, why: why})
		}
	}
	positions := func(y tensor.Shape, highest int, zeroOne bool, masks bool) { // a class number for each position
		for _, a := range f.classAxes() {
			k, at, ok := f.dense(a)
			if !ok || !squeezed(at).Equal(squeezed(y)) {
				continue
			}
			what := "labels"
			if masks {
				what = "masks"
			}
			switch {
			case k > 1 && highest < k:
				add(candidate{kind: Dense, k: k, positions: true, axis: a, masks: masks, why: fmt.Sprintf("%d scores%s at each of %s positions, as the %s have a class", k, with(act), dims(at), what)})
				return
			case k == 1 && highest <= 1 && zeroOne && (act == sigmoid || kind == Dense):
				add(candidate{kind: Dense, k: 1, positions: true, axis: a, masks: masks, why: fmt.Sprintf("one number%s at each of %s positions, and %s of 0 and 1", with(act), dims(at), what)})
				return
			}
		}
	}
	if tr.labels {
		labels(false, tr.highest)
	}
	if tr.masks && mask != nil && (kind == Dense || !f.pictureLike() || act != "") {
		positions(mask, 1, true, true)
	}
	if tr.y == nil {
		return out
	}
	one := tr.y.Len() == 1
	per := f.shape[1:].Len() // numbers of each example
	regression := func() {
		if per == tr.y.Len() {
			add(candidate{kind: Regression, k: per, why: fmt.Sprintf("as many numbers for each example as targets: %d", per)})
		}
	}
	multilabel := func() {
		if single && k > 1 && k == tr.y.Len() && tr.zeroOne {
			add(candidate{kind: Multilabel, k: k, why: fmt.Sprintf("%d scores for each example%s and as many labels of 0 and 1", k, with(act))})
		}
	}
	switch {
	case tr.ints && one:
		labels(true, tr.high)
		regression()
	case tr.ints:
		positions(tr.y, tr.high, tr.zeroOne, false)
		multilabel()
		regression()
	case tr.zeroOne && act == sigmoid && one:
		labels(true, 1)
		multilabel()
		regression()
	case tr.zeroOne && act == sigmoid:
		multilabel()
		positions(tr.y, 1, true, false)
		regression()
	case tr.sumOne && !one && single && k == tr.y.Len() && (act == softmax || act == logSoft || kind == Multiclass || kind == "classification"):
		add(candidate{kind: Multiclass, k: k, soft: true, why: fmt.Sprintf("%d scores for each example%s and a distribution over the classes as target", k, with(act))})
		regression()
	default:
		regression()
		if one && tr.whole {
			labels(true, tr.high)
		}
		multilabel()
		if kind == Dense && tr.whole {
			positions(tr.y, tr.high, tr.zeroOne, false)
		}
	}
	return out
}

func with(activation string) string {
	if activation == "" {
		return ""
	}
	return " behind " + activation
}

func dims(s tensor.Shape) string {
	var w []string
	for _, d := range s {
		w = append(w, fmt.Sprint(d))
	}
	return strings.Join(w, "×")
}

// unknownTask explains why nothing fits, and what would.
func unknownTask(kind Kind, forms []form, tr truth, mask tensor.Shape) error {
	e := &UnknownError{Truth: tr.String()}
	single, usable := -1, false
	var dense *form
	for i, f := range forms {
		e.Outputs = append(e.Outputs, f.String())
		usable = usable || f.usable()
		if k, ok := f.perExample(); ok && single < 0 {
			single = k
		} else if !ok && f.usable() && dense == nil {
			dense = &forms[i]
		}
	}
	const objective = "gtk explain takes any output with --objective"
	highest := tr.highest
	if tr.y != nil && tr.whole {
		highest = tr.high
	}
	switch {
	case !usable:
		e.Help = "No output has a row of real numbers for each example; choose one with --output NAME if there are others, or export the model with the examples as the first axis"
	case tr.none():
		e.Help = "Give data with labels or targets: class folders, a csv with a label column, an npz with y"
	case (tr.labels || kind == "classification" || kind == Multiclass || kind == Binary) && single == 1 && highest > 1:
		return &ClassesError{Have: 2, Need: highest + 1, One: true}
	case tr.labels && kind != "" && kind != "classification" && kind != Multiclass && kind != Binary:
		e.Help = fmt.Sprintf("A %s task needs %s", kind, wanted(kind))
	case tr.labels && single > 1:
		return &ClassesError{Have: single, Need: highest + 1}
	case tr.labels && dense != nil:
		e.Help = fmt.Sprintf("Output %s has many numbers for each example and none of them is its class. If it is a detector or works on positions, labels of the positions are "+
			"needed (npz: y of whole numbers; masks: class of each pixel); if it changes pictures, targets of that shape (npz: x and y). --output chooses another output; %s", dense.io.Name, objective)
	case tr.masks && mask != nil && tr.y == nil:
		e.Help = fmt.Sprintf("The masks have %s pixels; a segmentation needs scores [N,K,%s], or masks of the output's size", dims(mask), dims(mask))
	case kind != "":
		e.Help = fmt.Sprintf("A %s task needs %s", kind, wanted(kind))
	default:
		e.Help = "Targets must have as many numbers for each example as an output (regression), be 0 and 1 for each of its scores (multilabel), or be class numbers of its positions " +
			"(dense). --task and --output say what is meant; " + objective
		if tr.y != nil && tr.y.Len() == 1 && tr.whole {
			e.Help += ". If the labels are class numbers, --task classification says so"
		}
	}
	return e
}

// wanted says what labels a kind needs.
func wanted(kind Kind) string {
	switch kind {
	case Binary:
		return "an output of one number for each example and labels 0 and 1"
	case Multiclass, "classification":
		return "an output with a score for each class and one class number for each example"
	case Multilabel:
		return "an output with a score for each label and 0 or 1 for each of them (npz: y [N,K])"
	case Regression:
		return "as many target numbers for each example as the output has (npz: y of real numbers; csv: --label-column)"
	case Dense:
		return "an output with scores [N,K,H,W] or [N,T,K] and a class number for each position (npz: y [N,H,W] or [N,T] of whole numbers, -100 for none; or masks)"
	}
	return "other labels"
}

// softmaxAxis is the axis of the logits along which the model's softmax runs, -1 when not known.
func softmaxAxis(f form) int {
	if f.head.Activation != softmax && f.head.Activation != logSoft {
		return -1
	}
	if f.head.Flat || f.head.Axis < 0 || f.head.Axis >= len(f.shape) {
		return -1
	}
	return f.head.Axis
}
