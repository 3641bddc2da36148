package explain

import (
	"cmp"
	"fmt"
	"image"
	"image/draw"
	"math"
	"slices"
	"strconv"

	"github.com/gtk-onnx/gtk/internal/report"
	raster "golang.org/x/image/vector"
)

// mostChannels is how many channels of a series are shown where Render.Most says nothing.
const mostChannels = 12

// channel is one line of a series.
type channel struct {
	name      string
	values    []float32
	share     []float64 // of the largest relevance of all channels, from -1 to 1
	low, high float64   // of the finite values
}

// channels are those of a series that are shown, at most r.Most: those of the largest relevance in all, in their order. left is how many
// more there are.
func (r Render) channels(values, relevance [][]float32, names []string) (out []channel, left int, err error) {
	if len(values) == 0 || len(values[0]) == 0 {
		return nil, 0, fmt.Errorf("explain: the series is empty")
	}
	if len(relevance) != len(values) || names != nil && len(names) != len(values) {
		return nil, 0, fmt.Errorf("explain: %d channels, %d names and relevance for %d", len(values), len(names), len(relevance))
	}
	for c, v := range values {
		if len(v) != len(values[0]) || len(relevance[c]) != len(v) {
			const format = "explain: channel %d has %d values and %d of relevance, the first has %d"
			return nil, 0, fmt.Errorf(format, c, len(v), len(relevance[c]), len(values[0]))
		}
	}
	share, err := r.shares("moment", relevance...)
	if err != nil {
		return nil, 0, err
	}
	total := func(c int) (sum float64) {
		for _, s := range share[c] {
			sum += math.Abs(s)
		}
		return sum
	}
	order := make([]int, len(values))
	for c := range order {
		order[c] = c
	}
	most := r.Most
	if most <= 0 {
		most = mostChannels
	}
	if len(order) > most {
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(total(b), total(a)) })
		order = order[:most]
		slices.Sort(order)
	}
	for _, c := range order {
		ch := channel{values: values[c], share: share[c], low: math.Inf(1), high: math.Inf(-1)}
		if ch.name = fmt.Sprintf("channel %d", c); names != nil {
			ch.name = names[c]
		}
		for _, v := range values[c] {
			if x := float64(v); !math.IsNaN(x) && !math.IsInf(x, 0) {
				ch.low, ch.high = min(ch.low, x), max(ch.high, x)
			}
		}
		if ch.low > ch.high {
			ch.low, ch.high = 0, 0
		}
		out = append(out, ch)
	}
	return out, len(values) - len(out), nil
}

// bands are the moments of ch in at most n stretches, each with the strongest share in it.
func (ch channel) bands(n int) []float64 {
	n = min(n, len(ch.share))
	out := make([]float64, n)
	for i := range out {
		for _, s := range ch.share[i*len(ch.share)/n : (i+1)*len(ch.share)/n] {
			if math.Abs(s) > math.Abs(out[i]) {
				out[i] = s
			}
		}
	}
	return out
}

// RenderSeries is a line for each channel of values [C][L] over bands of colour, as strong as the relevance [C][L] of the moment. names may
// be nil. All channels share one scale of relevance, each has its own of values.
func RenderSeries(values, relevance [][]float32, names []string, r Render) (*image.NRGBA, error) {
	channels, left, err := r.channels(values, relevance, names)
	if err != nil {
		return nil, err
	}
	l, err := newLettering(r.Fonts, chartText, false)
	if err != nil {
		return nil, err
	}
	const plot, gap = 84, 10
	axis := 0
	for _, ch := range channels {
		axis = max(axis, l.width(ch.tick(ch.low)), l.width(ch.tick(ch.high)))
	}
	x0, x1 := chartMargin+axis+8, chartWidth-chartMargin
	step := l.line + plot + gap
	height := 2*chartMargin + step*len(channels) + l.line
	if height > maxChart {
		return nil, fmt.Errorf("explain: %d channels take %d rows of pixels; the limit is %d: show fewer", len(channels), height, maxChart)
	}
	out := newPaper(chartWidth, height)
	for i, ch := range channels {
		y := chartMargin + i*step
		l.write(out, x0, y, l.fit(ch.name, x1-x0), panelInk)
		box := image.Rect(x0, y+l.line, x1, y+l.line+plot)
		draw.Draw(out, box.Inset(-1), image.NewUniform(panelFrame), image.Point{}, draw.Src)
		bands := ch.bands(box.Dx())
		for k, s := range bands {
			c, a := r.voice(s)
			stretch := image.Rect(x0+k*box.Dx()/len(bands), box.Min.Y, x0+(k+1)*box.Dx()/len(bands), box.Max.Y)
			draw.Draw(out, stretch, image.NewUniform(onPaper(c, a)), image.Point{}, draw.Src)
		}
		ch.line(out, box)
		high, low := ch.tick(ch.high), ch.tick(ch.low)
		l.write(out, x0-8-l.width(high), box.Min.Y-3, high, panelSoft)
		if low != high {
			l.write(out, x0-8-l.width(low), box.Max.Y-l.line+3, low, panelSoft)
		}
	}
	y := chartMargin + step*len(channels) - gap + 2
	last := strconv.Itoa(len(values[0]) - 1)
	l.write(out, x0, y, "0", panelSoft)
	l.write(out, x1-l.width(last), y, last, panelSoft)
	if left > 0 {
		more := fmt.Sprintf("%d more channels are not shown", left)
		l.write(out, (x0+x1-l.width(more))/2, y, more, panelSoft)
	}
	return out, nil
}

