package cli

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/internal/shown"
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
	t.rows(e, len(d.Inputs), func(i int) { t.row("input", shown.Name(d.Inputs[i].Name)+"  "+d.Inputs[i].Text) })
	t.rows(e, len(d.Outputs), func(i int) { t.row("output", shown.Name(d.Outputs[i].Name)+"  "+d.Outputs[i].Text) })
	if d.Batch != nil {
		t.row("batch", batchText(d.Batch))
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
		t.row("labels", units.Plural(d.Labels, "name"))
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
	e.printTasks(d)
	e.printf("\noperators\n")
	t = e.newTable(1)
	t.row("", "count", "runs", "gradient")
	t.rows(e, len(d.Ops), func(i int) {
		o := d.Ops[i]
		name := o.Op
		if o.Domain != "ai.onnx" {
			name = o.Domain + "." + o.Op
		}
		g := yes(o.Gradient)
		if o.HasNone && !o.Gradient {
			g = "-"
		}
		t.row(shown.Name(name), o.Count, yes(o.Forward), g)
	})
	if err := t.flush(); err != nil {
		return err
	}
	if err := e.printNotTrained(d); err != nil {
		return err
	}
	for _, w := range d.Warnings {
		e.wrapped("", "note: "+w)
	}
	return nil
}

// batchText says how many examples go at a time.
func batchText(b *job.BatchReport) string {
	switch {
	case b.Proven:
		return fmt.Sprintf("any number of examples; the file says %d, others were tried and give the same results", b.Declared)
	case b.Takes > 0:
		return fmt.Sprintf("%d at a time, as exported; other numbers could not be proven to give the same results", b.Takes)
	}
	return "any number of examples, as the file says"
}

// printTasks says what the outputs seem to mean.
func (e *env) printTasks(d *job.Description) {
	if d.Task == nil {
		return
	}
	e.printf("\ntask\n")
	e.wrapped("  ", d.Task.Says)
	for _, w := range d.Task.Why {
		e.wrapped("    ", w)
	}
	for _, t := range d.Tasks {
		if t.Kind == "" {
			e.wrapped("  ", "--output "+t.Output+": no task by its shape alone")
		} else {
			e.wrapped("  ", "--output "+t.Output+" would be taken for "+t.Says)
		}
	}
}

// mostFixed is how many tensors are listed that are not trained; --verbose lists all.
const mostFixed = 8

// printNotTrained lists what is stored and not trained, and why.
func (e *env) printNotTrained(d *job.Description) error {
	var rows []job.FixedReport
	state, single := 0, 0
	such := ""
	for _, f := range d.NotTrained {
		n := 1
		for _, k := range f.Shape {
			n *= k
		}
		switch {
		case e.Verbose:
			rows = append(rows, f)
		case f.State:
			state++
		case n == 1 && f.DType[0] != 'i' && f.DType[0] != 'u':
			if single++; such == "" {
				such = f.Name
			}
		default:
			rows = append(rows, f)
		}
	}
	if len(d.NotTrained) == 0 {
		return nil
	}
	e.printf("\nnot trained\n")
	left := 0
	if len(rows) > mostFixed && !e.Verbose {
		rows, left = rows[:mostFixed], len(rows)-mostFixed
	}
	t := e.newTable()
	for _, f := range rows {
		t.row(clip(f.Name, 40), f.DType+dimsText(f.Shape), f.Why)
	}
	if err := t.flush(); err != nil {
		return err
	}
	if left > 0 {
		e.printf("  and %d more tensors\n", left)
	}
	if state > 0 {
		e.printf("  %s of normalisations\n", units.Of(state, "1 tensor of running statistics", "%d tensors of running statistics"))
	}
	if single > 0 {
		e.printf("  %s, such as %s\n", units.Of(single, "1 single number that the program computes with",
			"%d single numbers that the program computes with"), clip(such, 60))
	}
	if !e.Verbose {
		e.printf("  --verbose lists all with the reason; gtk finetune --trainable NAME trains one that a gradient reaches\n")
	}
	return nil
}

// dimsText is [64,3,7,7], and nothing for a single number.
func dimsText(dims []int) string {
	if len(dims) == 0 {
		return ""
	}
	return strings.ReplaceAll(fmt.Sprint(dims), " ", ",")
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
