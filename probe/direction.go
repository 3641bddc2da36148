// Package probe measures the loss of a model around its weights: how it curves and falls along the steps that optimisers would take next
// (directional sharpness), and its largest curvature in any direction.
//
// A Landscape is the loss on fixed examples as a function of the trained parameters, with its gradient and products with its Hessian.
// Shadows keep what optimisers remember of a common trajectory; a rule of the table is one file.
//
//	l, err := probe.New(m, probe.Config{Params: names, Task: t, Feed: plan, Batches: batches})
//	s, err := probe.Follow(l.Space, "sgd", "adam", "clip:0.1")
//	… train, and show s each gradient …
//	point, err := l.Measure(ctx, s, probe.Options{})
//
// Source: Pan and Li 2023, "Toward Understanding Why Adam Converges Faster Than SGD for Transformers", https://arxiv.org/abs/2306.00204.
package probe

import (
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/internal/options"
	"github.com/gtk-onnx/gtk/internal/registry"
)

// Rule makes the direction of an optimiser. Its tagged fields are its options.
type Rule interface {
	// Start is the direction of an optimiser that has seen no gradient yet. Options out of range are an error.
	Start(s *Space) (Direction, error)
}

// Direction is what an optimiser remembers, and the step that follows from it, to the length of the learning rate.
type Direction interface {
	// See takes in the gradient of a step that was taken.
	See(g []float64)
	// Next writes to v the step that would follow if g were the next gradient. It changes nothing that is remembered.
	Next(g, v []float64)
}

// noter is a Direction that has something to say of what it did.
type noter interface{ note() string }

// positional is a Rule whose first option may be written without its name, as in clip:0.1.
type positional interface{ first() string }

var rules = registry.Table[func() Rule]{Kind: "direction"}

// Rules is the table of directions; each entry makes one with its default options.
func Rules() *registry.Table[func() Rule] { return &rules }

// parse makes the rule NAME:KEY=VALUE:….
func parse(spec string) (Rule, error) {
	name, rest, _ := strings.Cut(spec, ":")
	fresh, err := rules.Lookup(name)
	if err != nil {
		return nil, err
	}
	r := fresh()
	if p, ok := r.(positional); ok && rest != "" {
		if head, _, _ := strings.Cut(rest, ":"); !strings.Contains(head, "=") {
			spec = name + ":" + p.first() + "=" + rest
		}
	}
	_, pairs, err := options.Split(spec)
	if err != nil {
		return nil, err
	}
	if err := options.Apply(r, pairs); err != nil {
		return nil, fmt.Errorf("direction %s: %w", name, err)
	}
	return r, nil
}

// fraction checks the share of the coordinates that are clipped.
func fraction(x float64) error {
	if x > 0 && x < 1 {
		return nil
	}
	why := ""
	if x >= 1 {
		why = ": all coordinates clipped leave a gradient of zero"
	}
	return fmt.Errorf("fraction %g: want a share above 0 and below 1, as in clip:0.1%s", x, why)
}

// decay checks the decay of a running mean.
func decay(name string, x float64) error {
	if x >= 0 && x < 1 {
		return nil
	}
	return fmt.Errorf("%s %g: want a number from 0 and below 1", name, x)
}
