package engine

import _ "github.com/gtk-onnx/gtk/engine/ops/microsoft" // com.microsoft
