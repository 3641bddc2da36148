package optim

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/gtk-onnx/gtk/internal/registry"
)

// Config holds the options of New. A nil pointer, false and "" leave the rule's default.
type Config struct {
	WeightDecay    *float64 // ≥ 0; added to the gradient, or decoupled (see DecoupledDecay)
	DecoupledDecay bool     // weight decay after the rule instead of before it; always so for adamw
	ClipNorm       *float64 // > 0; limit of the norm of all gradients together; nil does not clip

	Momentum  *float64 // sgd: in [0, 1)
	Dampening *float64 // sgd: in [0, 1]
	Nesterov  bool     // sgd

	Beta1 *float64 // adam, adamw, diffgrad: in [0, 1)
	Beta2 *float64 // adam, adamw, diffgrad: in [0, 1)
	Eps   *float64 // adam, adamw, diffgrad: ≥ 0

	DiffGradDFC string // diffgrad: the friction coefficient, abs, signed or wide
}

// Option is one option of New under the name that a flag or a file gives it.
type Option struct {
	Name, Doc string
	General   bool // taken by every rule
	Bool      bool // takes true or false

	isSet func(*Config) bool
	parse func(*Config, string) error
	check func(*Config) error // of an option that is set
}

// number is the option of a real number in (lo, hi) or [lo, hi), written as in mathematics.
func number(name, doc, span string, lo, hi float64, field func(*Config) **float64) Option {
	return Option{
		Name: name, Doc: doc,
		isSet: func(c *Config) bool { return *field(c) != nil },
		parse: func(c *Config, s string) error {
			v, err := strconv.ParseFloat(s, 64)
			if err != nil {
				return fmt.Errorf("%s %q: not a number", name, s)
			}
			*field(c) = &v
			return nil
		},
		check: func(c *Config) error {
			v := **field(c)
			ok := v >= lo && v <= hi && (v != lo || span[0] == '[') && (v != hi || span[len(span)-1] == ']')
			if !ok {
				return fmt.Errorf("%s %v: must be in %s", name, v, span)
			}
			return nil
		},
	}
}

// flag is the option of a bool.
func flag(name, doc string, field func(*Config) *bool) Option {
	return Option{
		Name: name, Doc: doc, Bool: true,
		isSet: func(c *Config) bool { return *field(c) },
		parse: func(c *Config, s string) error {
			v, err := strconv.ParseBool(s)
			if err != nil {
				return fmt.Errorf("%s %q: not true or false", name, s)
			}
			*field(c) = v
			return nil
		},
		check: func(*Config) error { return nil },
	}
}

func general(o Option) Option { o.General = true; return o }

var options = []Option{
	general(number("weight-decay", "weight decay", "[0, ∞)", 0, math.Inf(1), func(c *Config) **float64 { return &c.WeightDecay })),
	general(flag("decoupled-decay", "apply weight decay after the rule, not to the gradient", func(c *Config) *bool {
		return &c.DecoupledDecay
	})),
	general(number("clip-norm", "limit of the norm of all gradients together", "(0, ∞)", 0, math.Inf(1), func(c *Config) **float64 {
		return &c.ClipNorm
	})),
	number("momentum", "momentum", "[0, 1)", 0, 1, func(c *Config) **float64 { return &c.Momentum }),
	number("dampening", "dampening of the momentum", "[0, 1]", 0, 1, func(c *Config) **float64 { return &c.Dampening }),
	flag("nesterov", "Nesterov's momentum", func(c *Config) *bool { return &c.Nesterov }),
	number("beta1", "decay of the mean gradient", "[0, 1)", 0, 1, func(c *Config) **float64 { return &c.Beta1 }),
	number("beta2", "decay of the mean squared gradient", "[0, 1)", 0, 1, func(c *Config) **float64 { return &c.Beta2 }),
	number("eps", "added to the denominator", "[0, ∞)", 0, math.Inf(1), func(c *Config) **float64 { return &c.Eps }),
	{
		Name: "diffgrad-dfc", Doc: "friction coefficient of diffgrad: abs, signed or wide",
		isSet: func(c *Config) bool { return c.DiffGradDFC != "" },
		parse: func(c *Config, s string) error { c.DiffGradDFC = s; return nil },
		check: func(*Config) error { return nil },
	},
}

// Options lists the options of New, those of every rule first.
func Options() []Option { return slices.Clone(options) }

// Set gives the option its value as text, as a flag or a file has it: Set("beta1", "0.95").
func (c *Config) Set(option, value string) error {
	for _, o := range options {
		if o.Name == option {
			if err := o.parse(c, value); err != nil {
				return fmt.Errorf("optim: %w", err)
			}
			return nil
		}
	}
	var known []string
	for _, o := range options {
		known = append(known, o.Name)
	}
	slices.Sort(known)
	return fmt.Errorf("optim: %w", &registry.UnknownError{Kind: "option", Name: option, Known: known})
}

// or is *p, or d for nil.
func or(p *float64, d float64) float64 {
	if p == nil {
		return d
	}
	return *p
}
