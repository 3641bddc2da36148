package job

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// Contrast asks for the training of an encoder by what it says of several views of each example, without labels (train.Contrast). The
// random changes of the global views are TrainOptions.Augment; "" means what is usual for pictures.
type Contrast struct {
	Objective    string // NAME:OPTION=VALUE… of task.Objectives; required
	Views        int    // global ones of each example; 0 means 2
	LocalViews   int    // of small parts, which are compared with the global ones
	LocalAugment string // their random changes; "" means those of the global views, of a small part
	Features     string // value of the model that is its features; "" finds it (train.FindFeatures)
	Layers       int    // of the projection behind the features; 0 means 3
	Width        int    // of its output; 0 means 128
	Neighbours   int    // that vote for a class where the validation data have some; 0 means 20
	Write        string // of ContrastForms; "" means the first
}

// ContrastForms are the forms in which an encoder is written: its features as the only output; the projection as a second one; or the
// whole model, with the last layers as they were.
var ContrastForms = []string{"encoder", "projection", "model"}

// ContrastReport says what was trained by an objective.
type ContrastReport struct {
	Objective        string `json:"objective"`
	Features         string `json:"features"` // value of the model that is its features
	Width            int    `json:"width"`    // of the features
	Views            int    `json:"views"`
	LocalViews       int    `json:"local_views"`
	Augment          string `json:"augment"`
	LocalAugment     string `json:"local_augment,omitempty"`
	ProjectionLayers int    `json:"projection_layers"`
	ProjectionWidth  int    `json:"projection_width"`
	Neighbours       int    `json:"neighbours,omitempty"` // 0 where nothing has classes
	Written          string `json:"written"`
}

func (c *Contrast) views() int            { return cmp.Or(c.Views, 2) }
func (c *Contrast) layers() int           { return cmp.Or(c.Layers, 3) }
func (c *Contrast) width() int            { return cmp.Or(c.Width, 128) }
func (c *Contrast) form() string          { return cmp.Or(c.Write, ContrastForms[0]) }
func (c *Contrast) all() int              { return c.views() + c.LocalViews }
func (c *Contrast) nearest() int          { return cmp.Or(c.Neighbours, 20) }
func (c *Contrast) normal(bn string) bool { return bn != "frozen" }

// check looks at what can be checked before anything is read.
func (c *Contrast) check(f FinetuneConfig) error {
	if _, _, err := task.NewObjective(c.Objective); err != nil {
		return usagef("--objective: %v", err)
	}
	if err := forLabels(f, c.Objective); err != nil {
		return err
	}
	switch {
	case f.MicroBatch > 0 || f.Growth != nil:
		return usagef("--micro-batch and --batch-adapt: --objective %s compares all examples of a batch with each other, so that batches "+
			"do not go in parts, nor do they grow", c.Objective)
	case f.UseOptions.Output != "":
		return usagef("--output names what is compared with labels: --features names the features")
	case c.views() < 1 || c.LocalViews < 0 || c.all() < 2:
		return usagef("--views %d --local-views %d: want at least one global view, and two in all", c.Views, c.LocalViews)
	case c.layers() < 1 || c.width() < 1:
		return usagef("--projection-layers %d --projection-width %d: want positive numbers", c.Layers, c.Width)
	case c.nearest() < 1:
		return usagef("--knn %d: want at least one neighbour", c.Neighbours)
	case !slices.Contains(ContrastForms, c.form()):
		return usagef("--write %q: want one of %v", c.Write, ContrastForms)
	case c.LocalAugment != "" && c.LocalViews == 0:
		return usagef("--local-augment goes with --local-views N")
	}
	return nil
}

