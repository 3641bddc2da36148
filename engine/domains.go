package engine

import (
	_ "github.com/gtk-onnx/gtk/engine/ops/ml" // adds its operators to ops.Standard
)
