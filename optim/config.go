package optim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/options"
	"github.com/gtk-onnx/gtk/internal/registry"
)

// Config holds the options of New: those that every rule takes, and those of the rule. A nil pointer and false leave the default.
type Config struct {
	WeightDecay    *float64 `opt:"weight-decay" range:"[0, ∞)" doc:"weight decay"`
	DecoupledDecay bool     `opt:"decoupled-decay" doc:"apply weight decay after the rule, not to the gradient"`
	ClipNorm       *float64 `opt:"clip-norm" range:"(0, ∞)" doc:"limit of the norm of all gradients together"`

	// Options are the rule's own, by name: {"beta1": 0.95, "nesterov": true}. See Info.Options.
	Options Values
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
}

// Taker is a rule that takes an option.
type Taker struct {
	Rule    string
	Default string
}

// Usage is Doc with the defaults of the rules that take the option: "decay of the mean gradient (0.9; muon 0.95)".
func (o Option) Usage() string {
	var values []string // by the number of rules that have it
	by := map[string][]string{}
	for _, t := range o.Takers {
		if by[t.Default] == nil {
			values = append(values, t.Default)
		}
		by[t.Default] = append(by[t.Default], t.Rule)
	}
	slices.SortStableFunc(values, func(a, b string) int { return len(by[b]) - len(by[a]) })
	var parts []string
	for i, v := range values {
		rules := strings.Join(by[v], ", ")
		switch {
		case i == 0 && len(by[v]) > 3:
			rules = "" // the usual value
		case o.Bool:
			v = ""
		}
		if s := strings.TrimSpace(rules + " " + v); s != "" {
			parts = append(parts, s)
		}
	}
	if len(parts) == 0 {
		return o.Doc
	}
	return o.Doc + " (" + strings.Join(parts, "; ") + ")"
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
func Options() []Option {
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
	return all
}

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
