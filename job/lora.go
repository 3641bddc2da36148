package job

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// LoRA asks for low-rank adapters in the place of the weights (train.LoRA). What TrainOptions.Trainable names and a fresh last layer are
// trained beside them, whole; TrainOptions.Freeze names layers that get none.
type LoRA struct {
	Rank   int
	Alpha  float64  // 0 means Rank
	Target []string // globs of weights or nodes; nil means every layer that can have one
	Form   string   // what the model that is written is: one of LoRAForms; "" means merged
	// Out are files for the adapters alone: NAME.onnx_adapter for ONNX Runtime, with the model that takes them as inputs beside it in
	// NAME.base.onnx, or NAME.onnx, a patch of the model that Export puts on.
	Out []string
}

// LoRAForms are the forms in which a model with adapters is written: merged, W + alpha/rank·B·A in the place of W; beside, the adapters as
// nodes beside weights that stay as they are; dequantised, as merged, with quantised weights as real numbers, which merged refuses.
var LoRAForms = []string{"merged", "beside", "dequantised"}

// LoRAReport says what adapters a model has.
type LoRAReport struct {
	Rank       int           `json:"rank"`
	Alpha      float64       `json:"alpha"`
	Form       string        `json:"form"`
	Weights    []string      `json:"weights"`    // with an adapter
	Parameters int           `json:"parameters"` // of the adapters
	Whole      int           `json:"whole"`      // that are trained whole beside them
	Of         int           `json:"of"`         // of the model without adapters, with the numbers of quantised layers
	Share      float64       `json:"share"`      // of Of, of all that is trained
	Skipped    []LoRASkipped `json:"skipped"`
	Files      []string      `json:"files,omitempty"` // with the adapters alone, and the model that takes them as inputs
}

// LoRASkipped is a weight or layer without an adapter, and why.
type LoRASkipped struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// adapted is a model with adapters, and what it was before.
type adapted struct {
	*train.Adapters
	whole []string // parameters that are trained as they are
	of    int      // parameters of the model without adapters
}

// check looks at what can be checked before anything is read.
func (l *LoRA) check(c FinetuneConfig) error {
	switch {
	case l.Rank < 1:
		return usagef("--lora %d: want a rank of at least 1", l.Rank)
	case !(l.Alpha >= 0) || math.IsInf(l.Alpha, 0):
		return usagef("--lora-alpha %v: want a positive number", l.Alpha)
	case l.Form != "" && !slices.Contains(LoRAForms, l.Form):
		return usagef("--lora-form %q: want one of %v", l.Form, LoRAForms)
	case c.LastLayer:
		return usagef("--last-layer trains one layer whole, --lora none: with --num-classes a fresh last layer is trained whole beside the " +
			"adapters, and --lora-target chooses layers")
	}
	return l.checkOut(c)
}

// alpha is the alpha that is taken.
func (l *LoRA) alpha() float64 {
	if l.Alpha == 0 {
		return float64(l.Rank)
	}
	return l.Alpha
}

// adapt puts adapters beside the layers of the model.
func (t *trainee) adapt(c FinetuneConfig) error {
	x := &adapted{}
	if c.NumClasses != "" {
		head, err := train.FindHead(t.File(), "")
		if err != nil {
			return badInput(err)
		}
		x.whole = head.Params
	}
	for p := range t.Params() {
		if !p.Trainable {
			continue
		}
		x.of += p.Value.Len()
		for _, pattern := range c.Trainable {
			if ok, _ := engine.Match(pattern, p.Name); ok && !slices.Contains(x.whole, p.Name) {
				x.whole = append(x.whole, p.Name)
			}
		}
	}
	l := train.LoRA{Rank: c.LoRA.Rank, Alpha: c.LoRA.Alpha, Target: c.LoRA.Target, Exclude: c.Freeze, Whole: x.whole, Seed: c.Seed}
	file, a, err := l.Add(t.Model.Model)
	if err != nil {
		return usagef("--lora: %v", err)
	}
	x.Adapters = a
	x.of += a.QuantisedLen()
	if q := a.Quantised(); len(q) > 0 && c.LoRA.form() == "merged" {
		return quantisedMerge("--lora-form", q)
	}
	if c.LoRA.form() != "beside" {
		if err := integerMerge("--lora-form", a); err != nil {
			return err
		}
	}
	m, err := loadAgain(file, c.Threads, engine.WithTrainable(c.Trainable...))
	if err != nil {
		return err
	}
	for _, name := range a.Params() {
		if p, err := m.Param(name); err != nil || !p.Trainable {
			return fmt.Errorf("the adapter %q is not trained: %w", name, err)
		}
	}
	if t.use, err = t.with(m); err != nil {
		return badInput(err)
	}
	t.adapted, t.form = x, c.LoRA.form()
	return nil
}