// forLabels refuses what is for training on labels.
func forLabels(f FinetuneConfig, objective string) error {
	for flag, given := range map[string]bool{
		"--num-classes": f.NumClasses != "", "--lora": f.LoRA != nil, "--distill": f.Distill != nil,
		"--standardise-targets": f.StandardiseTargets, "--last-layer": f.LastLayer, "--loss": f.Loss != "" && f.Loss != "auto",
		"--class-weights": f.ClassWeights != "", "--label-smoothing": f.LabelSmoothing != 0, "--task": f.Task != "" && f.Task != "auto",
		"--sampler balanced": f.Sampler == "balanced", "--sampler importance": f.Sampler == "importance",
	} {
		if given {
			return usagef("%s is for training on labels, and --objective %s needs none: leave it out", flag, objective)
		}
	}
	if cmp.Or(f.Method, Backprop) != Backprop {
		return usagef("--method %s learns from labels, and --objective %s needs none: leave one of the two out", f.Method, objective)
	}
	return nil
}

// contrasted is an encoder with the projection that it is trained through.
type contrasted struct {
	report *ContrastReport
	views  []data.Augment
	form   string
	from   *engine.Model // as it was read, or the encoder alone: what is written
	plan   *feed.Plan    // of from
}

// contrast makes the model an encoder with a projection, and its task an objective.
func (t *trainee) contrast(ctx context.Context, c FinetuneConfig) error {
	o := c.Contrast
	_, objective, err := task.NewObjective(o.Objective)
	if err != nil {
		return usagef("--objective: %v", err)
	}
	threads := engine.WithThreads(c.Threads)
	found, err := train.FindFeatures(t.File(), o.Features)
	if err != nil {
		return featuresError(err)
	}
	shape, d, err := found.Form(ctx, t.plan, t.train, t.pre, threads)
	if err != nil {
		return badInput(err)
	}
	if err := t.mayBeFeatures(o.Features, found, t.train, shape); err != nil {
		return err
	}
	alone, features, err := found.Encoder(shape, d)
	if err != nil {
		return badInput(err)
	}
	width := encoderWidth(alone)
	p := train.Projection{Layers: o.layers(), Width: o.width(), Norm: o.normal(c.BN), Seed: c.Seed}
	file, projection, err := p.Add(alone, features, width, d)
	if err != nil {
		return badInput(err)
	}
	m, err := loadAgain(file, c.Threads, c.trainable()...)
	if err != nil {
		return err
	}
	x := &contrasted{form: o.form(), from: m, report: &ContrastReport{Objective: o.Objective, Features: found.Value, Width: width,
		Views: o.views(), LocalViews: o.LocalViews, ProjectionLayers: o.layers(), ProjectionWidth: o.width(), Written: o.form()}}
	if x.form == "encoder" {
		if x.from, err = loadAgain(alone, c.Threads); err != nil {
			return err
		}
	}
	if x.form == "model" {
		if x.from, err = loadAgain(t.File(), c.Threads, c.trainable()...); err != nil {
			return err
		}
	} else {
		t.Labels = nil
	}
	if x.plan, err = t.plan.With(x.from); err != nil {
		return badInput(err)
	}
	if t.use, err = t.with(m); err != nil {
		return badInput(err)
	}
	if x.form == "model" {
		if err := x.mayCopy(m); err != nil {
			return err
		}
	}
	if err := t.view(c, x); err != nil {
		return err
	}
	measured := t.val != nil && classed(t.train) && classed(t.val)
	why := []string{found.Why}
	if len(shape) > 2 {
		why = append(why, fmt.Sprintf("%q is %v%v for %d examples: the features are its means over the positions", found.Value, d, shape,
			shape[0]))
	}
	t.task = task.ForObjective(objective, o.Objective, task.Views{N: o.all(), Global: o.views()}, features, projection, measured, why...)
	t.task.Classes = t.ds.Classes()
	switch {
	case measured:
		x.report.Neighbours = o.nearest()
	case t.val != nil:
		t.notes = append(t.notes, "the data have no classes to measure the features by: the objective on the validation data tells epochs apart")
	}
	t.encoder = x
	return nil
}

