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
		i.Options = append(i.Options, Option{Name: o.Name, Doc: o.Doc, Bool: o.Bool, Takers: []Taker{{i.Name, o.Doc, o.Default}},
			Range: o.Range, Choices: o.Choices})
	}
	i.Symbolic = i.Evaluates == "" && symbolic(i.make())
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
	Schedule          string   // the schedule that it wants, if not any
	Decay             float64  // weight decay unless Config says otherwise
	Decoupled         bool     // weight decay is always decoupled
	Symbolic          bool     // it can be part of a training step in ONNX; see the interface of that name
	Evaluates         string   // what it asks for itself, see Evaluation; "" for a rule that is handed a gradient
	FullBatch         bool     // it is for one batch of all examples, the same in each step
	OwnLength         bool     // it finds the length of its steps: there is no learning rate

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
	if c.LookaheadAlpha != nil && c.Lookahead == 0 {
		return fail(errors.New("lookahead-alpha goes with lookahead"))
	}
	if c.ClipCoord != nil && c.ClipValue != nil {
		return fail(errors.New("clip-coord and clip-value both clip coordinates: leave one out"))
	}
	if r, ok := rule.(checker); ok {
		if err := r.check(); err != nil {
			return fail(err)
		}
	}
	if _, alone := rule.(Descender); alone {
		if o := c.beside(); o != "" {
			return fail(fmt.Errorf("takes no %s: it asks for the loss itself, and no rule stands beside it but coupled weight decay", o))
		}
	}
	if c.SAMAdaptive && c.SAM == nil {
		return fail(errors.New("sam-adaptive goes with sam"))
	}
	if c.SAM != nil && info.Evaluates != "" {
		return fail(errors.New("takes no sam: both evaluate the loss themselves"))
	}
	chain := info.chain(rule, c)
	if c.Lookahead > 0 && slices.ContainsFunc(chain, func(r Rule) bool { _, ok := r.(*scheduleFree); return ok }) {
		return fail(errors.New("takes no lookahead: it computes the weights from its own average in each step, and a change of them is " +
			"lost"))
	}
	o, err := Chain(chain...)
	if err != nil {
		return nil, fmt.Errorf("optim: %s: %s", name, strings.TrimPrefix(err.Error(), "optim: "))
	}
	switch r := rule.(type) {
	case Descender:
		o.evaluate, o.decay = r, or(c.WeightDecay, info.Decay)
	case *mezo:
		o.evaluate = r.estimate()
	}
	if c.SAM != nil {
		o.evaluate = &SAM{Rho: *c.SAM, Adaptive: c.SAMAdaptive}
	}
	return o, nil
}

// composed is a rule that consists of others; decay are those of decoupled weight decay, which are among them.
type composed interface {
	Rule
	parts(decay []Rule) []Rule
}

// chain is the rule among those of the general options.
func (i Info) chain(rule Rule, c Config) (chain []Rule) {
	if d, ok := rule.(Descender); ok {
		return []Rule{d}
	}
	if c.ClipNorm == nil || c.ClipCoord != nil || c.ClipValue != nil || c.AGC != nil {
		chain = append(chain, Finite())
	}
	if c.ClipCoord != nil {
		chain = append(chain, ClipCoord(*c.ClipCoord))
	}
	if c.ClipValue != nil {
		chain = append(chain, ClipValue(*c.ClipValue))
	}
	if c.AGC != nil {
		chain = append(chain, AGC(*c.AGC))
	}
	if c.ClipNorm != nil {
		chain = append(chain, ClipNorm(*c.ClipNorm))
	}
	wd := or(c.WeightDecay, i.Decay)
	var after []Rule
	switch {
	case wd == 0:
	case c.DecoupledDecay || i.Decoupled:
		after = []Rule{WeightDecay(wd)}
	default:
		chain = append(chain, WeightDecay(wd))
	}
	if r, ok := rule.(composed); ok {
		chain = append(chain, r.parts(after)...)
	} else {
		chain = append(append(chain, rule), after...)
	}
	if c.Lookahead > 0 {
		chain = append(chain, Lookahead(c.Lookahead, or(c.LookaheadAlpha, 0.5)))
	}
	if c.EMA != nil {
		chain = append(chain, EMA(*c.EMA))
	}
	return chain
}

// or is *p, or d for nil.
func or(p *float64, d float64) float64 {
	if p == nil {
		return d
	}
	return *p
}

// symbolic reports whether all that the rule consists of can be written down.
func symbolic(r Rule) bool {
	all := []Rule{r}
	if c, ok := r.(composed); ok {
		all = c.parts(nil)
	}
	return !slices.ContainsFunc(all, func(r Rule) bool { _, ok := r.(Symbolic); return !ok })
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
