// Package models builds networks as ONNX models, with random weights, and holds a few small ones that gtk trained itself.
//
// A builder is one file. Weights are drawn as PyTorch draws them for the same layers (but not the same numbers), from a seed.
// The batch is symbolic ("N"); names of parameters follow PyTorch's ("conv1.weight").
package models

import (
	"fmt"

	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/onnx"
)

// Options are the sizes that builders take; 0 means the builder's default. An option that a builder has no use for is an error.
type Options struct {
	Classes   int    // outputs
	Channels  int    // of the input image
	Features  int    // of the input, where that is a row of a table or of a series
	ImageSize int    // height and width of the input image
	Hidden    int    // width of hidden layers
	Layers    int    // number of layers
	Seed      uint64 // of the weights
}

// Builder makes a model.
type Builder struct {
	Takes []string // names of the options it takes, of classes, channels, features, image-size, hidden, layers
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
	given := map[string]int{"classes": o.Classes, "channels": o.Channels, "features": o.Features, "image-size": o.ImageSize,
		"hidden": o.Hidden, "layers": o.Layers}
	for _, t := range b.Takes {
		delete(given, t)
	}
	for n, v := range given {
		if v != 0 {
			return nil, fmt.Errorf("models: %s takes no option %s", name, n)
		}
	}
	for n, v := range map[string]int{"classes": o.Classes, "channels": o.Channels, "features": o.Features, "image-size": o.ImageSize,
		"hidden": o.Hidden, "layers": o.Layers} {
		if v < 0 || v > 1<<16 {
			return nil, fmt.Errorf("models: %s: option %s is %d, want 1 to 65536", name, n, v)
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
