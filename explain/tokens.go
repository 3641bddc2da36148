package explain

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/gtk-onnx/gtk/internal/report"
)

// Sizes of charts in pixels.
const (
	chartWidth  = 720
	chartText   = 14
	chartMargin = 14
	maxChart    = 1 << 14 // height
)

// voice is the colour of what speaks for the class by share, from -1 to 1, and how much of it covers the paper.
func (r Render) voice(share float64) (color.NRGBA, float64) {
	if share < 0 {
		return r.Diverging.At(0), -share
	}
	return r.Diverging.At(1), share
}

// onPaper is c over white paper with opacity a.
func onPaper(c color.NRGBA, a float64) color.NRGBA {
	return color.NRGBA{mix(255, c.R, a), mix(255, c.G, a), mix(255, c.B, a), 255}
}

// visible is a token as it is shown: signs for white space that would not be seen, and for control characters.
func visible(token string) string {
	if token == "" {
		return "·"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return '¶'
		case r == '\t':
			return '→'
		case r < ' ':
			return 0x2400 + r
		case r == 0x7f:
			return 0x2421
		}
		return r
	}, strings.ToValidUTF8(token, "\uFFFD"))
}

// apart reports whether tokens are words, which a gap must keep apart, rather than pieces of a running text.
func apart(tokens []string) bool {
	words := false
	for _, t := range tokens {
		if strings.ContainsAny(t, " \n\t") {
			return false
		}
		words = words || utf8.RuneCountInString(t) > 1
	}
	return words
}

// RenderTokens is a strip of text that wraps at 720 pixels, each token on the colour of its relevance: as strong as its share of the
// largest, in the colours of the ends of r.Diverging.
func RenderTokens(tokens []string, relevance []float32, r Render) (*image.NRGBA, error) {
	if len(tokens) != len(relevance) {
		return nil, fmt.Errorf("explain: %d tokens and %d values of relevance", len(tokens), len(relevance))
	}
	share, err := r.shares("token", relevance)
	if err != nil {
		return nil, err
	}
	l, err := newLettering(r.Fonts, chartText, false)
	if err != nil {
		return nil, err
	}
	row, gap := l.line+4, 1
	if apart(tokens) {
		gap = 6
	}
	type placed struct {
		box  image.Rectangle
		text string
	}
	var boxes []placed
	x, y := chartMargin, chartMargin
	for _, t := range tokens {
		s := l.fit(visible(t), chartWidth-2*chartMargin-2)
		w := l.width(s) + 2
		if x+w > chartWidth-chartMargin && x > chartMargin {
			x, y = chartMargin, y+row
		}
		boxes = append(boxes, placed{image.Rect(x, y, x+w, y+l.line+1), s})
		x += w + gap
		if strings.HasSuffix(t, "\n") {
			x, y = chartMargin, y+row
		}
	}
	height := chartMargin + l.line + 1
	if n := len(boxes); n > 0 {
		height = boxes[n-1].box.Max.Y
	}
	if height += chartMargin; height > maxChart {
		const format = "explain: %d tokens take %d rows of pixels; the limit is %d: explain a shorter text"
		return nil, fmt.Errorf(format, len(tokens), height, maxChart)
	}
	out := newPaper(chartWidth, height)
	for i, b := range boxes {
		c, a := r.voice(share[0][i])
		c = onPaper(c, a)
		draw.Draw(out, b.box, image.NewUniform(c), image.Point{}, draw.Src)
		l.write(out, b.box.Min.X+1, b.box.Min.Y, b.text, report.Ink(c))
	}
	return out, nil
}

// newPaper is a white picture.
func newPaper(w, h int) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.Draw(out, out.Bounds(), image.NewUniform(panelPaper), image.Point{}, draw.Src)
	return out
}

// tokenBlock is RenderTokens for a page: text that can be selected.
func (r Render) tokenBlock(tokens []string, relevance []float32) (report.Block, error) {
	share, err := r.shares("token", relevance)
	if err != nil {
		return nil, err
	}
	out := report.Tokens{Apart: apart(tokens)}
	for i, t := range tokens {
		c, a := r.voice(share[0][i])
		c.A = uint8(math.Round(255 * a))
		out.Tokens = append(out.Tokens, report.Token{Text: t, Color: c, Title: amount(relevance[i])})
	}
	return out, nil
}
