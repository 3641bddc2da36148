package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("ops", func() *ucli.Command {
		return command(&ucli.Command{
			Name: "ops", Usage: "list the operators that run, and what can be differentiated", ArgsUsage: "[NAME…]",
			Flags: []ucli.Flag{
				&ucli.BoolFlag{Name: "private", Usage: "list gtk's own operators, of gradients and fusions, too"},
				&ucli.BoolFlag{Name: "list", Usage: "names and sources only"},
			},
		}, opsCommand)
	})
}

func opsCommand(_ context.Context, e *env, c *ucli.Context) error {
	r, err := job.Operators(job.OperatorsConfig{Names: c.Args().Slice(), Private: c.Bool("private")})
	if err != nil {
		return err
	}
	if c.Bool("list") {
		t := e.newTable()
		for _, o := range r.Ops {
			t.row(operatorName(o), o.Doc)
		}
		if err := t.flush(); err != nil {
			return err
		}
		return e.emit(r)
	}
	t := e.newTable()
	t.row("operator", "since", "types", "runs", "gradient", "second order", "jvp", "per example", "kernel")
	for _, o := range r.Ops {
		g := yes(o.Gradient)
		if o.None && !o.Gradient {
			g = "-"
		}
		t.row(operatorName(o), strings.Trim(fmt.Sprint(o.Since), "[]"), job.ShortTypes(o.Types), yes(o.Forward), g,
			onlyYes(o.SecondOrder), onlyYes(o.JVP), onlyYes(o.PerExample), strings.Join(o.Kernels, " "))
	}
	if err := t.flush(); err != nil {
		return err
	}
	all, gradient := r.Names()
	e.printf("%s, %d with a gradient (- is where none can flow)\n", units.Plural(all, "operator"), gradient)
	return e.emit(r)
}

// onlyYes is "yes" or nothing.
func onlyYes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// operatorName is the name of an operator, with its domain where that is not ONNX's.
func operatorName(o job.OperatorRow) string {
	if o.Domain == "ai.onnx" {
		return o.Op
	}
	return o.Domain + "." + o.Op
}
