package job

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/train"
)

// Backprop is the usual FinetuneConfig.Method.
const Backprop = "backprop"

// methods are the ways to train, by the names that --method takes: one file each.
var methods = map[string]method{Backprop: backprop{}, GBNNMethod: boosted{}, NoPropMethod: denoised{}}

// Methods are the names of FinetuneConfig.Method.
func Methods() []string { return slices.Sorted(maps.Keys(methods)) }

// MethodDoc says in a line what a method does, and where it is from.
func MethodDoc(name string) (doc, source string) { return methods[name].about() }

// A method is a way to train. Others than backprop embed it, and say what is different.
type method interface {
	about() (doc, source string)
	// check looks at what can be checked before anything is read.
	check(c FinetuneConfig) error
	// begins makes the model of a training that is given none.
	begins(c FinetuneConfig) (*Model, error)
	// ownHead reports whether it puts what NumClasses asks for in the place of the last layer itself.
	ownHead() bool
	// ready changes the model before it is decided what its outputs mean.
	ready(ctx context.Context, t *trainee, c FinetuneConfig, rep Reporter) error
	// set changes the configuration of the training.
	set(f *finetuning) error
	fit(ctx context.Context, f *finetuning, cfg train.Config, rep Reporter) (*train.Result, error)
	// how names the rule with its rate.
	how(f *finetuning) string
	// calmer ends the advice to take a lower one where the loss rose.
	calmer() string
	// traits are what a resume has to agree in beside data and model; nil for those of backprop.
	traits(f *finetuning) []train.Trait
	// epoch tells of an epoch.
	epoch(f *finetuning, r train.EpochReport, rep Reporter)
	// epochs are what its epochs are called.
	epochs() string
	// beside reports whether validation during training is not of the very model that is written, which is then measured anew.
	beside() bool
	report(f *finetuning, r *FinetuneReport, res *train.Result) // completes r
	// page adds to the report page, and reports whether its curves take the place of those over epochs.
	page(f *finetuning, p *report.Report, res *train.Result) bool
}

// method is how c trains.
func (c FinetuneConfig) method() (method, error) {
	name := cmp.Or(c.Method, Backprop)
	m, ok := methods[name]
	if !ok {
		hint := ""
		if near := registry.Suggest(name, Methods()); len(near) > 0 {
			hint = fmt.Sprintf(" (did you mean %q?)", near[0])
		}
		return nil, usagef("--method %q is unknown%s: want %s", name, hint, strings.Join(Methods(), ", "))
	}
	return m, m.check(c)
}

// backprop trains by gradients through the whole model.
type backprop struct{}

func (backprop) about() (doc, source string) {
	return "gradients through the whole model, by an optimiser", ""
}

func (backprop) check(c FinetuneConfig) error {
	if c.GBNN != nil {
		return usagef("--gbnn-…: they belong to --method %s", GBNNMethod)
	}
	if c.NoProp != nil {
		return usagef("--noprop-…: they belong to --method %s", NoPropMethod)
	}
	return nil
}

func (backprop) begins(FinetuneConfig) (*Model, error) {
	return nil, usagef("the model is missing: give a file, or builtin:NAME")
}

func (backprop) ownHead() bool { return false }

func (backprop) ready(context.Context, *trainee, FinetuneConfig, Reporter) error { return nil }

func (backprop) set(*finetuning) error { return nil }

func (backprop) fit(ctx context.Context, f *finetuning, cfg train.Config, _ Reporter) (*train.Result, error) {
	return train.Fit(ctx, f.Model.Model, f.train, cfg)
}

func (backprop) how(f *finetuning) string { return fmt.Sprintf("%s lr %g", f.optimizer(), f.lr) }

func (backprop) calmer() string { return "--lr may help (gtk lr-find looks for one)" }

func (backprop) traits(*finetuning) []train.Trait { return nil }

func (backprop) epoch(_ *finetuning, r train.EpochReport, rep Reporter) { rep.Epoch(r) }

func (backprop) epochs() string { return "epoch" }

func (backprop) beside() bool { return false }

func (backprop) report(*finetuning, *FinetuneReport, *train.Result) {}

func (backprop) page(*finetuning, *report.Report, *train.Result) bool { return false }
