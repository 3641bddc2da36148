package cli

import (
	"context"

	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("diff", func() *ucli.Command {
		return command(&ucli.Command{
			Name: "diff", Usage: "list what two models differ in", ArgsUsage: "A.onnx B.onnx",
			Description: "Compares nodes, attributes, initializers, inputs, outputs, metadata and everything else in the files. Exit code 0 " +
				"whether or not they differ,\n" +
				"1 with --exit-code when they do.",
			Flags: []ucli.Flag{
				&ucli.BoolFlag{Name: "exit-code", Usage: "exit with 1 when the models differ"},
				&ucli.IntFlag{Name: "max", Value: 50, Usage: "lines to print for each kind; 0 means all"},
			},
		}, diffCommand)
	})
}

func diffCommand(_ context.Context, e *env, c *ucli.Context) error {
	args, err := nArgs(c, "A.onnx", "B.onnx")
	if err != nil {
		return err
	}
	r, err := job.Diff(args[0], args[1])
	if err != nil {
		return err
	}
	if r.Same {
		e.printf("the models are the same\n")
	}
	most := c.Int("max")
	printChanges(e, "inputs and outputs", r.IO, most)
	printChanges(e, "nodes", r.Nodes, most)
	printChanges(e, "attributes", r.Attributes, most)
	printChanges(e, "initializers", r.Initializers, most)
	printChanges(e, "metadata", r.Metadata, most)
	printChanges(e, "other", r.Other, most)
	if err := e.emit(r); err != nil {
		return err
	}
	if !r.Same && c.Bool("exit-code") {
		return &job.NoError{Text: "the models differ"}
	}
	return nil
}

// printChanges prints the changes of one kind, at most most of them.
func printChanges[T any](e *env, kind string, changes []T, most int) {
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
