package job

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/internal/units"
)

// Kinds of bars of the timeline.
const (
	barInTime = iota
	barLeft
	barBackup
	barWaited
	barIdle // that a worker had nothing to do
)

// timelineRounds is how many rounds are drawn.
const timelineRounds = 40

// page shows a run.
func (t *stragglerTraining) page() *report.Report {
	r := t.r
	var names []string
	for _, s := range r.Segments {
		names = append(names, s.Scheme)
	}
	page := report.New(strings.Join(names, ", "), fmt.Sprintf("%s of all %s on %s, added up by %s, some of them late.", units.Plural(r.Jobs,
		"gradient"), units.Plural(r.Examples, "example"), r.Data, units.Plural(r.Workers, "worker")))
	page.Kicker, page.Footer = "gtk straggler train", "Made by gtk straggler train. trace.json beside this page has how long each "+
		"worker took: gtk straggler select --trace trace.json."
	top := page.Section("", "").Add(t.facts())
	for _, n := range r.Notes {
		top.Add(report.Note{Tone: report.Warn, Text: n})
	}
	if !r.Exact {
		top.Add(report.Note{Tone: report.Warn, Text: "The cyclic code has coefficients: gradients are right to rounding, not to the bit."})
	}
	page.Section("Rounds", "What each worker did when. A round ends when the fastest has been waited for 1+μ times as long as it took, if "+
		"the scheme can do without those who have not answered then.").Add(roundsDrawn(r.Timeline, t.rule.Mu))
	table := report.Table{Head: []string{"Scheme", "Load", "Delay", "Jobs", "Rounds", "Seconds", "Predicted", "Waited", "Left out", "Backups"},
		Numeric: []int{1, 2, 3, 4, 5, 6, 7, 8, 9}}
	for _, s := range r.Segments {
		p := report.C("–")
		if !math.IsNaN(float64(s.Predicted)) {
			p = report.Num(float64(s.Predicted), 4)
		}
		table.Rows = append(table.Rows, []report.Cell{report.C(s.Scheme), report.Num(s.Load, 3), report.C(strconv.Itoa(s.Delay)),
			report.C(strconv.Itoa(s.Jobs)), report.C(strconv.Itoa(s.Rounds)), report.Num(s.Seconds, 4), p, report.C(strconv.Itoa(s.Waits)),
			report.C(strconv.Itoa(s.Left)), report.C(strconv.Itoa(s.Backups))})
	}
	page.Section("Schemes", "Load is the share of the data that a worker goes through in a full round; delay is after how many more rounds a "+
		"gradient is there at last. Predicted is what the simulator says of the injected delays.").Add(table)
	loss := report.LineChart{Title: "Loss by step", XLabel: "step", YLabel: t.trainings[0].task.Name}
	models := report.Table{Head: []string{"Training", "Learning rate", "Steps", "First loss", "Last loss", "Weights (SHA-256)"},
		Numeric: []int{1, 2, 3, 4}}
	for _, x := range r.Trainings {
		s := report.Series{Name: x.Name}
		for _, l := range x.Losses {
			s.Y = append(s.Y, float64(l))
		}
		loss.Series = append(loss.Series, s)
		models.Rows = append(models.Rows, []report.Cell{report.C(x.Name), report.Num(x.LR, 3), report.C(strconv.Itoa(x.Steps)),
			report.Num(float64(x.Losses[0]), 4), report.Num(float64(x.Losses[len(x.Losses)-1]), 4), {Text: string(x.Weights[:16]), Code: true}})
	}
	page.Section("Trainings", "The loss over all data, before each step.").Add(loss, models)
	return page
}

func (t *stragglerTraining) facts() report.Facts {
	r := t.r
	f := report.Facts{{Label: "Seconds", Value: fmt.Sprintf("%.1f", r.Seconds), Detail: "of all rounds"}}
	if p := float64(r.Predicted); !math.IsNaN(p) {
		f = append(f, report.Fact{Label: "Predicted", Value: fmt.Sprintf("%.1f s", p), Detail: "by the simulator"})
	}
	return append(f, report.Fact{Label: "Workers", Value: strconv.Itoa(r.Workers), Detail: r.Fleet},
		report.Fact{Label: "Partitions", Value: strconv.Itoa(r.Partitions)},
		report.Fact{Label: "Begun anew", Value: strconv.Itoa(r.Deaths), Detail: "workers that ended"})
}

