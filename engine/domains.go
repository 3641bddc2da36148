package engine

// The domains beside ai.onnx; each adds its operators to ops.Standard. That of ai.onnx.preview.training is imported where Gradient is
// resolved.
import (
	_ "github.com/gtk-onnx/gtk/engine/ops/microsoft" // com.microsoft
	_ "github.com/gtk-onnx/gtk/engine/ops/ml"        // ai.onnx.ml
)