// tick is a number at the axis of ch.
func (ch channel) tick(v float64) string {
	if math.Abs(v) < 1e-6*(ch.high-ch.low) {
		return "0"
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// line draws the values of ch into box, broken where they are not finite. Each value stands in the middle of its band.
func (ch channel) line(out *image.NRGBA, box image.Rectangle) {
	const half, inset = 0.9, 5
	z := raster.NewRasterizer(box.Dx(), box.Dy())
	span := ch.high - ch.low
	at := func(i int) (x, y float32, ok bool) {
		v := float64(ch.values[i])
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return 0, 0, false
		}
		share := 0.5
		if span > 0 {
			share = (v - ch.low) / span
		}
		x = (float32(i) + 0.5) * float32(box.Dx()) / float32(len(ch.values))
		return x, inset + float32(1-share)*float32(box.Dy()-2*inset), true
	}
	for i := range ch.values {
		xa, ya, ok := at(i)
		if !ok {
			continue
		}
		xb, yb := xa+2*half, ya // a dot where no next value is
		if i+1 < len(ch.values) {
			if x, y, ok := at(i + 1); ok {
				xb, yb = x, y
			} else if i > 0 {
				if _, _, before := at(i - 1); before {
					continue
				}
			}
		} else if i > 0 {
			if _, _, before := at(i - 1); before {
				continue
			}
		}
		segment(z, xa, ya, xb, yb, half)
	}
	z.Draw(out, box, image.NewUniform(panelInk), image.Point{})
}

// segment adds a stroke of that half width from a to b with square ends, which cover the corners between strokes.
func segment(z *raster.Rasterizer, xa, ya, xb, yb, half float32) {
	dx, dy := xb-xa, yb-ya
	n := float32(math.Hypot(float64(dx), float64(dy)))
	if n == 0 {
		return
	}
	dx, dy = dx/n*half, dy/n*half
	xa, ya, xb, yb = xa-dx/2, ya-dy/2, xb+dx/2, yb+dy/2
	z.MoveTo(xa-dy, ya+dx)
	z.LineTo(xa+dy, ya-dx)
	z.LineTo(xb+dy, yb-dx)
	z.LineTo(xb-dy, yb+dx)
	z.ClosePath()
}

// maxBands is how many bands of colour a series has at most in a page.
const maxBands = 240

// seriesBlock is RenderSeries for a page.
func (r Render) seriesBlock(s Series, relevance [][]float32) (report.Block, error) {
	channels, left, err := r.channels(s.Values, relevance, s.Names)
	if err != nil {
		return nil, err
	}
	out := report.Signals{For: r.Diverging.At(1), Against: r.Diverging.At(0)}
	for _, ch := range channels {
		sig := report.Signal{Name: ch.name, Bands: ch.bands(maxBands)}
		for _, v := range ch.values {
			sig.Values = append(sig.Values, float64(v))
		}
		out.Signals = append(out.Signals, sig)
	}
	if left > 0 {
		out.XLabel = fmt.Sprintf("%d more channels, of less relevance, are not shown", left)
	}
	return out, nil
}
