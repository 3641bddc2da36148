package report

import (
	"fmt"
	"html/template"
	"slices"
)

// Timeline is what each of several did when: bars along a line of time, one lane above the other.
type Timeline struct {
	Title, XLabel string
	Lanes         []string
	Kinds         []string // what bars can be, for the key
	Spans         []Span
	Cuts          []float64 // times at which all begin anew
}

// Span is a bar of a Timeline.
type Span struct {
	Lane, Kind int // indices of Lanes and Kinds
	From, To   float64
	Title      string // shown when pointed at
}

// laneH is the height of a lane, of which a bar has laneBar.
const laneH, laneBar = 24, 18

type timelineBar struct {
	chartBar
	Class int
}

func (t Timeline) render(*page) (template.HTML, error) {
	xs := append([]float64{0}, t.Cuts...)
	for _, s := range t.Spans {
		if s.Lane < 0 || s.Lane >= len(t.Lanes) || s.Kind < 0 || s.Kind >= len(t.Kinds) {
			return "", fmt.Errorf("report: timeline %q: a bar of lane %d and kind %d", t.Title, s.Lane, s.Kind)
		}
		xs = append(xs, s.From, s.To)
	}
	v := newChart(t.Title, t.XLabel, "")
	v.Bottom = chartTop + laneH*len(t.Lanes)
	v.H, v.TickY, v.XLabelY = v.Bottom+48, v.Bottom+17, v.Bottom+38
	x := newAxis(xs, chartLeft, chartRight, false)
	x.lo, x.hi = min(0, slices.Min(xs)), slices.Max(xs)
	if x.hi == x.lo {
		x.hi = x.lo + 1
	}
	for _, at := range x.ticks(wantXTicks) {
		if at >= x.lo && at <= x.hi {
			v.XTicks = append(v.XTicks, chartTick{At: coord(x.at(at)), Label: number(at)})
		}
	}
	for i, name := range t.Lanes {
		mid := float64(chartTop + laneH*i + laneH/2)
		v.YTicks = append(v.YTicks, chartTick{At: coord(mid), TextAt: coord(mid + chartTxt), Label: name})
	}
	var bars []timelineBar
	for _, s := range t.Spans {
		if !x.ok(s.From) || !x.ok(s.To) || s.To <= s.From {
			continue
		}
		from, to := x.at(s.From), x.at(s.To)
		bars = append(bars, timelineBar{chartBar{coord(from), coord(float64(chartTop + laneH*s.Lane + (laneH-laneBar)/2)),
			coord(max(to-from, 0.4)), coord(laneBar), s.Title}, s.Kind % paletteSize})
	}
	var cuts []string
	for _, c := range t.Cuts {
		if x.ok(c) {
			cuts = append(cuts, coord(x.at(c)))
		}
	}
	for i, name := range t.Kinds {
		v.Lines = append(v.Lines, chartLine{Name: name, Class: i % paletteSize}) // for the key
	}
	return execute("timeline", map[string]any{"V": v, "Bars": bars, "Cuts": cuts})
}
