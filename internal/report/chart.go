package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Series is a line of a chart. Points whose X or Y is not finite are left out.
type Series struct {
	Name string
	X, Y []float64 // X nil means 0, 1, 2, …
}

// Mark is a vertical line at X with a label.
type Mark struct {
	X     float64
	Label string
}

// LineChart is lines over one pair of axes.
type LineChart struct {
	Title, XLabel, YLabel string
	Series                []Series
	Marks                 []Mark
	LogX, LogY            bool // logarithmic axes; numbers not above 0 are left out
	Points                bool // points that no line joins
}

// Histogram counts values in bins of equal width.
type Histogram struct {
	Title, XLabel string
	Values        []float64 // those that are not finite are left out
	Bins          int       // 0 chooses by the number of values
	Marks         []Mark
}

// Frame of a chart in SVG units.
const (
	chartW, chartH                    = 720, 300
	chartLeft, chartRight             = 58, 704
	chartTop, chartBottom             = 26, 252
	maxPoints                         = 1000 // drawn of one line
	paletteSize                       = 8
	wantXTicks, wantYTicks            = 7, 5
	chartTickY, chartLabelY, chartTxt = chartBottom + 17, chartBottom + 38, 4
)

type chartTick struct {
	At, TextAt string
	Label      string
}

type chartLine struct {
	Name, Points string
	Class        int
}

type chartBar struct{ X, Y, W, H, Title string }

// chartEqual is the line on which x and y are equal.
type chartEqual struct{ X1, X2, Y1, Y2 string }

type chartMark struct{ At, TextAt, Anchor, Label string }

type chartView struct {
	Title, XLabel, YLabel  string
	XTicks, YTicks         []chartTick
	Lines                  []chartLine
	Bars                   []chartBar
	Dots                   []chartDot
	Equal                  *chartEqual
	Marks                  []chartMark
	W, H, Left, Right      int
	Top, Bottom            int
	TickX, TickY           int
	MidX, XLabelY, YLabelY int
	MarkY                  int
}

func newChart(title, x, y string) chartView {
	return chartView{
		Title: title, XLabel: x, YLabel: y, W: chartW, H: chartH, Left: chartLeft, Right: chartRight, Top: chartTop, Bottom: chartBottom,
		TickX: chartLeft - 8, TickY: chartTickY, MidX: (chartLeft + chartRight) / 2, XLabelY: chartLabelY, YLabelY: chartTop - 10,
		MarkY: chartTop + 10,
	}
}

// charWidth is about how wide a digit is.
const charWidth = 8

// ViewBox is what is seen of the drawing, with room at the left for long labels.
func (v chartView) ViewBox() string {
	over := 0
	for _, t := range v.YTicks {
		over = max(over, charWidth*utf8.RuneCountInString(t.Label)-v.TickX)
	}
	return fmt.Sprintf("%d 0 %d %d", -over, v.W+over, v.H)
}

// axis maps numbers to a coordinate of the drawing.
type axis struct {
	lo, hi   float64 // after log
	from, to float64
	log      bool
}

func (a axis) ok(x float64) bool {
	return !math.IsNaN(x) && !math.IsInf(x, 0) && (!a.log || x > 0)
}

func (a axis) at(x float64) float64 {
	if a.log {
		x = math.Log10(x)
	}
	return a.from + (x-a.lo)/(a.hi-a.lo)*(a.to-a.from)
}

// newAxis covers all of xs that can be drawn; without any it covers 0 to 1 (1 to 10 in log).
func newAxis(xs []float64, from, to float64, log bool) axis {
	a := axis{from: from, to: to, log: log, lo: math.Inf(1), hi: math.Inf(-1)}
	for _, x := range xs {
		if !a.ok(x) {
			continue
		}
		if log {
			x = math.Log10(x)
		}
		a.lo, a.hi = min(a.lo, x), max(a.hi, x)
	}
	if a.lo > a.hi {
		a.lo, a.hi = 0, 1
	}
	if a.hi-a.lo < 1e-9*max(abs(a.lo), abs(a.hi), 1e-30) {
		d := max(abs(a.lo)/10, 1e-3)
		a.lo, a.hi = a.lo-d, a.hi+d
	}
	if log { // so that ticks are finite
		a.lo, a.hi = max(a.lo, -307), min(a.hi, 307)
	}
	return a
}

