package optim

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/options"
	"github.com/gtk-onnx/gtk/internal/registry"
)

var rules = registry.Table[Info]{Kind: "optimizer"}

func register(i Info) {
	for _, o := range options.List(i.make()) {
		i.Options = append(i.Options, Option{Name: o.Name, Doc: o.Doc, Bool: o.Bool, Takers: []Taker{{i.Name, o.Default}},
			Range: o.Range, Choices: o.Choices})
	}
	rules.Register(i.Name, i, i.Doc, i.Source)
}

// Rules yields all registered rules, by name.
func Rules() iter.Seq2[string, Info] { return rules.All() }

// Lookup is the registered rule of that name; for another name the error says what was probably meant.
func Lookup(name string) (Info, error) {
	i, err := rules.Lookup(name)
	if err != nil {
		return i, fmt.Errorf("optim: %w", err)
	}
	return i, nil
}

// Info describes a rule that New makes by name.
type Info struct {
	Name, Doc, Source string
	Options           []Option // options of its own, besides those that are General
	LR                float64  // a usual learning rate
	Decay             float64  // weight decay unless Config says otherwise
	Decoupled         bool     // weight decay is always decoupled

	// make is the rule with its default options: a pointer to a struct whose fields with tags are the options. See package options.
	make func() Rule
}

// checker is a rule with options that go together only in part.
type checker interface{ check() error }

// Takes reports whether the rule has an option of that name of its own.
func (i Info) Takes(option string) bool {
	return slices.ContainsFunc(i.Options, func(o Option) bool { return o.Name == option })
}

// New is the optimiser of the named rule. It fails for a name that is not registered, for an option that
// the rule does not take and for a value out of range.
func New(name string, c Config) (*Optimizer, error) {
	info, err := Lookup(name)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*Optimizer, error) { return nil, fmt.Errorf("optim: %s: %w", name, err) }
	rule := info.make()
	for _, o := range slices.Sorted(maps.Keys(c.Options)) {
		if !info.Takes(o) {
			if general(o) {
				return fail(fmt.Errorf("%s is a field of Config, not an option of a rule", o))
			}
			return nil, fmt.Errorf("optim: %s takes no %s; it takes %s", name, o, strings.Join(info.takes(), ", "))
		}
		if err := options.Set(rule, o, fmt.Sprint(c.Options[o])); err != nil {
			return fail(err)
		}
	}
	if err := options.Check(&c); err != nil {
		return fail(err)
	}
	if r, ok := rule.(checker); ok {
		if err := r.check(); err != nil {
			return fail(err)
		}
	}
	var chain []Rule
	if c.ClipNorm != nil {
		chain = append(chain, ClipNorm(*c.ClipNorm))
	} else {
		chain = append(chain, Finite())
	}
	wd, decoupled := info.Decay, c.DecoupledDecay || info.Decoupled
	if c.WeightDecay != nil {
		wd = *c.WeightDecay
	}
	if wd != 0 && !decoupled {
		chain = append(chain, WeightDecay(wd))
	}
	chain = append(chain, rule)
	if wd != 0 && decoupled {
		chain = append(chain, WeightDecay(wd))
	}
	o, err := Chain(chain...)
	if err != nil {
		return fail(errors.Unwrap(err))
	}
	return o, nil
}

// takes lists all options of the rule.
func (i Info) takes() []string {
	var names []string
	for _, o := range generalOptions() {
		names = append(names, o.Name)
	}
	for _, o := range i.Options {
		names = append(names, o.Name)
	}
	return names
}
