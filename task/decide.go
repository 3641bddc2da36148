package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/shown"
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
	t, _, err := of(ctx, p, ds, o)
	return t, err
}

// of is Of with what was seen of the outputs, which comes with a choice that failed too.
func of(ctx context.Context, p *feed.Plan, ds data.Dataset, o Options) (*Task, []form, error) {
	given := o.Kind
	o = o.Remembered(p.Model().File())
	kind, err := ParseKind(o.Kind)
	if err != nil {
		return nil, nil, err
	}
	tr, err := readTruth(ds)
	if err != nil {
		return nil, nil, err
	}
	bce := false // asked for
	if _, l, err := NewLoss(o.Loss); err == nil {
		kl, ok := l.(*KL)
		tr.logits = ok && kl.From == "logits"
		_, bce = l.(*BCE)
	}
	forms, mask, err := observe(ctx, p, ds, o, tr.masks)
	if err != nil {
		return nil, nil, err
	}
	t, err := choose(kind, forms, tr, mask)
	if err == nil && kind == "" && bce && t.Kind == Regression && !t.sigmoids() && tr.low >= 0 && tr.top <= 1 {
		t, err = choose(Multilabel, forms, tr, mask) // logits of labels that are true to a degree
	}
	if err != nil {
		var unknown *UnknownError
		if given != o.Kind && errors.As(err, &unknown) {
			unknown.remembered = o.Kind
		}
		return nil, forms, err
	}
	t.ask(o.Kind)
	if t.next = t.text && tr.next; t.next {
		t.Why = append(t.Why, "each label is the token behind its position: a language model")
		if t.asked != "tokens" {
			if err := t.causal(ctx, p, ds, o); err != nil {
				return nil, nil, err
			}
		}
	}
	t.noted(o)
	if t.Classes = o.Classes; t.Classes == nil && !(t.positions && tr.labels) { // names of examples are not those of their positions
		t.Classes = tr.classes
	}
	if t.Kind == Multiclass || t.Kind == Binary {
		t.counts = tr.counts
	}
	return t, forms, t.setLoss(o.Loss)
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
	link      link
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
	for _, x := range fits[1:] {
		if x.likelihood(tr) > c.likelihood(tr) {
			c = x
		}
	}
	t := &Task{
		Kind: c.kind, Head: c.f.head, K: c.k, positions: c.positions, axis: c.axis, rank: len(c.f.shape), soft: c.soft, masks: c.masks,
		flatY: c.flatY,
		text:  c.positions && len(c.f.shape) == 3, real: c.f.dtype, link: c.link, void: tr.void, binary255: tr.ends, Why: []string{c.why},
	}
	if c.link != linkNone {
		t.Why = append(t.Why, "its numbers lie between 0 and 1 and are taken for probabilities")
	}
	if len(forms) > 1 {
		var others []string
		for _, f := range forms {
			if f.io.Name != c.f.io.Name {
				others = append(others, f.io.Name)
			}
		}
		t.Notes = append(t.Notes, fmt.Sprintf("of the model's outputs %s is used, not %s; --output chooses another", c.f.io.Name,
			shown.Names(others, 12)))
	}
	return t, nil
}

// likelihood orders outputs that fit: the scores have as many classes as the data, and end in a softmax or sigmoid.
func (c candidate) likelihood(tr truth) int {
	n := 0
	if c.f.head.Activation != "" || c.link != linkNone {
		n++
	}
	classes := max(len(tr.classes), tr.highest+1)
	if c.kind == Binary && classes == 2 || c.kind != Binary && c.k == classes {
		n += 2
	}
	return n
}

// readings are the ways in which output f fits the truth, the likeliest first. With a kind only what could be that kind is weighed.
func readings(f form, tr truth, mask tensor.Shape, kind Kind) []candidate {
	if !f.usable() || !tr.some && !tr.masks {
		return nil
	}
	r := reader{f: f, tr: tr, kind: kind, act: f.head.Activation}
	r.k, r.single = f.perExample()
	if tr.labels {
		r.labels(false, tr.highest)
	}
	if tr.masks && mask != nil && (kind == Dense || tr.masked || !f.pictureLike() || r.act != "") {
		r.at(mask, -1, true, true)
	}
	if tr.y == nil {
		return r.out
	}
	switch one := tr.y.Len() == 1; {
	case tr.ints && one:
		r.labels(true, tr.high)
		r.regression()
	case tr.ints:
		r.hot()
		if dims := len(f.shape); r.single && !(dims == 3 && f.shape[2] == 1) { // [N,T,1] are the tokens of one label
			r.multilabel()
			r.at(tr.y, tr.high, tr.zeroOne, false)
		} else {
			r.at(tr.y, tr.high, tr.zeroOne, false)
			r.multilabel()
		}
		r.regression()
	case tr.zeroOne && one:
		r.labels(true, 1)
		r.regression()
	case tr.zeroOne:
		r.hot()
		r.multilabel()
		if r.act == sigmoid || f.probabilities() || kind == Dense {
			r.at(tr.y, 1, true, false)
		}
		r.regression()
	default:
		r.hot()
		r.regression()
		if one && tr.whole {
			r.labels(true, tr.high)
		}
		r.multilabel()
		if kind == Dense && tr.whole {
			r.at(tr.y, tr.high, tr.zeroOne, false)
		}
	}
	return r.out
}

