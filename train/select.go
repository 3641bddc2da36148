package train

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/registry"
)

// Select lists the names of the parameters to train: all weights, less those that a glob of freeze matches, or only those of the last layer.
// A pattern is matched against the whole parameter name, and against each of its prefixes that end before a dot or slash, so
// that "layer1" freezes "layer1.0.conv.weight". A pattern that matches nothing is an error.
func Select(m *engine.Model, freeze []string, lastLayer bool) ([]string, error) {
	var all, names []string
	for p := range m.Params() {
		if p.Trainable {
			all = append(all, p.Name)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("train: the model has no trainable parameter")
	}
	names = slices.Clone(all)
	for _, pattern := range freeze {
		hit := false
		for _, n := range all {
			ok, err := matches(pattern, n)
			if err != nil {
				return nil, fmt.Errorf("train: --freeze %q: %w", pattern, err)
			}
			if ok {
				hit = true
				names = slices.DeleteFunc(names, func(x string) bool { return x == n })
			}
		}
		if !hit {
			msg := ""
			if near := registry.Suggest(pattern, all); len(near) > 0 {
				msg = fmt.Sprintf(" (did you mean %q?)", near[0])
			}
			return nil, fmt.Errorf("train: --freeze %q matches no parameter%s", pattern, msg)
		}
	}
	if lastLayer {
		last, err := FindHead(m.File(), "")
		if err != nil {
			return nil, err
		}
		names = slices.DeleteFunc(names, func(x string) bool { return !slices.Contains(last.Params, x) })
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("train: every parameter is frozen")
	}
	return names, nil
}

func matches(pattern, name string) (bool, error) {
	if ok, err := path.Match(pattern, name); ok || err != nil {
		return ok, err
	}
	// path.Match does not let * cross a slash; parameter names use both dots and slashes as separators.
	flat := func(s string) string { return strings.ReplaceAll(s, "/", ".") }
	if ok, err := path.Match(flat(pattern), flat(name)); ok || err != nil {
		return ok, err
	}
	for i, c := range name {
		if c == '.' || c == '/' {
			if ok, _ := path.Match(flat(pattern), flat(name[:i])); ok {
				return true, nil
			}
		}
	}
	return false, nil
}
