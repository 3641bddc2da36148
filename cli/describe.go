package cli

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
)

// printDescription writes what import and inspect say of a model.
func (e *env) printDescription(d *job.Description) error {
	e.printf("%s\n", d.Model)
	t := e.newTable()
	var sets []string
	for _, o := range d.Opsets {
		sets = append(sets, fmt.Sprintf("%s %d", o.Domain, o.Version))
	}
	t.row("format", fmt.Sprintf("IR %d, opset %s", d.IRVersion, strings.Join(sets, ", ")))
	if d.Producer != "" {
		t.row("producer", d.Producer)
	}
	for _, io := range d.Inputs {
		t.row("input", io.Name+"  "+io.Text)
	}
	for _, io := range d.Outputs {
		t.row("output", io.Name+"  "+io.Text)
	}
	t.row("nodes", d.Nodes)
	if d.Runs {
		state := ""
		if d.State > 0 {
			state = fmt.Sprintf(" and %s of running statistics", units.Count(d.State))
		}
		t.row("parameters", fmt.Sprintf("%s%s (%s)", units.Count(d.Parameters), state, units.Size(d.WeightBytes)))
		at := sizesText(d)
		if d.MACs > 0 {
			t.row("work", fmt.Sprintf("%s MACs %s", units.Count(d.MACs), at))
		}
		if d.PeakBytes > 0 {
			t.row("memory", fmt.Sprintf("%s of activations %s", units.Size(d.PeakBytes), at))
		}
	}
	if d.Labels > 0 {
		t.row("labels", fmt.Sprintf("%d names", d.Labels))
	}
	if d.Preprocess != nil {
		t.row("pictures", d.Preprocess)
	}
	t.row("runs", yes(d.Runs))
	switch {
	case d.Trains:
		t.row("trains", "yes")
	case d.Runs:
		t.row("trains", "no: "+d.Why)
	default:
		t.row("trains", "no")
	}
	if err := t.flush(); err != nil {
		return err
	}
	e.printf("\noperators\n")
	t = e.newTable(1)
	t.row("", "count", "runs", "gradient")
	for _, o := range d.Ops {
		name := o.Op
		if o.Domain != "ai.onnx" {
			name = o.Domain + "." + o.Op
		}
		g := yes(o.Gradient)
		if o.HasNone && !o.Gradient {
			g = "-"
		}
		t.row(name, o.Count, yes(o.Forward), g)
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, w := range d.Warnings {
		e.printf("note: %s\n", w)
	}
	return nil
}

// sizesText names the shapes that the costs are of.
func sizesText(d *job.Description) string {
	var s []string
	for _, io := range d.Inputs {
		if shape, ok := d.At[io.Name]; ok {
			var dims []string
			for _, n := range shape {
				dims = append(dims, fmt.Sprint(n))
			}
			s = append(s, io.Name+" "+cmp.Or(strings.Join(dims, "×"), "scalar"))
		}
	}
	return "for " + strings.Join(s, ", ")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
