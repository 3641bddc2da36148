// Command gtk trains, explains and checks ONNX models on a CPU. See `gtk --help`.
package main

import (
	"os"

	"github.com/gtk-onnx/gtk/cli"
)

func main() { os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) }
