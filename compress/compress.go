// Package compress makes models smaller: a method of the table is one file, its options in it. A method gets a Subject, the model with what
// is known about its use, and gives a Result, another model of the same inputs and outputs, which is written as any.
//
//	m, err := compress.New("int8:calibration=entropy")
//	res, err := m.Compress(ctx, &compress.Subject{Model: model, Feed: plan, Data: ds})
//	err = res.File.WriteFile("small.onnx", onnx.WriteOptions{})
//
// Methods of vision transformers are in package compress/tokens.
package compress

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/options"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/task"
)

// Method makes a smaller model of a Subject. Its tagged fields are its options.
type Method interface {
	// Needs says what it cannot do without.
	Needs() Needs
	// Plan says what Compress would do, line by line, from the model alone, and what that asks for in vain.
	Plan(ctx context.Context, s *Subject) ([]string, error)
	// Compress makes the model. It leaves s.Model and its file as they are. An *AskError is about options and flags; all others are about
	// model and data.
	Compress(ctx context.Context, s *Subject) (*Result, error)
}

// Needs is what a method cannot do without.
type Needs struct {
	Data   bool // examples
	Labels bool // a task whose loss can be computed for them
	MACs   bool // Subject.MACs
	Tuning bool // it takes Subject.Epochs of fine-tuning after it; others refuse them
	Epochs bool // Subject.Epochs are its own passes over the data, and no fine-tuning follows
}

// Subject is a model to be made smaller.
type Subject struct {
	Model  *engine.Model    // as it was read; File has its message
	Feed   *feed.Plan       // what its inputs get from examples; nil without data
	Data   data.Dataset     // to calibrate and to learn from; nil for none
	Task   *task.Task       // what outputs and labels mean; nil where that is not known
	Pre    *data.Preprocess // nil when examples are fed as they are
	MACs   float64          // target: the share of multiply-accumulate operations that is left, in (0,1); 0 for none
	Keep   []string         // globs (engine.Match) of nodes and of their weights that stay as they are
	Batch  int              // examples in one run
	Epochs int              // of fine-tuning that follow
	Seed   uint64           // of everything random
	Tell   Reporter         // nil for none
}

// Reporter is told how it goes.
type Reporter interface {
	Note(text string) // something worth knowing: an assumption, a warning
	Say(text string)  // a line about what is being done
	// Stage begins a part of the work that is counted up to total.
	Stage(what string, total int) (set func(done int, detail string), end func())
}

// Result is a smaller model and what is to be said of it.
type Result struct {
	File    *onnx.Model // the model, with the outputs' names, labels and preprocessing of the one before
	Says    []string    // what was done, for people
	Details any         // what was done, for the report: a struct with JSON tags
	// Zero are the numbers of parameters, by name, that stay zero when the model is fine-tuned.
	Zero map[string][]bool
	// Write puts what there is to look at into a folder, by put, which makes a file of that name in it; nil for nothing.
	Write func(put func(name string, write func(io.Writer) error) error) error
}

// AskError is about what was asked for.
type AskError struct{ Text string }

// Error is the mistake.
func (e *AskError) Error() string { return e.Text }

// Ask is an *AskError.
func Ask(format string, args ...any) error { return &AskError{fmt.Sprintf(format, args...)} }

// positional is a Method whose first option may be written without its name, as in int8:dynamic.
type positional interface{ first() string }

var methods = registry.Table[func() Method]{Kind: "method"}

// Register adds a method while the program initialises; source is the URL of what defines it.
func Register(name string, fresh func() Method, doc, source string) {
	methods.Register(name, fresh, doc, source)
}

// Methods is the table of methods; each entry makes one with its default options.
func Methods() *registry.Table[func() Method] { return &methods }

// New makes the method NAME:KEY=VALUE:….
func New(spec string) (Method, error) {
	name, rest, _ := strings.Cut(spec, ":")
	fresh, err := methods.Lookup(name)
	if err != nil {
		return nil, err
	}
	m := fresh()
	if p, ok := m.(positional); ok && rest != "" {
		if head, _, _ := strings.Cut(rest, ":"); !strings.Contains(head, "=") {
			spec = name + ":" + p.first() + "=" + rest
		}
	}
	_, pairs, err := options.Split(spec)
	if err != nil {
		return nil, err
	}
	if err := options.Apply(m, pairs); err != nil {
		return nil, fmt.Errorf("method %s: %w", name, err)
	}
	return m, options.Check(m)
}

// Options are the options of a method with their defaults.
func Options(name string) []options.Option {
	if fresh, err := methods.Lookup(name); err == nil {
		return options.List(fresh())
	}
	return nil
}

// Note tells what is worth knowing.
func (s *Subject) Note(format string, args ...any) {
	if s.Tell != nil {
		s.Tell.Note(fmt.Sprintf(format, args...))
	}
}

// Stage begins a part of the work.
func (s *Subject) Stage(what string, total int) (set func(done int, detail string), end func()) {
	if s.Tell == nil {
		return func(int, string) {}, func() {}
	}
	return s.Tell.Stage(what, total)
}

// Kept reports whether one of the names, of a node and of its weights, is to stay as it is.
func (s *Subject) Kept(names ...string) (bool, error) {
	for _, g := range s.Keep {
		for _, n := range names {
			if n == "" {
				continue
			}
			ok, err := engine.Match(g, n)
			if err != nil {
				return false, Ask("--keep %q: %v", g, err)
			}
			if ok {
				return true, nil
			}
		}
	}
	return false, nil
}

// Examples goes over n examples of the data, all where it has fewer, in batches; which ones and their order come from Seed.
func (s *Subject) Examples(ctx context.Context, n int, got func(b *data.Batch) error) error {
	if s.Data == nil {
		return Ask("the method looks at examples: give --data")
	}
	order := data.Shuffled(s.Data.Len(), s.Seed).Order(0)
	order = order[:min(n, len(order))]
	o := data.BatchOptions{Preprocess: s.Pre, Masks: s.Task != nil && s.Task.Masks()}
	for b, err := range data.Batches(ctx, s.Data, data.SamplerFunc(func(int) []int { return order }), s.size(), o) {
		if err != nil {
			return err
		}
		if err := got(b); err != nil {
			return err
		}
	}
	return nil
}

// size is the number of examples in one run.
func (s *Subject) size() int { return cmp.Or(s.Batch, 32) }

// Run runs a session of s.Model on n examples of the data, as Examples has them. What a part holds is valid until got returns.
func (s *Subject) Run(ctx context.Context, what string, run *engine.Session, n int, got func(b *data.Batch, p feed.Part) error) error {
	n = min(n, s.Data.Len())
	set, end := s.Stage(what, n)
	defer end()
	done := 0
	return s.Examples(ctx, n, func(b *data.Batch) error {
		err := s.Feed.Run(ctx, run, b, feed.Rows{}, func(p feed.Part) error { return got(b, p) })
		done += b.Len()
		set(done, "")
		return err
	})
}