// roundsDrawn is the timeline of the first rounds.
func roundsDrawn(rounds []StragglerRound, mu float64) report.Timeline {
	c := report.Timeline{XLabel: "seconds", Kinds: []string{"in time", "left out", "backup task", "late, waited for", "nothing to do"}}
	shown := rounds[:min(timelineRounds, len(rounds))]
	for w := range rounds[0].At {
		c.Lanes = append(c.Lanes, strconv.Itoa(w))
	}
	c.Title = fmt.Sprintf("The first %d rounds, worker by worker", len(shown))
	at := 0.0
	for k, r := range shown {
		least := math.Inf(1)
		for _, v := range r.At {
			if x := float64(v); x < least {
				least = x
			}
		}
		wait := (1 + mu) * least
		for w, v := range r.At {
			span := report.Span{Lane: w, From: at, To: at + r.Seconds, Title: fmt.Sprintf("round %d, worker %d", k, w)}
			x := float64(v)
			switch {
			case !r.Busy[w]:
				span.Kind = barIdle
			case math.IsNaN(x):
				span.Kind = barLeft
			case x > wait:
				span.Kind, span.To = barWaited, at+x
			default:
				span.To = at + x
			}
			c.Spans = append(c.Spans, span)
		}
		for _, w := range r.Backups {
			c.Spans = append(c.Spans, report.Span{Lane: w, Kind: barBackup, From: at + wait, To: at + r.Seconds,
				Title: fmt.Sprintf("round %d, worker %d in place of another", k, w)})
		}
		at += r.Seconds
		c.Cuts = append(c.Cuts, at)
	}
	return c
}

// timelineWorkers is how many workers a timeline of simulated rounds has at most.
const timelineWorkers = 32

// simulationPage shows simulated runs.
func simulationPage(r *StragglerSimulateReport, rounds [][]StragglerRound) *report.Report {
	page := report.New("Workers that may be late", fmt.Sprintf("%s by %s, simulated on %s.", units.Plural(r.Jobs, "gradient"),
		units.Plural(r.Workers, "worker"), r.Trace))
	page.Kicker, page.Footer = "gtk straggler simulate", "Made by gtk straggler simulate."
	top := page.Section("", "").Add(report.Facts{{Label: "Fastest", Value: r.Best}, {Label: "Late in a round",
		Value:  fmt.Sprintf("%.2g", r.Late),
		Detail: "workers, on the mean"}, {Label: "All of the data", Value: fmt.Sprintf("%.3g s", r.Slope), Detail: "of work for one worker"}})
	for _, n := range r.Notes {
		top.Add(report.Note{Tone: report.Warn, Text: n})
	}
	t := report.Table{Head: []string{"Scheme", "Load", "Delay", "Seconds", "Of waiting", "Waited", "Left out", "Backups"},
		Numeric: []int{1, 2, 3, 5, 6, 7}}
	for _, s := range r.Schemes {
		t.Rows = append(t.Rows, []report.Cell{report.C(s.Scheme), report.Num(s.Load, 3), report.C(strconv.Itoa(s.Delay)),
			report.Num(s.Seconds, 4), report.Percent(s.Share), report.C(strconv.Itoa(s.Waits)), report.C(strconv.Itoa(s.Left)),
			report.C(strconv.Itoa(s.Backups))})
	}
	page.Section("Schemes", "Load is the share of the data that a worker goes through in a full round; delay is after how many more rounds a "+
		"gradient is there at last.").Add(t)
	for k, s := range r.Schemes {
		lanes := rounds[k]
		lead := ""
		if r.Workers > timelineWorkers {
			lead = fmt.Sprintf("The first %d workers.", timelineWorkers)
			for i := range lanes {
				x := &lanes[i]
				x.At, x.Busy, x.Late = x.At[:timelineWorkers], x.Busy[:timelineWorkers], x.Late[:timelineWorkers]
				x.Backups = slices.DeleteFunc(x.Backups, func(w int) bool { return w >= timelineWorkers })
			}
		}
		page.Section(s.Scheme, lead).Add(roundsDrawn(lanes, r.Mu))
	}
	return page
}
