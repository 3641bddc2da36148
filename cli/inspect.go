package cli

import (
	"context"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("inspect", func() *ucli.Command {
		return command(&ucli.Command{
			Name: "inspect", Usage: "list the layers of a model with shapes, parameters, work and memory", ArgsUsage: "MODEL.onnx",
			Flags: []ucli.Flag{
				&ucli.StringSliceFlag{Name: "input", Usage: "`NAME=SHAPE` to work the costs out for, as in input=8x3x224x224"},
				&ucli.IntFlag{Name: "batch", Value: 1, Usage: "batch size to work the costs out for"},
				&ucli.BoolFlag{Name: "check", Usage: "only check that it is valid ONNX: list all problems, and exit with 1 if there are any"},
				&ucli.StringFlag{Name: "dot", Usage: "write the graph as a Graphviz `FILE`"},
				&ucli.BoolFlag{Name: "force", Usage: "replace the file if it is there"},
			},
		}, inspectCommand)
	})
}

func inspectCommand(_ context.Context, e *env, c *ucli.Context) error {
	path, err := oneArg(c, "MODEL.onnx")
	if err != nil {
		return err
	}
	if c.Bool("check") {
		return e.check(path)
	}
	cfg := job.InspectConfig{Model: path, Threads: e.Threads, Inputs: c.StringSlice("input"), Dot: c.String("dot"), Force: c.Bool("force")}
	if c.IsSet("batch") {
		if cfg.Batch = c.Int("batch"); cfg.Batch < 1 {
			return usagef("--batch %d: must be at least 1", cfg.Batch)
		}
	}
	r, err := job.Inspect(cfg)
	if err != nil {
		return err
	}
	if err := e.printDescription(r.Description); err != nil {
		return err
	}
	if r.LoadErr != nil {
		e.printf("\n%v\n", r.LoadErr)
	} else if err := e.printLayers(r.Layers); err != nil {
		return err
	}
	if r.Dot != "" {
		e.printf("\ngraph written to %s; draw it with: dot -Tsvg %s\n", r.Dot, units.Quote(r.Dot))
	}
	return e.emit(r)
}

// check prints what is wrong with the model in the file path.
func (e *env) check(path string) error {
	r, err := job.Check(path, e.Threads)
	if r == nil {
		return err
	}
	for _, p := range r.Problems {
		e.printf("%s\n", p)
	}
	if r.Pass {
		e.printf("%s is valid ONNX\n", r.Model)
	}
	if perr := e.emit(r); perr != nil {
		return perr
	}
	return err
}

// printLayers prints the layers as a table.
func (e *env) printLayers(layers []job.LayerReport) error {
	e.printf("\nlayers\n")
	t := e.newTable(3, 4, 5)
	t.row("operator", "output", "shape", "parameters", "MACs", "memory")
	dash := func(zero bool, s string) string {
		if zero {
			return ""
		}
		return s
	}
	most := 48
	if w := e.columns(); w > 0 {
		most = max(16, min(most, w-72)) // what the other columns take
	}
	for _, l := range layers {
		t.row(l.Op, clip(l.Output, most), units.Dims(l.Shape), dash(l.Parameters == 0, units.Count(l.Parameters)),
			dash(l.MACs == 0, units.Count(l.MACs)), dash(l.Bytes == 0, units.Size(l.Bytes)))
	}
	return t.flush()
}
