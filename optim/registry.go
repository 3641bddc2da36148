package optim

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/registry"
)

var rules = registry.Table[Info]{Kind: "optimizer"}

func register(i Info) { rules.Register(i.Name, i, i.Doc, i.Source) }

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
	Options           []string // options of its own, besides those that are General
	LR                float64  // a usual learning rate
	Decay             float64  // weight decay unless Config says otherwise
	Decoupled         bool     // weight decay is always decoupled

	build func(Config) (Rule, error)
}

// New is the optimiser of the named rule. It fails for a name that is not registered, for an option that
// the rule does not take and for a value out of range.
func New(name string, c Config) (*Optimizer, error) {
	info, err := Lookup(name)
	if err != nil {
		return nil, err
	}
	for _, o := range options {
		if !o.isSet(&c) {
			continue
		}
		if !o.General && !slices.Contains(info.Options, o.Name) {
			return nil, fmt.Errorf("optim: %s takes no %s; it takes %s", name, o.Name, strings.Join(info.takes(), ", "))
		}
		if err := o.check(&c); err != nil {
			return nil, fmt.Errorf("optim: %s: %w", name, err)
		}
	}
	rule, err := info.build(c)
	if err != nil {
		return nil, fmt.Errorf("optim: %s: %w", name, err)
	}
	var chain []Rule
	if c.ClipNorm != nil {
		chain = append(chain, ClipNorm(*c.ClipNorm))
	} else {
		chain = append(chain, Finite())
	}
	wd, decoupled := or(c.WeightDecay, info.Decay), c.DecoupledDecay || info.Decoupled
	if wd != 0 && !decoupled {
		chain = append(chain, WeightDecay(wd))
	}
	chain = append(chain, rule)
	if wd != 0 && decoupled {
		chain = append(chain, WeightDecay(wd))
	}
	return Chain(chain...)
}

// takes lists all options of the rule.
func (i Info) takes() []string {
	var names []string
	for _, o := range options {
		if o.General || slices.Contains(i.Options, o.Name) {
			names = append(names, o.Name)
		}
	}
	return names
}
