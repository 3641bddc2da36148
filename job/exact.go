package job

import "github.com/gtk-onnx/gtk/engine"

// SetExact is engine.SetExact, for all commands of the process.
func SetExact(on bool) { engine.SetExact(on) }
