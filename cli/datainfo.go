package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/tensor"
)

// printData says what is in a data set.
func (e *env) printData(r *job.DataReport) error {
	s := r.Summary
	e.printf("%s\n", r.Spec)
	t := e.newTable()
	t.row("examples", s.N)
	if s.DType != "" {
		kind := "tensors"
		if s.Pictures {
			kind = "pictures"
		}
		t.row("kind", fmt.Sprintf("%s, %s %s", kind, s.DType, shapeText(s.Shape)))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Fields)) {
		f := s.Fields[name]
		t.row("array", fmt.Sprintf("%s, %s %s, %s", name, f.DType, shapeText(f.Shape), rangeText(f.ValueSummary)))
	}
	if n := len(s.Features); n > 0 {
		t.row("features", fmt.Sprintf("%d: %s", n, fewNames(s.Features)))
	}
	if len(s.Classes) > 0 {
		t.row("classes", len(s.Classes))
	}
	if s.Targets != nil {
		t.row("targets", targetText(s))
	}
	if len(s.Groups) > 0 {
		t.row("groups", strings.Join(s.Groups, ", "))
	}
	if s.Masks {
		t.row("masks", "yes")
	}
	if s.Planted > 0 {
		t.row("wrong labels", fmt.Sprintf("%d, planted on purpose", s.Planted))
	}
	if n := s.Unlabeled; n > 0 && n == s.N {
		t.row("labels", "none")
	}
	if err := t.flush(); err != nil {
		return err
	}
	if err := e.printTargets(s); err != nil {
		return err
	}
	positions := "positions by class"
	if s.PerClass != nil {
		positions = "pixels by value of the mask"
	}
	for _, h := range []struct {
		title string
		count map[string]int
	}{{"examples by class", s.PerClass}, {"examples with each label", s.LabelCounts}, {positions, s.Positions}} {
		if err := e.printCounts(h.title, s.Classes, h.count); err != nil {
			return err
		}
	}
	if s.Ignored > 0 {
		e.printf("  positions without a class: %d\n", s.Ignored)
	}
	if s.Checked < s.N && (s.TargetValues != nil || s.LabelCounts != nil || s.Positions != nil || s.Fields != nil) {
		e.printf("values and positions are those of %s, spread over the set; --check 0 reads all\n", units.Plural(s.Checked, "example"))
	}
	for _, w := range s.Warnings {
		e.printf("note: %s\n", w)
	}
	for _, b := range s.Skipped {
		e.printf("  left out: %s\n", b.Reason)
	}
	for _, d := range s.Damaged {
		e.printf("  %s\n", d)
	}
	if r.Sheet != "" {
		e.printf("contact sheet written to %s\n", r.Sheet)
	}
	return nil
}

// shapeText is the shape of one example.
func shapeText(shape []int) string {
	switch {
	case shape == nil:
		return "of different shapes"
	case len(shape) == 0:
		return "numbers"
	}
	return tensor.Shape(shape).String()
}

// rangeText is "0 to 199, mean 34.2".
func rangeText(v data.ValueSummary) string {
	s := fmt.Sprintf("%.4g to %.4g, mean %.4g", v.Min, v.Max, v.Mean)
	if v.NaN > 0 {
		s += ", NaN or infinite " + strconv.Itoa(v.NaN)
	}
	return s
}

// targetText is what one target looks like.
func targetText(s data.Summary) string {
	text := fmt.Sprintf("%s %s", s.TargetDType, shapeText(s.Targets))
	if len(s.Targets) == 0 || len(s.Targets) == 1 && s.Targets[0] == 1 {
		text = "one " + s.TargetDType
	}
	switch {
	case s.LabelCounts != nil:
		text += ", 0 or 1 for each label"
	case s.Positions != nil:
		text += ", classes of positions"
	}
	if len(s.TargetNames) > 0 && s.LabelCounts == nil {
		text += ": " + fewNames(s.TargetNames)
	}
	return text
}

// fewNames are the first names, as many as a line holds.
func fewNames(names []string) string {
	const most = 60
	var out []string
	for i, n := range names {
		if len(strings.Join(append(out, n), ", ")) > most && i > 0 {
			return strings.Join(out, ", ") + fmt.Sprintf(" and %d more", len(names)-i)
		}
		out = append(out, n)
	}
	return strings.Join(out, ", ")
}

// printTargets is a table of the ranges of real targets.
func (e *env) printTargets(s data.Summary) error {
	if len(s.TargetValues) == 0 {
		return nil
	}
	e.printf("\n")
	t := e.newTable(1, 2, 3)
	t.row("target", "min", "max", "mean")
	for k, v := range s.TargetValues {
		name := strconv.Itoa(k)
		switch {
		case k < len(s.TargetNames) && len(s.TargetValues) == len(s.TargetNames):
			name = s.TargetNames[k]
		case len(s.TargetValues) == 1:
			name = "all"
		}
		cells := []any{clip(name, 40), number(v.Min), number(v.Max), number(v.Mean)}
		if v.NaN > 0 {
			cells = append(cells, fmt.Sprintf("NaN or infinite: %d", v.NaN))
		}
		t.row(cells...)
	}
	return t.flush()
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// mostBars is how many classes are listed; of more, the largest.
const mostBars = 30

// printCounts shows counts by name as bars: in the order of the classes, or the largest first where they have no names or are many.
func (e *env) printCounts(title string, classes []string, count map[string]int) error {
	if len(count) == 0 {
		return nil
	}
	names := slices.DeleteFunc(slices.Clone(classes), func(c string) bool { _, has := count[c]; return !has })
	if len(names) < len(count) || len(names) > mostBars {
		names = slices.SortedFunc(maps.Keys(count), func(a, b string) int {
			if len(count) <= mostBars {
				return natural(a, b)
			}
			return cmp.Or(cmp.Compare(count[b], count[a]), natural(a, b))
		})
	}
	left, rest := 0, 0
	if len(names) > mostBars {
		for _, n := range names[mostBars:] {
			left, rest = left+1, rest+count[n]
		}
		names = names[:mostBars]
	}
	highest := 1
	for _, n := range names {
		highest = max(highest, count[n])
	}
	e.printf("\n%s\n", title)
	t := e.newTable(1)
	for _, n := range names {
		t.row(clip(n, 40), count[n], strings.Repeat("#", (30*count[n]+highest-1)/highest))
	}
	if err := t.flush(); err != nil {
		return err
	}
	if left > 0 {
		e.printf("  and %s: %d\n", units.Of(left, "1 smaller class", "%d smaller classes"), rest)
	}
	return nil
}

// natural compares numbers by value and other names as text.
func natural(a, b string) int {
	x, errA := strconv.Atoi(a)
	y, errB := strconv.Atoi(b)
	if errA == nil && errB == nil {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}
