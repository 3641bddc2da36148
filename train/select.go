package train

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/registry"
)

// Select lists the names of the parameters to train: all weights, less those that a glob of freeze matches, or only those of the last
// layer; and those that a glob of trainable matches in any case, which are to be given to engine.WithTrainable too when the model is
// loaded. Globs are matched by engine.Match, so that "layer1" freezes "layer1.0.conv.weight". One that matches nothing is an error.
func Select(m *engine.Model, freeze []string, lastLayer bool, trainable ...string) ([]string, error) {
	var all, fixed []string
	for p := range m.Params() {
		if !p.Trainable {
			fixed = append(fixed, p.Name)
		} else {
			all = append(all, p.Name)
		}
	}
	if len(all) == 0 {
		msg := ""
		if rest := m.Weights().NotTrained; len(rest) > 0 {
			u := slices.MaxFunc(rest, func(a, b engine.Untrained) int { return a.Shape.Len() - b.Shape.Len() })
			msg = fmt.Sprintf("; the largest that is not trained (of %d) is %q: %s", len(rest), u.Name, u.Why)
			if !u.DType.IsFloat() {
				msg += ". --lora RANK trains real numbers beside quantised weights; --optimizer mezo with --trainable GLOB trains their scales"
			}
		}
		return nil, fmt.Errorf("train: the model has no trainable parameter%s", msg)
	}
	names := slices.Clone(all)
	for _, pattern := range freeze {
		hits, err := matching("freeze", pattern, slices.Concat(all, fixed))
		if err != nil {
			return nil, err
		}
		names = slices.DeleteFunc(names, in(hits))
	}
	if lastLayer {
		last, err := FindHead(m.File(), "")
		if err != nil {
			return nil, err
		}
		of := in(last.Params)
		names = slices.DeleteFunc(names, func(x string) bool { return !of(x) })
	}
	for _, pattern := range trainable {
		hits, err := matching("trainable", pattern, all)
		if err != nil {
			return nil, err
		}
		names = append(names, hits...)
	}
	chosen := in(names)
	names = slices.DeleteFunc(all, func(x string) bool { return !chosen(x) })
	if len(names) == 0 {
		return nil, fmt.Errorf("train: every parameter is frozen")
	}
	return names, nil
}

// in tells which names are in list.
func in(list []string) func(string) bool {
	set := make(map[string]bool, len(list))
	for _, x := range list {
		set[x] = true
	}
	return func(x string) bool { return set[x] }
}

// matching is the names that the glob of a flag matches; none is an error.
func matching(flag, pattern string, names []string) ([]string, error) {
	var hits []string
	for _, n := range names {
		ok, err := engine.Match(pattern, n)
		if err != nil {
			return nil, fmt.Errorf("train: --%s %q: %w", flag, pattern, err)
		}
		if ok {
			hits = append(hits, n)
		}
	}
	if hits == nil {
		msg := ""
		if near := registry.Suggest(pattern, names); len(near) > 0 {
			msg = fmt.Sprintf(" (did you mean %q?)", near[0])
		}
		return nil, fmt.Errorf("train: --%s %q matches no parameter%s", flag, pattern, msg)
	}
	return hits, nil
}
