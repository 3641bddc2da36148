package ops

import (
	_ "embed" // the table
	"strings"
	"sync"

	"github.com/gtk-onnx/gtk/engine/graph"
)

//go:embed assembly.txt
var assemblyTable string

// assembly are the instruction sets by operator.
var assembly = sync.OnceValue(func() map[string][]string {
	sets := map[string][]string{}
	for line := range strings.Lines(assemblyTable) {
		if f := strings.Fields(line); len(f) > 0 && f[0] != "#" {
			sets[f[0]] = f[1:]
		}
	}
	return sets
})

// Assembly names the instruction sets, as GTK_ISA takes them, for which the kernel of s has parts in assembly: those that a case of the
// tests is seen to run (TestAssembly). All others, and numbers of other types than float32 and int8, are computed in plain Go.
func Assembly(s *graph.Spec) []string { return assembly()[s.Domain+"."+s.Name] }
