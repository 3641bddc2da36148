package ops

import "github.com/gtk-onnx/gtk/internal/kernel"

// SetExact is kernel.SetExact: convolutions as their sums say, or by the fastest way.
func SetExact(on bool) { kernel.SetExact(on) }
