package graph

import (
	"fmt"

	"github.com/gtk-onnx/gtk/internal/memory"
)

// MemoryError is the refusal of a run that needs more memory than a model and inputs of its size may have. That of a run for which the
// process has no memory is a *memory.Error.
type MemoryError struct {
	What  string // what needs it
	Need  int    // bytes
	Limit int    // bytes
}

// Error says what to do as well.
func (e *MemoryError) Error() string {
	return fmt.Sprintf("%s needs %s of memory, the limit for a model and inputs of this size is %s: check the model, use a smaller "+
		"batch or smaller inputs, or raise the limit with --max-memory", e.What, memory.Size(int64(e.Need)), memory.Size(int64(e.Limit)))
}
