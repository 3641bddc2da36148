package optim

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/gtk-onnx/gtk/internal/options"
	"github.com/gtk-onnx/gtk/internal/registry"
)

// Config holds the options of New: those that every rule takes, and those of the rule. A nil pointer, 0 and false leave the default.
type Config struct {
	WeightDecay    *float64 `opt:"weight-decay" range:"[0, ∞)" doc:"weight decay"`
	DecoupledDecay bool     `opt:"decoupled-decay" doc:"apply weight decay after the rule, not to the gradient"`

	// Of the gradient, in this order.
	ClipCoord *float64 `opt:"clip-coord" range:"(0, 1)" doc:"share of the coordinates of the gradient, the largest, that are clipped"`
	ClipValue *float64 `opt:"clip-value" range:"(0, ∞)" doc:"limit of each coordinate of the gradient"`
	AGC       *float64 `opt:"agc" range:"(0, ∞)" doc:"limit of the norm of the gradient of a unit, as a share of that of its weights"`
	ClipNorm  *float64 `opt:"clip-norm" range:"(0, ∞)" doc:"limit of the norm of all gradients together"`

	// Of how the gradient comes about.
	SAM         *float64 `opt:"sam" range:"(0, ∞)" doc:"take the gradient this far from the weights, where the loss is highest (SAM)"`
	SAMAdaptive bool     `opt:"sam-adaptive" doc:"sam by the size of each weight (ASAM)"`

	// Of the weights, after the step.
	Lookahead      int      `opt:"lookahead" range:"[0, ∞)" doc:"steps after which the weights go back half of the way; 0 is never"`
	LookaheadAlpha *float64 `opt:"lookahead-alpha" range:"(0, 1)" doc:"share of the way that lookahead keeps, 0.5 unless given"`
	EMA            *float64 `opt:"ema" range:"[0, 1)" doc:"measure and keep an average of the weights, of this memory from step to step"`

	// Options are the rule's own, by name: {"beta1": 0.95, "nesterov": true}. See Info.Options.
	Options Values
}

// beside names an option that puts a rule beside another one, "" for none.
func (c Config) beside() string {
	for _, o := range []struct {
		name  string
		given bool
	}{{"decoupled-decay", c.DecoupledDecay}, {"clip-coord", c.ClipCoord != nil}, {"clip-value", c.ClipValue != nil}, {"agc", c.AGC != nil},
		{"clip-norm", c.ClipNorm != nil}, {"sam", c.SAM != nil}, {"lookahead", c.Lookahead > 0}, {"ema", c.EMA != nil}} {
		if o.given {
			return o.name
		}
	}
	return ""
}

// Values are options of a rule by name: numbers, bools and words, or their text as a flag or a file has it.
type Values map[string]any

// Option is one option of New under the name that a flag or a file gives it.
type Option struct {
	Name, Doc string
	General   bool     // taken by every rule
	Bool      bool     // takes true or false
	Range     string   // of a number, as in mathematics; of the first taker
	Choices   []string // words that it takes; nil is any
	Takers    []Taker  // rules that take it, by name; nil where it is General
	usage     string   // Usage, where it was asked for all
}

// Taker is a rule that takes an option.
type Taker struct {
	Rule, Doc string
	Default   string
}

// Usage is what the option does, with the defaults of the rules that take it: "decay of the mean gradient (0.9; muon 0.95)".
func (o Option) Usage() string {
	if o.General {
		return o.Doc
	}
	if o.usage != "" {
		return o.usage
	}
	var docs []string
	by := map[string][]Taker{}
	for _, t := range o.Takers {
		if by[t.Doc] == nil {
			docs = append(docs, t.Doc)
		}
		by[t.Doc] = append(by[t.Doc], t)
	}
	slices.SortStableFunc(docs, func(a, b string) int { return len(by[b]) - len(by[a]) })
	for i, d := range docs {
		docs[i] = d + " (" + o.defaults(by[d], i == 0) + ")"
	}
	return strings.Join(docs, "; ")
}

// defaults lists the defaults of some takers, the one that most have first and without their names where there are many and usual is set.
func (o Option) defaults(ts []Taker, usual bool) string {
	var values []string
	by := map[string][]string{}
	for _, t := range ts {
		if by[t.Default] == nil {
			values = append(values, t.Default)
		}
		by[t.Default] = append(by[t.Default], t.Rule)
	}
	slices.SortStableFunc(values, func(a, b string) int { return len(by[b]) - len(by[a]) })
	for i, v := range values {
		switch names := strings.Join(by[v], ", "); {
		case o.Bool && v == "false":
			values[i] = names
		case o.Bool:
			values[i] = names + " " + v
		case i > 0 || len(by[v]) <= 3 || !usual:
			values[i] = names + " " + v
		}
	}
	return strings.Join(values, "; ")
}

func generalOptions() (os []Option) {
	for _, o := range options.List(new(Config)) {
		os = append(os, Option{Name: o.Name, Doc: o.Doc, General: true, Bool: o.Bool, Range: o.Range, Choices: o.Choices})
	}
	return os
}

// general reports whether every rule takes the option.
func general(name string) bool {
	return slices.ContainsFunc(generalOptions(), func(o Option) bool { return o.Name == name })
}

// Options lists the options of New: those of every rule, then those of the rules. An option that several rules take is listed once.
func Options() []Option { return slices.Clone(allOptions()) }

// allOptions is made once: every command that trains asks for it while the program starts.
var allOptions = sync.OnceValue(func() []Option {
	all := generalOptions()
	at := map[string]int{}
	for _, r := range Rules() {
		for _, o := range r.Options {
			if i, ok := at[o.Name]; ok {
				all[i].Takers = append(all[i].Takers, o.Takers...)
				continue
			}
			at[o.Name] = len(all)
			o.Takers = slices.Clone(o.Takers)
			all = append(all, o)
		}
	}
	for i := range all {
		all[i].usage = all[i].Usage()
	}
	return all
})

// Set gives the option its value as text, as a flag or a file has it: Set("beta1", "0.95"). It fails for a name that no rule takes and
// for a value that none takes under that name.
func (c *Config) Set(option, value string) error {
	if general(option) {
		if err := options.Set(c, option, value); err != nil {
			return fmt.Errorf("optim: %w", err)
		}
		return nil
	}
	var first error
	for _, r := range Rules() {
		if !r.Takes(option) {
			continue
		}
		err := options.Set(r.make(), option, value)
		if err == nil {
			if c.Options == nil {
				c.Options = Values{}
			}
			c.Options[option] = value
			return nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		var known []string
		for _, o := range Options() {
			known = append(known, o.Name)
		}
		slices.Sort(known)
		first = &registry.UnknownError{Kind: "option", Name: option, Known: known}
	}
	return fmt.Errorf("optim: %w", first)
}
