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
	register("doctor", func() *ucli.Command {
		return command(&ucli.Command{Name: "doctor", Usage: "show the processor, the kernels chosen, threads and memory"}, doctorCommand)
	})
}

func doctorCommand(_ context.Context, e *env, c *ucli.Context) error {
	if _, err := nArgs(c); err != nil {
		return err
	}
	r := job.Doctor(version(), e.Threads)
	t := e.newTable()
	t.row("gtk", r.Version)
	t.row("built with", fmt.Sprintf("%s for %s/%s", r.Go, r.OS, r.Arch))
	t.row("processor", fmt.Sprintf("%s, %d of them", r.CPU, r.Processors))
	t.row("features", strings.Join(r.Features, " "))
	t.row("kernels", fmt.Sprintf("%s (of %s; GTK_ISA chooses)", r.ISA, strings.Join(r.ISAs, ", ")))
	t.row("threads", r.Threads)
	if r.MemoryMiB > 0 {
		limit := ""
		if r.LimitMiB > 0 {
			limit = fmt.Sprintf(", limit of the process %s", units.Size(r.LimitMiB<<20))
		}
		t.row("memory", fmt.Sprintf("%s, %s available%s; a command may take %s (--max-memory)", units.Size(r.MemoryMiB<<20),
			units.Size(r.AvailMiB<<20), limit, units.Size(r.BudgetMiB<<20)))
	}
	t.row("operators", fmt.Sprintf("%d, up to opset %d; see gtk ops", r.Operators, r.LatestOpset))
	if err := t.flush(); err != nil {
		return err
	}
	for _, w := range r.Warnings {
		e.printf("note: %s\n", w)
	}
	return e.emit(r)
}