// params are what is trained of a model with adapters.
func (x *adapted) params() []string { return append(x.Params(), x.whole...) }

// report describes the adapters.
func (x *adapted) report(l *LoRA, trained int) *LoRAReport {
	r := &LoRAReport{Rank: l.Rank, Alpha: l.alpha(), Form: l.form(), Parameters: x.Len(), Of: x.of, Skipped: []LoRASkipped{}}
	r.Whole = trained - r.Parameters
	r.Share = float64(trained) / float64(max(1, x.of))
	for _, a := range x.List {
		r.Weights = append(r.Weights, a.Weight)
	}
	for _, s := range x.Skipped {
		r.Skipped = append(r.Skipped, LoRASkipped{s.Name, s.Why})
	}
	return r
}

func (l *LoRA) form() string {
	if l.Form == "" {
		return LoRAForms[0]
	}
	return l.Form
}

// String is the report in a sentence.
func (r *LoRAReport) String() string {
	s := fmt.Sprintf("LoRA: rank %d, alpha %g, beside %s: %s parameters", r.Rank, r.Alpha, units.Plural(len(r.Weights), "weight"),
		units.Count(r.Parameters))
	if r.Whole > 0 {
		s += fmt.Sprintf(", and %s trained whole", units.Count(r.Whole))
	}
	s += fmt.Sprintf("; %.3g %% of the model's %s", 100*r.Share, units.Count(r.Of))
	if n := len(r.Skipped); n > 0 {
		s += fmt.Sprintf(". No adapter beside %s (%s)", shown.Line(r.Skipped[0].Name, 80), r.Skipped[0].Why)
		if n > 1 {
			s += fmt.Sprintf(" and %d more", n-1)
		}
	}
	return s
}

// trained is the file of the model as it is now, in the form that is to be written.
func (t *trainee) trained() (*onnx.Model, error) {
	if t.encoder != nil {
		return t.encoder.file(t.Model.Model)
	}
	file, err := t.Save()
	if err == nil && t.joined() {
		return t.denoising.net.Join(t.denoising.site, file)
	}
	if err != nil || !t.merges() {
		return file, err
	}
	return t.adapted.Merge(file, t.form == "dequantised")
}

// merges reports whether the model that is written has its adapters in its weights.
func (t *trainee) merges() bool { return t.adapted != nil && t.form != "beside" }

// measureMerged evaluates the merged model on the validation data.
func (f *finetuning) measureMerged(ctx context.Context) (*train.Evaluation, error) {
	file, err := f.trained()
	if err != nil {
		return nil, err
	}
	m, err := loadAgain(file, f.c.Threads)
	if err != nil {
		return nil, err
	}
	plan, err := f.plan.With(m)
	if err != nil {
		return nil, err
	}
	return train.Evaluate(ctx, m, f.val, train.EvalConfig{Task: f.task, Feed: plan, Preprocess: f.pre})
}

// mergedSlack is the share of the largest output by which the outputs of a merged model may differ from those of the model with its
// adapters beside the weights: sums are in another order, and a weight is rounded to its type once more.
func mergedSlack(d tensor.DType) float64 {
	switch d {
	case tensor.Float16:
		return 1e-2
	case tensor.BFloat16:
		return 8e-2
	case tensor.Float64:
		return 1e-9
	}
	return 1e-4
}
