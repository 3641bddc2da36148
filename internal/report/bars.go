package report

import (
	"html/template"
	"image/color"
	"strconv"
)

// Bar is a row of Bars.
type Bar struct {
	Name, Value string
	Amount      string  // written beside the bar
	Share       float64 // length, from -1 (to the left) to 1
}

// Bars are names with values and bars to both sides of a line.
type Bars struct {
	Bars         []Bar
	For, Against color.NRGBA // of bars to the right and to the left
}

func (b Bars) render(*page) (template.HTML, error) {
	low, high, values := 0.0, 0.0, false
	for _, x := range b.Bars {
		low, high, values = min(low, x.Share), max(high, x.Share), values || x.Value != ""
	}
	if low == high {
		high = 1
	}
	at := func(x float64) string { return strconv.FormatFloat(100*(x-low)/(high-low), 'f', 2, 64) }
	type row struct {
		Bar
		Left, Width string
		Negative    bool
	}
	var rows []row
	for _, x := range b.Bars {
		lo, hi := min(x.Share, 0), max(x.Share, 0)
		rows = append(rows, row{x, at(lo), at(low + hi - lo), x.Share < 0})
	}
	return execute("bars", map[string]any{"Rows": rows, "Zero": at(0), "Values": values, "For": css(b.For), "Against": css(b.Against)})
}
