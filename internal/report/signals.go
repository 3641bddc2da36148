package report

import (
	"fmt"
	"html/template"
	"image/color"
	"math"
	"strconv"
)

// Signal is a line over bands of colour.
type Signal struct {
	Name   string
	Values []float64
	Bands  []float64 // stretches of equal length, from -1 to 1: how strong the colour is
}

// Signals are lines one above the other over the same moments, each with a scale of its own.
type Signals struct {
	Signals      []Signal
	For, Against color.NRGBA // of bands above and below 0
	XLabel       string
}

// Frame of a signal in SVG units.
const (
	signalName = 18 // room for the name above
	signalPlot = 84
	signalStep = signalName + signalPlot + 12
	signalFoot = 40
	signalEdge = 6 // from the frame to the extremes
)

type signalView struct {
	Name                 string
	NameY, Top, LowY     string
	High, Low, HighY     string
	Lines                []string
	Bands                []signalBand
	Plot, Left, PlotSize int
}

type signalBand struct {
	X, W, Opacity, Title string
	Against              bool
}

func (s Signals) render(*page) (template.HTML, error) {
	n := 0
	for _, x := range s.Signals {
		n = max(n, len(x.Values))
	}
	foot := signalFoot
	if s.XLabel == "" {
		foot /= 2
	}
	h := signalStep*len(s.Signals) + foot
	left, right := chartLeft, chartRight
	x := axis{lo: 0, hi: float64(max(n, 1)), from: float64(left), to: float64(right)} // value k stands at k+½
	var views []signalView
	for i, sig := range s.Signals {
		if len(sig.Values) != n {
			return "", fmt.Errorf("report: signal %q has %d values, another %d", sig.Name, len(sig.Values), n)
		}
		top := i*signalStep + signalName
		y := newAxis(sig.Values, float64(top+signalPlot-signalEdge), float64(top+signalEdge), false)
		v := signalView{
			Name: sig.Name, NameY: coord(float64(top - 6)), Top: coord(float64(top)),
			HighY: coord(float64(top + 10)), LowY: coord(float64(top + signalPlot - 2)),
			Left: left, Plot: signalPlot, PlotSize: right - left, High: tick(y.hi, y.hi-y.lo), Low: tick(y.lo, y.hi-y.lo),
		}
		v.Lines = sig.lines(x, y)
		for k, share := range sig.Bands {
			if math.Abs(share) < 1.0/256 || math.IsNaN(share) {
				continue
			}
			a, b := x.at(float64(n)*float64(k)/float64(len(sig.Bands))), x.at(float64(n)*float64(k+1)/float64(len(sig.Bands)))
			v.Bands = append(v.Bands, signalBand{
				X: coord(a), W: coord(b - a), Opacity: fmt.Sprintf("%.2f", min(math.Abs(share), 1)), Against: share < 0,
				Title: bandTitle(k, len(sig.Bands), n, share),
			})
		}
		views = append(views, v)
	}
	var ticks []chartTick
	for _, t := range (axis{lo: 0, hi: float64(max(n-1, 1)), from: x.at(0.5), to: x.at(float64(max(n, 1)) - 0.5)}).ticks(wantXTicks) {
		if t == math.Trunc(t) {
			ticks = append(ticks, chartTick{At: coord(x.at(t + 0.5)), Label: number(t)})
		}
	}
	return execute("signals", map[string]any{
		"Signals": views, "W": chartW, "H": h, "Left": left, "TickX": left - 8, "MidX": (left + right) / 2, "TickY": h - foot + 10,
		"XLabelY": h - 6, "XLabel": s.XLabel, "Ticks": ticks, "For": css(s.For), "Against": css(s.Against),
	})
}

// tick is a number at the axis of a signal of that span, short enough for the room there.
func tick(v, span float64) string {
	if math.Abs(v) < 1e-6*span {
		return "0"
	}
	s := ""
	for figures := 3; figures > 0; figures-- {
		if s = strconv.FormatFloat(v, 'g', figures, 64); len(s) < 8 {
			break
		}
	}
	return s
}

// bandTitle says which moments band k of n moments holds and how strong it is.
func bandTitle(k, bands, n int, share float64) string {
	a, b := k*n/bands, (k+1)*n/bands-1
	if b <= a {
		return fmt.Sprintf("%d: %+.2f", a, share)
	}
	return fmt.Sprintf("%d to %d: %+.2f", a, b, share)
}

// lines are the coordinates of the values, broken where one is not finite.
func (s Signal) lines(x, y axis) (out []string) {
	from := 0
	flush := func(to int) {
		if from == to {
			return
		}
		var xs []float64
		for k := from; k < to; k++ {
			xs = append(xs, float64(k)+0.5)
		}
		ys := s.Values[from:to]
		if len(ys) == 1 { // a dash
			xs, ys = []float64{xs[0] - 0.4, xs[0] + 0.4}, []float64{ys[0], ys[0]}
		}
		out = append(out, Series{X: xs, Y: ys}.points(x, y))
	}
	for k, v := range s.Values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			flush(k)
			from = k + 1
		}
	}
	flush(len(s.Values))
	return out
}