// widen extends a linear axis to whole ticks.
func (a axis) widen(ticks int) axis {
	if !a.log {
		s := step(a.hi-a.lo, ticks)
		a.lo, a.hi = math.Floor(a.lo/s+1e-9)*s, math.Ceil(a.hi/s-1e-9)*s
	}
	return a
}

// step is a round distance between ticks, so that about n cover span.
func step(span float64, n int) float64 {
	raw := span / float64(n)
	p := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 2.5, 5} {
		if raw <= m*p*1.0001 {
			return m * p
		}
	}
	return 10 * p
}

// ticks are about n round numbers on the axis.
func (a axis) ticks(n int) []float64 {
	var out []float64
	if a.log && a.hi-a.lo >= 1 {
		s := max(1, math.Ceil((a.hi-a.lo)/float64(n)))
		of := []float64{1} // of each decade
		if a.hi-a.lo < 2.5 {
			of = []float64{1, 2, 5}
		}
		first := math.Ceil(a.lo - 1e-9)
		if len(of) > 1 {
			first-- // whose 2 and 5 may lie on the axis
		}
		for e := first; e <= a.hi+1e-9; e += s {
			for _, m := range of {
				if at := e + math.Log10(m); at >= a.lo-1e-9 && at <= a.hi+1e-9 {
					out = append(out, m*math.Pow(10, e))
				}
			}
		}
		return out
	}
	lo, hi := a.lo, a.hi
	if a.log {
		lo, hi = math.Pow(10, lo), math.Pow(10, hi)
	}
	s := step(hi-lo, n)
	for k := math.Ceil(lo/s - 1e-9); k*s <= hi+s*1e-9 && len(out) < 50; k++ {
		out = append(out, k*s)
	}
	return out
}

func coord(x float64) string { return strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64) }

func number(x float64) string {
	if x == 0 {
		return "0"
	}
	if a := abs(x); a >= 1e5 || a < 1e-3 {
		return strings.Replace(strconv.FormatFloat(x, 'g', 3, 64), "e-0", "e-", 1)
	}
	return strconv.FormatFloat(math.Round(x*1e6)/1e6, 'f', -1, 64)
}

func (v *chartView) axes(x, y axis) {
	for _, t := range x.ticks(wantXTicks) {
		v.XTicks = append(v.XTicks, chartTick{At: coord(x.at(t)), Label: number(t)})
	}
	for _, t := range y.ticks(wantYTicks) {
		v.YTicks = append(v.YTicks, chartTick{At: coord(y.at(t)), TextAt: coord(y.at(t) + chartTxt), Label: number(t)})
	}
}

func (v *chartView) marks(ms []Mark, x axis) {
	for _, m := range ms {
		if !x.ok(m.X) {
			continue
		}
		p := x.at(m.X)
		c := chartMark{At: coord(p), TextAt: coord(p + 5), Anchor: "start", Label: m.Label}
		if p > (chartLeft+chartRight)/2 {
			c.TextAt, c.Anchor = coord(p-5), "end"
		}
		v.Marks = append(v.Marks, c)
	}
}

