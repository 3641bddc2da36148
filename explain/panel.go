package explain

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/font/inconsolata"
	"golang.org/x/image/math/fixed"
)

// Panel is a sheet of pictures: rows of images, columns of methods.
type Panel struct {
	Columns []string
	Rows    [][]PanelCell
	Legends []*Colormap // drawn beneath, low to high
}

// PanelCell is a picture with a line beneath; a nil Image leaves its place empty.
type PanelCell struct {
	Image   image.Image
	Caption string
}

// Sizes of a panel in pixels.
const (
	panelCell   = 208 // a picture is enlarged by a whole factor until its longer side is about this
	panelMargin = 20
	panelGap    = 12
	fontWidth   = 8
	fontHeight  = 17
	maxPanel    = 1 << 14 // pixels on a side
)

var (
	panelInk   = color.NRGBA{0x17, 0x1a, 0x22, 255}
	panelSoft  = color.NRGBA{0x5b, 0x64, 0x74, 255}
	panelPaper = color.NRGBA{255, 255, 255, 255}
	panelFrame = color.NRGBA{0xd5, 0xda, 0xe2, 255}
)

// Draw makes the picture. Images larger than a cell keep their size; all of a column are as wide as the widest.
func (p Panel) Draw() (*image.NRGBA, error) {
	widths, heights := make([]int, len(p.Columns)), make([]int, len(p.Rows))
	factor := make([][]int, len(p.Rows))
	for i, r := range p.Rows {
		if len(r) > len(p.Columns) {
			return nil, fmt.Errorf("explain: panel: row %d has %d pictures, there are %d columns", i, len(r), len(p.Columns))
		}
		factor[i] = make([]int, len(r))
		for j, c := range r {
			if c.Image == nil {
				continue
			}
			b := c.Image.Bounds()
			f := max(1, panelCell/max(b.Dx(), b.Dy(), 1))
			factor[i][j] = f
			widths[j], heights[i] = max(widths[j], f*b.Dx()), max(heights[i], f*b.Dy())
		}
	}
	heads := 1
	titles := make([][]string, len(p.Columns))
	for j, s := range p.Columns {
		widths[j] = max(widths[j], 12*fontWidth)
		titles[j] = wrap(s, widths[j]/fontWidth, 3)
		heads = max(heads, len(titles[j]))
	}
	W, H := 2*panelMargin-panelGap, 2*panelMargin+heads*fontHeight+4
	captions := make([][][]string, len(p.Rows))
	foot := make([]int, len(p.Rows))
	for _, w := range widths {
		W += w + panelGap
	}
	for i, h := range heights {
		captions[i] = make([][]string, len(p.Rows[i]))
		for j, c := range p.Rows[i] {
			captions[i][j] = wrap(c.Caption, widths[j]/fontWidth, 2)
			foot[i] = max(foot[i], len(captions[i][j]))
		}
		H += h + foot[i]*fontHeight + panelGap
	}
	if len(p.Legends) > 0 {
		H += fontHeight + panelGap
	}
	if W > maxPanel || H > maxPanel {
		return nil, fmt.Errorf("explain: panel: %dx%d pixels; the limit is %d on a side: show fewer images or methods at a time", W, H, maxPanel)
	}
	out := image.NewNRGBA(image.Rect(0, 0, W, H))
	draw.Draw(out, out.Bounds(), image.NewUniform(panelPaper), image.Point{}, draw.Src)
	x := panelMargin
	for j, lines := range titles {
		for k, s := range lines {
			write(out, x, panelMargin+(heads-len(lines)+k)*fontHeight, s, inconsolata.Bold8x16, panelInk)
		}
		x += widths[j] + panelGap
	}
	y := panelMargin + heads*fontHeight + 4
	for i, r := range p.Rows {
		x = panelMargin
		for j, c := range r {
			if c.Image != nil {
				enlarge(out, x, y, c.Image, factor[i][j])
				h := factor[i][j] * c.Image.Bounds().Dy()
				for k, s := range captions[i][j] {
					write(out, x, y+h+2+k*fontHeight, s, inconsolata.Regular8x16, panelSoft)
				}
			}
			x += widths[j] + panelGap
		}
		y += heights[i] + foot[i]*fontHeight + panelGap
	}
	p.drawLegends(out, y)
	return out, nil
}

func (p Panel) drawLegends(out *image.NRGBA, y int) {
	x := panelMargin
	for _, c := range p.Legends {
		low, high := "low", "high"
		if c.Diverging {
			low, high = "against", "for"
		}
		write(out, x, y, low, inconsolata.Regular8x16, panelSoft)
		x += (len(low) + 1) * fontWidth
		for k := range 128 {
			for d := range 10 {
				out.SetNRGBA(x+k, y+4+d, c.lut[2*k])
			}
		}
		x += 128 + fontWidth
		write(out, x, y, high, inconsolata.Regular8x16, panelSoft)
		x += (len(high) + 3) * fontWidth
	}
}

// enlarge draws img at (x,y), each pixel as a square of f, in a thin frame.
func enlarge(out *image.NRGBA, x, y int, img image.Image, f int) {
	b := img.Bounds()
	frame := image.Rect(x-1, y-1, x+f*b.Dx()+1, y+f*b.Dy()+1)
	draw.Draw(out, frame, image.NewUniform(panelFrame), image.Point{}, draw.Src)
	for i := range b.Dy() {
		for j := range b.Dx() {
			c := color.NRGBAModel.Convert(img.At(b.Min.X+j, b.Min.Y+i)).(color.NRGBA)
			for k := range f {
				for l := range f {
					out.SetNRGBA(x+j*f+l, y+i*f+k, c)
				}
			}
		}
	}
}

// write draws s with its top left corner at (x,y).
func write(out *image.NRGBA, x, y int, s string, face *basicfont.Face, c color.Color) {
	d := font.Drawer{Dst: out, Src: image.NewUniform(c), Face: face, Dot: fixed.P(x, y+face.Ascent+1)}
	d.DrawString(s)
}

// wrap breaks s into at most rows lines of at most width characters, after spaces, hyphens and slashes where it can; what does not
// fit is cut with dots.
func wrap(s string, width, rows int) []string {
	if s == "" {
		return nil
	}
	width = max(width, 4)
	rest := []rune(s)
	var lines []string
	for len(rest) > 0 && len(lines) < rows {
		if len(rest) <= width {
			return append(lines, strings.TrimSpace(string(rest)))
		}
		if len(lines) == rows-1 {
			return append(lines, string(rest[:width-2])+"..")
		}
		cut := width
		for k := width; k > width/2; k-- {
			if strings.ContainsRune(" -/.,", rest[k-1]) {
				cut = k
				break
			}
		}
		lines = append(lines, strings.TrimSpace(string(rest[:cut])))
		rest = rest[cut:]
	}
	return lines
}
