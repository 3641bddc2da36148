package cli

import (
	"context"
	"path/filepath"

	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("demo", func() *ucli.Command {
		return command(&ucli.Command{
			Name: "demo", Usage: "the whole story on built-in data, offline, in under a minute", ArgsUsage: "[-o DIR]",
			Description: "Imports, evaluates, fine-tunes, explains, finds planted label errors and exports, with data and models that are " +
				"part of the program, and writes report.html.",
			Flags: []ucli.Flag{
				&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: "gtk-demo", Usage: "`FOLDER` for the results"},
				&ucli.BoolFlag{Name: "force", Usage: "write into a folder that is not empty"},
			},
		}, runDemo)
	})
}

func runDemo(ctx context.Context, e *env, c *ucli.Context) error {
	if _, err := nArgs(c); err != nil {
		return err
	}
	cfg := job.DemoConfig{Out: c.String("out"), Force: c.Bool("force"), Threads: e.Threads, Seed: e.Seed}
	if cfg.Out == "" {
		return usagef("the output folder is missing: give -o DIR")
	}
	r, err := job.Demo(ctx, cfg, e.reporter())
	if err != nil {
		return err
	}
	if err := writeConfig(c, filepath.Join(r.Out, "run.yaml")); err != nil {
		return err
	}
	e.printf("\n%.0f seconds; open %s\n", r.Seconds, r.Report)
	return e.emit(r)
}
