// Command gtk trains, explains and checks ONNX models on a CPU. See `gtk --help`.
package main

import (
	"os"
	"runtime"
	"runtime/debug"

	"github.com/gtk-onnx/gtk/cli"
)

func main() {
	collectLate()
	os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// collectLate lets the heap grow to 8 MiB before garbage is collected for the first time, instead of 4: most small commands are over by
// then, and more would be pages that are fresh, which cost more than a collection. From that collection on it is as Go has it.
func collectLate() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(200)
	runtime.SetFinalizer(new(*byte), func(**byte) { debug.SetGCPercent(100) })
}
