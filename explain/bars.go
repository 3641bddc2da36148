package explain

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"
	"strconv"

	"github.com/gtk-onnx/gtk/internal/report"
)

// mostBars is how many bars there are where Render.Most says nothing.
const mostBars = 30

// bar is a row of a bar chart.
type bar struct {
	name, value, amount string
	share               float64 // of the largest, from -1 to 1
}

// bars are the rows of a bar chart: the strongest first unless r.InOrder, at most r.Most; the rest is added up in the last.
func (r Render) bars(names, values []string, relevance []float32) ([]bar, error) {
	if len(names) != len(relevance) || values != nil && len(values) != len(names) {
		return nil, fmt.Errorf("explain: %d names, %d values and %d values of relevance", len(names), len(values), len(relevance))
	}
	share, err := shares("column", relevance)
	if err != nil {
		return nil, err
	}
	order := make([]int, len(names))
	for i := range order {
		order[i] = i
	}
	size := func(i int) float64 { return math.Abs(share[0][i]) }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(size(b), size(a)) })
	most := r.Most
	if most <= 0 {
		most = mostBars
	}
	kept := order[:min(most, len(order))]
	rest := order[len(kept):]
	if r.InOrder {
		slices.Sort(kept)
	}
	var rows []bar
	for _, i := range kept {
		b := bar{name: names[i], amount: amount(relevance[i]), share: share[0][i]}
		if values != nil {
			b.value = values[i]
		}
		rows = append(rows, b)
	}
	if len(rest) > 0 {
		var sum, part float64
		for _, i := range rest {
			sum, part = sum+float64(relevance[i]), part+share[0][i]
		}
		rows = append(rows, bar{name: fmt.Sprintf("%d more", len(rest)), amount: amount(float32(sum)), share: min(max(part, -1), 1)})
	}
	return rows, nil
}

// amount is v in three digits with its sign.
func amount(v float32) string {
	s := strconv.FormatFloat(float64(v), 'g', 3, 32)
	if v > 0 {
		s = "+" + s
	} else if v < 0 {
		s = "−" + s[1:]
	}
	return s
}

// RenderBars is a bar for each column of a row of a table, to the right where it speaks for the class and to the left where against:
// name, value (values may be nil), bar and relevance. The strongest are first unless r.InOrder; r.Most limits their number.
func RenderBars(names, values []string, relevance []float32, r Render) (*image.NRGBA, error) {
	rows, err := r.bars(names, values, relevance)
	if err != nil {
		return nil, err
	}
	l, err := newLettering(r.Fonts, chartText, false)
	if err != nil {
		return nil, err
	}
	room := chartWidth - 2*chartMargin
	var nameW, valueW, amountW int
	var low, high float64
	for _, b := range rows {
		nameW, valueW, amountW = max(nameW, l.width(b.name)), max(valueW, l.width(b.value)), max(amountW, l.width(b.amount))
		low, high = min(low, b.share), max(high, b.share)
	}
	nameW, valueW = min(nameW, room*35/100), min(valueW, room*20/100)
	const gap, thick = 10, 14
	left := chartMargin + nameW + gap
	if valueW > 0 {
		left += valueW + gap
	}
	right := chartWidth - chartMargin
	if low < 0 {
		left += amountW + 6
	}
	right -= amountW + 6
	if high == low {
		high = 1
	}
	at := func(share float64) int {
		return left + int(math.Round((share-low)/(high-low)*float64(max(right-left, 1))))
	}
	step := l.line + 6
	height := 2*chartMargin + step*len(rows)
	if height > maxChart {
		return nil, fmt.Errorf("explain: %d bars take %d rows of pixels; the limit is %d: show fewer", len(rows), height, maxChart)
	}
	out := newPaper(chartWidth, height)
	zero := at(0)
	draw.Draw(out, image.Rect(zero, chartMargin, zero+1, height-chartMargin), image.NewUniform(panelFrame), image.Point{}, draw.Src)
	for i, b := range rows {
		y := chartMargin + i*step
		name, value := l.fit(b.name, nameW), l.fit(b.value, valueW)
		l.write(out, chartMargin+nameW-l.width(name), y+1, name, panelInk)
		if valueW > 0 {
			l.write(out, chartMargin+nameW+gap, y+1, value, panelSoft)
		}
		c, _ := r.voice(b.share)
		end, top := at(b.share), y+(step-thick)/2
		box := image.Rect(min(zero, end), top, max(zero, end), top+thick)
		draw.Draw(out, box, image.NewUniform(c), image.Point{}, draw.Src)
		var ink color.Color = panelInk
		if b.share < 0 {
			l.write(out, end-6-l.width(b.amount), y+1, b.amount, ink)
		} else {
			l.write(out, end+6, y+1, b.amount, ink)
		}
	}
	return out, nil
}

// barBlock is RenderBars for a page.
func (r Render) barBlock(row Row, relevance []float32) (report.Block, error) {
	bars, err := r.bars(row.Names, row.Values, relevance)
	if err != nil {
		return nil, err
	}
	out := report.Bars{For: r.Diverging.At(1), Against: r.Diverging.At(0)}
	for _, b := range bars {
		out.Bars = append(out.Bars, report.Bar{Name: b.name, Value: b.value, Amount: b.amount, Share: b.share})
	}
	return out, nil
}