// mayBeFeatures refuses features that were found, not asked for, and are no features: decisions, or numbers that lie like the pixels of
// the picture that the model gets.
func (u *use) mayBeFeatures(asked string, found *train.Features, ds data.Dataset, shape tensor.Shape) error {
	if asked != "" {
		return nil
	}
	if h, err := u.Head(found.Value); err == nil && h.Activation != "" {
		return badInput(fmt.Errorf("output %q ends in %s: it is decisions, not features, and no last dense layer is found before it: name "+
			"a value within the model with --features", found.Value, h.Activation))
	}
	e, err := ds.Example(0)
	if err != nil || !e.Picture || len(shape) != 4 {
		return err
	}
	h, w := e.X.Dim(1), e.X.Dim(2)
	if u.pre != nil && u.pre.ImageSize[0] > 0 {
		h, w = u.pre.ImageSize[0], u.pre.ImageSize[1]
	}
	if h > 1 && shape[2] >= h && shape[3] >= w {
		return badInput(fmt.Errorf("%q has a place for each pixel (%v): the model seems to change pictures, and its means are no features: "+
			"name a value within it with --features", found.Value, shape))
	}
	return nil
}

// featuresError is the error of features that are not found, which a flag names.
func featuresError(err error) error {
	return usagef("%s", strings.TrimPrefix(err.Error(), "train: features: "))
}

// classed reports whether examples of ds have a class.
func classed(ds data.Dataset) bool {
	for i := range ds.Len() {
		if ds.Label(i) >= 0 {
			return true
		}
	}
	return false
}

// encoderWidth is how many features the only output of an encoder has.
func encoderWidth(m *onnx.Model) int {
	dims := m.Proto.GetGraph().GetOutput()[0].GetType().GetTensorType().GetShape().GetDim()
	return int(dims[len(dims)-1].GetDimValue())
}

// view settles the random changes of each view.
func (t *trainee) view(c FinetuneConfig, x *contrasted) error {
	global, local := c.Augment, c.Contrast.LocalAugment
	usualGlobal, usualLocal, err := t.usualViews()
	if err != nil {
		return err
	}
	if global == "" {
		if global = usualGlobal; global == "" && !c.Dropout {
			return usagef("--objective %s compares several views of each example, and the data are no pictures: give what changes them at random, "+
				"such as --augment noise=0.1 or --augment slice=0.8 for series, or --dropout where the model has it", c.Contrast.Objective)
		}
	}
	if local == "" && c.Contrast.LocalViews > 0 {
		if local = usualLocal; local == "" {
			local = global
		}
	}
	for k := range c.Contrast.all() {
		text, flag := global, "--augment"
		if k >= c.Contrast.views() {
			text, flag = local, "--local-augment"
		}
		a, err := data.ParseAugment(text)
		if err == nil {
			err = a.Fits(t.train)
		}
		if err != nil {
			return usagef("%s: %v", flag, err)
		}
		if mixes, _ := a.Mixes(); mixes {
			return usagef("%s %s: mixtures are of several examples, and a view is of one: leave them out", flag, text)
		}
		x.views = append(x.views, a)
	}
	x.report.Augment, x.report.LocalAugment = global, local
	drops := func(n *graph.Node) bool { return n.Op.Name == ops.Dropout.Name }
	if !slices.ContainsFunc(x.views, func(a data.Augment) bool { return !a.None() }) &&
		!(c.Dropout && slices.ContainsFunc(t.Graph().Nodes, drops)) {
		return usagef("--objective %s: both views of an example are the same: give --augment what changes the data at random, or --dropout "+
			"where the model has it", c.Contrast.Objective)
	}
	return nil
}

// blurredFrom is the side from which on pictures are blurred and solarised: smaller ones lose what is to be seen.
const blurredFrom = 64

