package options

import (
	"fmt"

	"github.com/gtk-onnx/gtk/internal/registry"
)

// Make makes what spec, NAME:KEY=VALUE:…, says of a table of makers, each of which gives a pointer to a struct of options; also has other
// names of some.
func Make[T any](table *registry.Table[func() T], spec string, also map[string]string) (name string, made T, err error) {
	var none T
	name, pairs, err := Split(spec)
	if err != nil {
		return "", none, fmt.Errorf("%s %w", table.Kind, err)
	}
	if n, ok := also[name]; ok {
		name = n
	}
	maker, err := table.Lookup(name)
	if err != nil {
		return "", none, err
	}
	made = maker()
	if err := Apply(made, pairs); err != nil {
		return "", none, fmt.Errorf("%s %s: %w", table.Kind, name, err)
	}
	return name, made, nil
}
