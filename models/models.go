// Package models builds networks as ONNX models, with random weights, and holds a few small ones that gtk trained itself.
//
// A builder is one file. Weights are drawn as PyTorch draws them for the same layers, or as the paper says (but not the same numbers), from
// a seed.
// The batch is symbolic ("N"); names of parameters follow PyTorch's ("conv1.weight").
package models

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/onnx"
)

// Options are the sizes that builders take; 0 means the builder's default. An option that a builder has no use for is an error.
type Options struct {
	Classes    int    // outputs
	Channels   int    // of the input image
	Features   int    // of the input, where that is a row of a table or of a series
	ImageSize  int    // height and width of the input image
	Hidden     int    // width of hidden layers
	Layers     int    // number of layers
	Width      int    // of what goes from block to block
	Heads      int    // of an attention
	Context    int    // tokens that a language model sees at most
	Vocabulary int    // different tokens
	Seed       uint64 // of the weights
}

// sizes are the options that a builder may have no use for, by their names.
func (o Options) sizes() map[string]int {
	return map[string]int{"classes": o.Classes, "channels": o.Channels, "features": o.Features, "image-size": o.ImageSize, "hidden": o.Hidden,
		"layers": o.Layers, "width": o.Width, "heads": o.Heads, "context": o.Context, "vocabulary": o.Vocabulary}
}

// Builder makes a model.
type Builder struct {
	Takes []string // names of the options it takes, as in Options.sizes
	Build func(o Options) (*onnx.Model, error)
}

var builders = registry.Table[Builder]{Kind: "model"}

// Builders is the table of builders.
func Builders() *registry.Table[Builder] { return &builders }

// New builds the model called name.
func New(name string, o Options) (*onnx.Model, error) {
	b, err := builders.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	sizes := o.sizes()
	for _, n := range slices.Sorted(maps.Keys(sizes)) {
		v := sizes[n]
		switch {
		case v == 0:
		case len(b.Takes) == 0:
			return nil, fmt.Errorf("models: %s takes no option %s, nor any other", name, n)
		case !slices.Contains(b.Takes, n):
			return nil, fmt.Errorf("models: %s takes no option %s, but %s", name, n, strings.Join(b.Takes, ", "))
		case v < 0 || v > 1<<20 || v > 1<<16 && n != "vocabulary":
			return nil, fmt.Errorf("models: %s: option %s is %d, want 1 to 65536, vocabulary 1048576", name, n, v)
		}
	}
	return b.Build(o)
}

// or is v, or def when v is 0.
func or(v, def int) int {
	if v == 0 {
		return def
	}
	return v
}