// reader gathers the readings of an output.
type reader struct {
	f      form
	tr     truth
	kind   Kind
	act    string
	k      int  // numbers of each example, where they lie along one axis
	single bool // they do
	out    []candidate
}

func (r *reader) add(c candidate) {
	c.f = r.f
	r.out = append(r.out, c)
}

// softmaxed reports whether one of the classes takes what the others leave.
func (r *reader) softmaxed() bool {
	return r.act == softmax || r.act == logSoft || r.f.link(2, false) == linkLog
}

// labels reads one class number for each example; flat tells that it is in Y.
func (r *reader) labels(flat bool, highest int) {
	switch k, f := r.k, r.f; {
	case !r.single || f.shut():
	case k == 1 && highest <= 1:
		why := "one number for each example and labels 0 and 1" + with(r.act)
		if flat && !r.tr.ints && r.act == "" && f.link(1, false) == linkNone {
			why += "; --task regression takes them for numbers"
		}
		r.add(candidate{kind: Binary, k: 1, flatY: flat, link: f.link(1, false), why: why})
	case k > 1 && highest < k:
		why := fmt.Sprintf("%d scores for each example%s and one class number as its label", k, with(r.act))
		l := f.link(k, false)
		if r.act == sigmoid || l == linkLogit {
			why += ": each class is trained against all others"
		}
		r.add(candidate{kind: Multiclass, k: k, flatY: flat, link: l, why: why})
	}
}

// at reads a class number for each position, of shape y.
func (r *reader) at(y tensor.Shape, highest int, zeroOne bool, masks bool) {
	what := "labels"
	if masks {
		what = "masks"
	}
	var fit []int
	for _, a := range r.f.classAxes() {
		if _, at, ok := r.f.dense(a); ok && squeezed(at).Equal(squeezed(y)) && !slices.Contains(fit, a) {
			fit = append(fit, a)
		}
	}
	if r.f.shut() {
		return
	}
	for _, a := range fit {
		k, at, _ := r.f.dense(a)
		why := ""
		switch {
		case k > 1 && highest < k:
			why = fmt.Sprintf("%d scores%s at each of %s positions, as the %s have a class", k, with(r.act), dims(at), what)
		case k == 1 && highest <= 1 && zeroOne && (r.act == sigmoid || r.f.probabilities() || r.kind == Dense || r.tr.ints && !masks):
			why = fmt.Sprintf("one number%s at each of %s positions, and %s of 0 and 1", with(r.act), dims(at), what)
		default:
			continue
		}
		if len(fit) > 1 && softmaxAxis(r.f) < 0 {
			why += fmt.Sprintf("; the classes are taken to lie along axis %d of %v", a, r.f)
		}
		r.add(candidate{kind: Dense, k: k, positions: true, axis: a, masks: masks, link: r.f.link(k, false), why: why})
		return
	}
}

// hot reads targets that are a distribution over the classes, one-hot or soft.
func (r *reader) hot() {
	tr := r.tr
	if !tr.sumOne || !r.single || r.k < 2 || r.k != tr.y.Len() || r.act == sigmoid || r.f.shut() || r.f.link(r.k, false) == linkLogit ||
		r.kind == Multilabel {
		return
	}
	what := "a distribution over the classes as target"
	if tr.oneHot {
		what = "a target of 0 and a single 1, its class"
	}
	why := fmt.Sprintf("%d scores for each example%s and %s", r.k, with(r.act), what)
	if !r.softmaxed() {
		why += "; --task regression or multilabel takes them otherwise"
	}
	r.add(candidate{kind: Multiclass, k: r.k, soft: true, link: r.f.link(r.k, false), why: why})
}

// multilabel reads 0 or 1 for each score. Scores of which one takes what the others leave are none.
func (r *reader) multilabel() {
	fits := r.tr.zeroOne || r.kind == Multilabel && r.tr.low >= 0 && r.tr.top <= 1
	if fits && r.single && r.k > 1 && r.k == r.tr.y.Len() && !r.softmaxed() && !r.f.shut() {
		why := fmt.Sprintf("%d scores for each example%s and as many labels of 0 and 1", r.k, with(r.act))
		r.add(candidate{kind: Multilabel, k: r.k, link: r.f.link(r.k, true), why: why})
	}
}

// regression reads targets of the output's shape. What lies in [0,1] never reaches others.
func (r *reader) regression() {
	if !squeezed(r.f.shape[1:]).Equal(squeezed(r.tr.y)) || r.kind != Regression && (r.outOfReach() || r.tr.ints && r.softmaxed()) {
		return
	}
	per := r.f.shape[1:].Len()
	r.add(candidate{kind: Regression, k: per, why: fmt.Sprintf("as many numbers for each example as targets: %d", per)})
}

