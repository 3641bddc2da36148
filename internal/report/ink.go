package report

import (
	"fmt"
	"html/template"
	"image/color"
	"math"
)

// Papers of the two looks of a page, as report.css has them, and the inks of text on colours.
var (
	lightPaper, darkPaper = color.NRGBA{0xff, 0xff, 0xff, 255}, color.NRGBA{0x17, 0x1b, 0x24, 255}
	black, white          = color.NRGBA{0, 0, 0, 255}, color.NRGBA{255, 255, 255, 255}
)

// Ink is black or white, whichever is read better on c: with a contrast of at least 4.5 on any.
func Ink(c color.NRGBA) color.NRGBA {
	if contrast(c, black) >= contrast(c, white) {
		return black
	}
	return white
}

// contrast is the ratio of the luminances of two opaque colours, from 1 to 21.
//
// Source: https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio
func contrast(a, b color.NRGBA) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(c color.NRGBA) float64 {
	part := func(v uint8) float64 {
		if x := float64(v) / 255; x > 0.04045 {
			return math.Pow((x+0.055)/1.055, 2.4)
		} else {
			return x / 12.92
		}
	}
	return 0.2126*part(c.R) + 0.7152*part(c.G) + 0.0722*part(c.B)
}

// over is c, with its opacity, over an opaque paper.
func over(c, paper color.NRGBA) color.NRGBA {
	part := func(a, b uint8) uint8 { return uint8((int(a)*int(c.A) + int(b)*(255-int(c.A)) + 127) / 255) }
	return color.NRGBA{part(c.R, paper.R), part(c.G, paper.G), part(c.B, paper.B), 255}
}

// css is c for a style sheet.
func css(c color.NRGBA) template.CSS {
	if c.A == 255 {
		return template.CSS(fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B))
	}
	return template.CSS(fmt.Sprintf("#%02x%02x%02x%02x", c.R, c.G, c.B, c.A))
}