func (c LineChart) render(*page) (template.HTML, error) {
	var xs, ys []float64
	for i, s := range c.Series {
		if s.X != nil && len(s.X) != len(s.Y) {
			return "", fmt.Errorf("report: chart %q: series %d has %d x and %d y", c.Title, i, len(s.X), len(s.Y))
		}
		for k, y := range s.Y {
			xs, ys = append(xs, s.x(k)), append(ys, y)
		}
	}
	for _, m := range c.Marks {
		xs = append(xs, m.X)
	}
	x := newAxis(xs, chartLeft, chartRight, c.LogX)
	y := newAxis(ys, chartBottom, chartTop, c.LogY).widen(wantYTicks)
	v := newChart(c.Title, c.XLabel, c.YLabel)
	v.axes(x, y)
	for i, s := range c.Series {
		l := chartLine{Name: s.Name, Points: s.points(x, y), Class: i % paletteSize}
		if c.Points {
			l.Points = ""
			for k, y0 := range s.Y {
				if x.ok(s.x(k)) && y.ok(y0) && len(v.Dots) < maxDots {
					v.Dots = append(v.Dots, chartDot{coord(x.at(s.x(k))), coord(y.at(y0)), l.Class})
				}
			}
		}
		if px, py, ok := strings.Cut(l.Points, ","); ok && !strings.Contains(l.Points, " ") { // a line of one point
			v.Dots = append(v.Dots, chartDot{px, py, l.Class})
		}
		v.Lines = append(v.Lines, l)
	}
	v.marks(c.Marks, x)
	return execute("chart", v)
}

func (s Series) x(k int) float64 {
	if s.X == nil {
		return float64(k)
	}
	return s.X[k]
}

// points are the coordinates of the line. Of long ones the extremes of each stretch are kept.
func (s Series) points(x, y axis) string {
	var keep []int
	for k := range s.Y {
		if x.ok(s.x(k)) && y.ok(s.Y[k]) {
			keep = append(keep, k)
		}
	}
	if len(keep) > maxPoints {
		var thin []int
		stretch := (2*len(keep) + maxPoints - 1) / maxPoints
		for part := range slices.Chunk(keep, stretch) {
			lo, hi := part[0], part[0]
			for _, k := range part {
				if s.Y[k] < s.Y[lo] {
					lo = k
				}
				if s.Y[k] > s.Y[hi] {
					hi = k
				}
			}
			thin = append(thin, min(lo, hi))
			if lo != hi {
				thin = append(thin, max(lo, hi))
			}
		}
		keep = thin
	}
	var b strings.Builder
	for i, k := range keep {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s,%s", coord(x.at(s.x(k))), coord(y.at(s.Y[k])))
	}
	return b.String()
}

func (h Histogram) render(*page) (template.HTML, error) {
	var vs []float64
	for _, v := range h.Values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			vs = append(vs, v)
		}
	}
	bins := h.Bins
	if bins <= 0 {
		bins = min(max(int(2*math.Cbrt(float64(len(vs)))), 8), 60) // Rice's rule
	}
	bins = min(bins, 400)
	all := slices.Clone(vs)
	for _, m := range h.Marks {
		all = append(all, m.X)
	}
	x := newAxis(all, chartLeft, chartRight, false)
	counts := make([]float64, bins)
	width := (x.hi - x.lo) / float64(bins)
	for _, v := range vs {
		counts[min(int((v-x.lo)/width), bins-1)]++
	}
	y := newAxis(append(counts, 0), chartBottom, chartTop, false).widen(wantYTicks)
	y.lo = 0
	view := newChart(h.Title, h.XLabel, "count")
	view.axes(x, y)
	for i, n := range counts {
		if n == 0 {
			continue
		}
		a, b := x.lo+float64(i)*width, x.lo+float64(i+1)*width
		view.Bars = append(view.Bars, chartBar{
			X: coord(x.at(a) + 0.5), Y: coord(y.at(n)), W: coord(max(x.at(b)-x.at(a)-1, 0.5)), H: coord(chartBottom - y.at(n)),
			Title: fmt.Sprintf("%s to %s: %d", number(a), number(b), int(n)),
		})
	}
	view.marks(h.Marks, x)
	return execute("chart", view)
}
