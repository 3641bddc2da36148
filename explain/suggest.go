package explain

import (
	"fmt"

	"github.com/gtk-onnx/gtk/internal/registry"
)

// didYouMean is ` (did you mean "x"?)` for the name nearest to name, or nothing.
func didYouMean(name string, known []string) string {
	if near := registry.Suggest(name, known); len(near) > 0 {
		return fmt.Sprintf(" (did you mean %q?)", near[0])
	}
	return ""
}
