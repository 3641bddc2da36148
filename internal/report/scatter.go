package report

import (
	"fmt"
	"html/template"
)

// Scatter is points over one pair of axes of the same unit, with the line on which both are equal: what is true and what is said.
type Scatter struct {
	Title, XLabel, YLabel string
	Series                []Series // X is needed
}

// maxDots is drawn of one series.
const maxDots = 1500

type chartDot struct {
	X, Y  string
	Class int
}

func (s Scatter) render(*page) (template.HTML, error) {
	var all []float64
	for i, r := range s.Series {
		if len(r.X) != len(r.Y) {
			return "", fmt.Errorf("report: scatter %q: series %d has %d x and %d y", s.Title, i, len(r.X), len(r.Y))
		}
		for k := range r.X {
			all = append(all, r.X[k], r.Y[k])
		}
	}
	x := newAxis(all, chartLeft, chartRight, false).widen(wantYTicks)
	y := x
	y.from, y.to = chartBottom, chartTop
	v := newChart(s.Title, s.XLabel, s.YLabel)
	v.axes(x, y)
	v.Equal = &chartEqual{coord(x.from), coord(x.to), coord(y.from), coord(y.to)}
	for i, r := range s.Series {
		every := (len(r.X) + maxDots - 1) / maxDots
		for k := range r.X {
			if k%every == 0 && x.ok(r.X[k]) && x.ok(r.Y[k]) {
				v.Dots = append(v.Dots, chartDot{coord(x.at(r.X[k])), coord(y.at(r.Y[k])), i % paletteSize})
			}
		}
		if len(s.Series) > 1 {
			v.Lines = append(v.Lines, chartLine{Name: r.Name, Class: i % paletteSize}) // for the key
		}
	}
	return execute("chart", v)
}
