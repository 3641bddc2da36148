package cli

import (
	"context"

	"github.com/gtk-onnx/gtk/onnx"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register(command(&ucli.Command{
		Name: "diff", Usage: "list what two models differ in", ArgsUsage: "A.onnx B.onnx",
		Description: "Compares nodes, attributes, initializers, inputs, outputs, metadata and everything else in the files. Exit code 0 whether or not they differ,\n" +
			"1 with --exit-code when they do.",
		Flags: []ucli.Flag{
			&ucli.BoolFlag{Name: "exit-code", Usage: "exit with 1 when the models differ"},
			&ucli.IntFlag{Name: "max", Value: 50, Usage: "lines to print for each kind; 0 means all"},
		},
	}, diffCommand))
}

type diffReport struct {
	Schema string `json:"schema"`
	A      string `json:"a"`
	B      string `json:"b"`
	Same   bool   `json:"same"`
	onnx.Diff
}

func diffCommand(_ context.Context, e *env, c *ucli.Context) error {
	args, err := nArgs(c, "A.onnx", "B.onnx")
	if err != nil {
		return err
	}
	a, err := onnx.ReadFile(args[0])
	if err != nil {
		return err
	}
	b, err := onnx.ReadFile(args[1])
	if err != nil {
		return err
	}
	r := diffReport{"gtk.diff/1", args[0], args[1], false, onnx.CompareModels(a, b)}
	r.Same = r.Empty()
	if r.Same {
		e.printf("the models are the same\n")
	}
	for _, k := range []struct {
		name    string
		changes *[]onnx.Change
	}{
		{"inputs and outputs", &r.IO}, {"nodes", &r.Nodes}, {"attributes", &r.Attributes}, {"initializers", &r.Initializers}, {"metadata", &r.Metadata}, {"other", &r.Other},
	} {
		if *k.changes == nil {
			*k.changes = []onnx.Change{}
		}
		printChanges(e, k.name, *k.changes, c.Int("max"))
	}
	if err := e.emit(r); err != nil {
		return err
	}
	if !r.Same && c.Bool("exit-code") {
		return &noError{"the models differ"}
	}
	return nil
}

// printChanges prints the changes of one kind, at most most of them.
func printChanges(e *env, kind string, changes []onnx.Change, most int) {
	if len(changes) == 0 {
		return
	}
	e.printf("%s (%d)\n", kind, len(changes))
	for i, x := range changes {
		if most > 0 && i == most {
			e.printf("  … and %d more; --max 0 shows all\n", len(changes)-most)
			return
		}
		e.printf("  %v\n", x)
	}
}