// usualViews are the random changes that make views of pictures, "" for other data.
//
// Source: those of SimCLR (arXiv 2002.05709, appendix A) and DINO (arXiv 2104.14294, appendix), with the scales of arXiv 2301.02009.
// Blur and solarisation have the mean of their probabilities in the two global views there.
func (t *trainee) usualViews() (global, local string, err error) {
	e, err := t.train.Example(0)
	if err != nil || !e.Picture {
		return "", "", err
	}
	rest := ",flip"
	grey := e.X.Dim(0) == 1 || t.pre != nil && t.pre.Channels == "gray"
	switch {
	case e.X.DType() == tensor.Uint16: // colours are changed in pictures of 8 bits
	case grey:
		rest += ",jitter:brightness=0.4:contrast=0.4:saturation=0:hue=0:p=0.8"
	default:
		rest += ",jitter:brightness=0.4:contrast=0.4:saturation=0.2:hue=0.1:p=0.8,grayscale=0.2"
	}
	if side := t.side(e); side >= blurredFrom && e.X.DType() == tensor.Uint8 {
		rest += ",blur:p=0.5,solarize:p=0.1"
	}
	return "resized=0.14:1" + rest, "resized=0.05:0.14" + rest, nil
}

// side is the shorter side of the pictures that the model gets.
func (t *trainee) side(e data.Example) int {
	if t.pre != nil && t.pre.ImageSize[0] > 0 {
		return min(t.pre.ImageSize[0], t.pre.ImageSize[1])
	}
	return min(e.X.Dim(1), e.X.Dim(2))
}

// mayCopy fails where a weight that is trained in m is not one of the model as it was read.
func (x *contrasted) mayCopy(m *engine.Model) error {
	for p := range m.Params() {
		if _, err := x.from.Param(p.Name); err != nil && (p.Trainable || p.State) && !strings.HasPrefix(p.Name, "projection") {
			return badInput(fmt.Errorf("--write model: its last layer had to be taken apart to find the features, so that %q has no place in the "+
				"model as it was: --write encoder writes the features alone", p.Name))
		}
	}
	return nil
}

// update gives what is written the weights of the trained model m.
func (x *contrasted) update(m *engine.Model) {
	if x.from == m {
		return
	}
	x.from.Thaw()
	for p := range m.Params() {
		if q, err := x.from.Param(p.Name); err == nil && (p.Trainable || p.State) {
			copy(q.Value.Bytes(), p.Value.Bytes())
		}
	}
	x.from.Changed()
}

// file is what is written of the trained model m.
func (x *contrasted) file(m *engine.Model) (*onnx.Model, error) {
	x.update(m)
	return x.from.Save()
}

// measureFeatures measures the features as they are on the validation data.
func (f *finetuning) measureFeatures(ctx context.Context) (*train.Evaluation, error) {
	e, err := train.NewFeatureEvaluator(f.Model.Model, f.train, f.val, train.FeatureConfig{Task: f.task, Feed: f.plan,
		Contrast: f.cfg.Contrast, Preprocess: f.pre, BatchSize: f.cfg.Batch(f.train.Len()), Seed: f.c.Seed})
	if err != nil {
		return nil, err
	}
	return e.Run(ctx)
}

// String is the report in a sentence.
func (r *ContrastReport) String() string {
	s := fmt.Sprintf("%s: %s of each example", r.Objective, units.Plural(r.Views, "view"))
	if r.Augment != "" {
		s += " (" + r.Augment + ")"
	}
	if r.LocalViews > 0 {
		s += fmt.Sprintf(" and %s of small parts (%s)", units.Plural(r.LocalViews, "view"), r.LocalAugment)
	}
	return s + fmt.Sprintf("; %d features of %q, through a projection of %s to %d", r.Width, r.Features,
		units.Plural(r.ProjectionLayers, "layer"), r.ProjectionWidth)
}

// traits are what the result depends on, by the names of the flags.
func (c *Contrast) traits(add func(name, value string)) {
	add("objective", c.Objective)
	add("views", fmt.Sprint(c.views()))
	add("local-views", fmt.Sprint(c.LocalViews))
	add("local-augment", c.LocalAugment)
	add("features", c.Features)
	add("projection-layers", fmt.Sprint(c.layers()))
	add("projection-width", fmt.Sprint(c.width()))
	add("knn", fmt.Sprint(c.nearest()))
}
