package cli

import (
	"errors"
	"os"
	"sync"

	"github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/internal/whole"
)

// watching starts the watch over the memory once, however many commands the tests run in one process.
var watching sync.Once

// limitMemory sets the memory of the process to size, by default a share of what is free, and has the process end with a message before
// the system ends it.
func (e *env) limitMemory(size string) error {
	if size != "" {
		n, err := units.ParseSize(size)
		if err != nil {
			return usagef("--max-memory %s: %v", units.Quote(size), err)
		}
		if n < 32<<20 {
			return usagef("--max-memory %s: gtk itself needs 32 MiB", units.Quote(size))
		}
		memory.SetBudget(n)
	}
	watching.Do(func() {
		go memory.Settle() // what is free takes a while to find out
		memory.Watch(func(err error) {
			code := e.fail(err)
			whole.Abandon()
			os.Exit(code)
		})
	})
	return nil
}

// memoryReport is what an error of memory says in JSON.
type memoryReport struct {
	What   string `json:"what"`
	Needed int64  `json:"needed_bytes"`
	Left   int64  `json:"left_bytes"`
}

// memoryOf is the refusal of memory in err, nil when it is another error.
func memoryOf(err error) *memoryReport {
	if short, ok := errors.AsType[*memory.Error](err); ok {
		return &memoryReport{short.What, short.Need, short.Left}
	}
	return nil
}
