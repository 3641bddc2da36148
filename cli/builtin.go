package cli

import (
	"strings"

	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
)

// builtinPrefix marks the name of a model that is part of the program, where the path of a model is expected.
const builtinPrefix = "builtin:"

// builtinModel is the model that builtin:NAME names: one that gtk trained, or else a fresh one of that builder.
func builtinModel(name string) (*onnx.Model, error) {
	name = strings.TrimPrefix(name, builtinPrefix)
	if _, err := models.Builders().Entry(name + "-trained"); err == nil {
		name += "-trained"
	}
	m, err := models.New(name, models.Options{})
	if err != nil {
		return nil, usagef("%v", err)
	}
	return m, nil
}
