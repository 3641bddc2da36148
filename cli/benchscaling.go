package cli

import (
	"fmt"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
)

// printScaling prints the predictions, and for each the nodes that lose the most.
func (e *env) printScaling(s *job.Scaling) {
	sig := func(n job.Number) string { return units.Significant(float64(n)) }
	assumed := ""
	if s.Assumed {
		assumed = " (assumed: no second processor was free)"
	}
	e.printf("\npredicted from traces of one thread: %s ms of work, %s µs for a fork%s\n", sig(s.OneMs), sig(s.ForkUs), assumed)
	t := e.newTable(0, 1, 2, 3, 4)
	t.row("threads", "ms", "speed-up", "serial ms", "measured ms")
	for _, r := range s.Rows {
		t.row(r.Threads, sig(r.Ms), fmt.Sprintf("%.2f", float64(r.SpeedUp)), sig(r.SerialMs), orNothing(r.MeasuredMs))
	}
	_ = t.flush()
	for _, r := range s.Rows {
		if len(r.Nodes) == 0 {
			continue
		}
		e.printf("\nwhat loses the most on %d threads\n", r.Threads)
		t := e.newTable(1, 2, 3, 4, 5)
		t.row("operator", "1 thread", "ms", "speed-up", "lost ms", "serial ms")
		for i, o := range r.Ops {
			if i == 8 && !e.Verbose {
				break
			}
			t.row(o.Op, fmt.Sprintf("%.3f", float64(o.OneMs)), fmt.Sprintf("%.3f", float64(o.Ms)), fmt.Sprintf("%.2f", float64(o.SpeedUp)),
				fmt.Sprintf("%.3f", float64(o.LostMs)), fmt.Sprintf("%.3f", float64(o.SerialMs)))
		}
		_ = t.flush()
		e.printf("\n")
		t = e.newTable(2, 3, 4, 5)
		t.row("node", "operator", "1 thread", "ms", "speed-up", "lost ms", "to")
		for i, n := range r.Nodes {
			if i == 10 && !e.Verbose {
				break
			}
			t.row(n.Name, n.Op, fmt.Sprintf("%.3f", float64(n.OneMs)), fmt.Sprintf("%.3f", float64(n.Ms)), fmt.Sprintf("%.2f", float64(n.SpeedUp)),
				fmt.Sprintf("%.3f", float64(n.LostMs)), n.Why)
		}
		_ = t.flush()
	}
}