// outOfReach reports whether targets lie where the output never comes.
func (r *reader) outOfReach() bool {
	if r.tr.logits {
		return false
	}
	return !r.f.reaches(r.tr)
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
	bound := limits(kind, forms, tr)
	k, placed := positionsFit(forms, tr)
	const objective = "gtk explain takes any output with --objective"
	highest := tr.highest
	if tr.y != nil && tr.whole {
		highest = tr.high
	}
	switch {
	case !tr.none() && !tr.some && tr.y != nil:
		e.Help = fmt.Sprintf("All of its labels are %d, which stands for none", Ignored)
	case !usable && slices.ContainsFunc(forms, form.mapped):
		e.Help = "Maps from classes to numbers (ZipMap) are for programs to read: export the model without them (skl2onnx and onnxmltools: " +
			"option zipmap=False), so that an output has the numbers as a row for each example"
	case !usable:
		e.Help = "No output has a row of real numbers for each example; choose one with --output NAME if there are others, or export " +
			"the model with the examples as the first axis"
	case tr.none():
		e.Help = "Give data with labels or targets: class folders, a csv with a label column, an npz with y"
	case (tr.labels || kind == "classification" || kind == Multiclass || kind == Binary) && single == 1 && highest > 1:
		return &ClassesError{Have: 2, Need: highest + 1, One: true}
	case tr.labels && kind != "" && kind != "classification" && kind != Multiclass && kind != Binary:
		e.Help = fmt.Sprintf("A %s task needs %s", kind, wanted(kind))
	case tr.labels && single > 1:
		return &ClassesError{Have: single, Need: highest + 1}
	case bound != "":
		e.Help = bound
	case highest > 0 && placed && highest >= k:
		return &ClassesError{Have: max(2, k), Need: highest + 1}
	case tr.labels && dense != nil:
		e.Help = fmt.Sprintf("Output %s has many numbers for each example and none of them is its class. If it is a detector or works "+
			"on positions, labels of the positions are "+
			"needed (npz: y of whole numbers; masks: class of each pixel); if it changes pictures, targets of that shape (npz: x and "+
			"y). --output chooses another output; %s", dense.io.Name, objective)
	case tr.masks && mask != nil && tr.y == nil:
		e.Help = fmt.Sprintf("The masks have %s pixels; a segmentation needs scores [N,K,%s], or masks of the output's size", dims(mask),
			dims(mask))
	case kind != "":
		e.Help = fmt.Sprintf("A %s task needs %s", kind, wanted(kind))
	default:
		e.Help = "Targets must have as many numbers for each example as an output (regression), be 0 and 1 for each of its scores " +
			"(multilabel), or be class numbers of its positions " +
			"(dense). --task and --output say what is meant; " + objective
		if tr.y != nil && tr.y.Len() == 1 && tr.whole {
			e.Help += ". If the labels are class numbers, --task classification says so"
		}
	}
	return e
}

// limits says that an output lies between bounds that do not fit the truth; "" where none does.
func limits(kind Kind, forms []form, tr truth) string {
	for _, f := range forms {
		if !f.usable() {
			continue
		}
		lo, hi := f.reach()
		same := tr.y != nil && squeezed(f.shape[1:]).Equal(squeezed(tr.y))
		switch {
		case f.shut() && (tr.labels || tr.ints):
			return fmt.Sprintf("Output %s lies between %.4g and %.4g: these are neither logits nor probabilities of classes. Export the "+
				"model without what scales them, or choose --output", f.io.Name, lo, hi)
		case same && !tr.ints && kind == "" && !f.reaches(tr):
			return fmt.Sprintf("Output %s lies between %.4g and %.4g and never reaches targets from %.4g to %.4g: scale them, or give "+
				"--task regression if that is meant", f.io.Name, lo, hi, tr.low, tr.top)
		}
	}
	return ""
}

// positionsFit is the number of classes of the first output whose positions are those of whole numbers as labels.
func positionsFit(forms []form, tr truth) (k int, ok bool) {
	if tr.y == nil || !tr.whole || tr.y.Len() < 2 {
		return 0, false
	}
	for _, f := range forms {
		for _, a := range f.classAxes() {
			if k, at, ok := f.dense(a); ok && squeezed(at).Equal(squeezed(tr.y)) {
				return k, true
			}
		}
	}
	return 0, false
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
		return "an output with scores [N,K,H,W] or [N,T,K] and a class number for each position (npz: y [N,H,W] or [N,T] of whole " +
			"numbers, -100 for none; or masks)"
	}
	return "other labels"
}

// softmaxAxis is the axis of the logits along which the model's softmax runs, -1 when not known.
func softmaxAxis(f form) int { return f.head.ClassAxis(len(f.shape)) }
