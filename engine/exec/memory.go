package exec

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// The limits of the memory that a run may plan. A file of a few bytes can ask for any amount, so a run gets memory in proportion to what
// it was given: MaxGrowth bytes for each byte of weights and inputs, but at least MinRunBytes, at most MaxValueBytes, and not more than
// the machine has free.
var (
	MaxValueBytes = 16 << 30
	MinRunBytes   = 24 << 20
	MaxGrowth     = 4096
)

// foldBytes is how much one plan computes ahead in all.
const foldBytes = 16 << 20

// limit is the memory that a run of p on inputs of the given shapes may plan.
func (p *Program) limit(shapes []tensor.Shape) int {
	given := p.g.Given
	if given == 0 {
		given = p.g.DataBytes()
	}
	for i, s := range shapes {
		given += storage(p.g.Info(p.g.Inputs[i]).DType, s)
	}
	if given >= MaxValueBytes/MaxGrowth {
		return MaxValueBytes
	}
	return min(MaxValueBytes, max(MinRunBytes, given*MaxGrowth))
}

// storage is the bytes that a tensor takes, the headers of strings included.
func storage(d tensor.DType, s tensor.Shape) int { return graph.StorageBytes(d, s.Len()) }

// MemoryError is the refusal of a run that needs more memory than it may have.
type MemoryError struct {
	What  string // what needs it
	Need  int    // bytes
	Limit int    // bytes
	Free  bool   // the limit is what the machine has
}

// Error says what to do as well.
func (e *MemoryError) Error() string {
	if e.Free {
		return fmt.Sprintf("%s needs %s of memory, and %s are free: use a smaller batch or smaller inputs", e.What, mib(e.Need),
			mib(e.Limit))
	}
	return fmt.Sprintf("%s needs %s of memory, the limit for a model and inputs of this size is %s: check the model, or use a smaller "+
		"batch or smaller inputs", e.What, mib(e.Need), mib(e.Limit))
}

func mib(n int) string {
	if n < 10<<20 {
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// checkSize refuses a value of shape s that no run may have.
func checkSize(s tensor.Shape, d tensor.DType, limit int) error {
	if _, err := s.CheckedLen(d); err != nil {
		return err
	}
	// An extent of zero does not make the others harmless: they are loops and tables too.
	n := 1
	for _, e := range s {
		n *= max(1, e)
	}
	if b := graph.StorageBytes(d, n); b > limit {
		return &MemoryError{What: fmt.Sprintf("output of shape %v", s), Need: b, Limit: limit}
	}
	return nil
}

// fits refuses an arena that is larger than the limit or, where the system tells, than the free memory.
func (pl *plan) fits(limit int) error {
	if pl.size > limit {
		return fmt.Errorf("exec: %w", &MemoryError{What: pl.largest(), Need: pl.size, Limit: limit})
	}
	if pl.size < 1<<30 {
		return nil
	}
	if free := freeMemory(); free > 0 && pl.size > free {
		return fmt.Errorf("exec: %w", &MemoryError{What: pl.largest(), Need: pl.size, Limit: free, Free: true})
	}
	return nil
}

// largest names the node with the largest output: the first suspect.
func (pl *plan) largest() string {
	bytes, at := -1, graph.Value(0)
	for i := range pl.slots {
		if s := &pl.slots[i]; s.value != 0 && s.bytes > bytes {
			bytes, at = s.bytes, s.value
		}
	}
	if at == 0 {
		return "the run"
	}
	return fmt.Sprintf("the run, with %s for %v of %s,", mib(bytes), pl.shape[at], pl.g.Info(at).Def.Label())
}

// freeMemory is the memory that can be had without swapping, in bytes; 0 where the system does not say.
func freeMemory() int {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "MemAvailable:"); ok {
			kib, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(v, "kB")))
			return kib << 10
		}
	}
	return 0
}
