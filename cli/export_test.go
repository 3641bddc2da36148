package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/gtk-onnx/gtk/internal/interrupt"
	"github.com/gtk-onnx/gtk/internal/whole"
)

// Saving is a command that for ever saves something to the file path, as the program of a test: it says so in a line.
func Saving(path string, stdin io.Reader, stdout, stderr io.Writer) int {
	e := &env{Stdin: stdin, Stdout: stdout, Stderr: stderr}
	_, stop := stopOn(e)
	defer stop.close()
	defer interrupt.Hold()()
	f, err := whole.Create(path)
	if err == nil {
		_, err = io.WriteString(f, "half")
	}
	if err != nil {
		return e.fail(err)
	}
	fmt.Fprintln(stdout, "saving")
	for {
		if f == nil {
			os.Exit(1)
		}
	}
}
