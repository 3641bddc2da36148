package explain

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
)

// Panel is a sheet of pictures: rows of images, columns of methods.
type Panel struct {
	Columns []PanelHead
	Rows    [][]PanelCell
	Legends []PanelLegend // drawn beneath
	Fonts   []*Font       // for letters that the fonts of Go do not have
}

// PanelLegend is a strip of colours with a word at each end.
type PanelLegend struct {
	Strip     image.Image
	Low, High string
}

// PanelHead stands over a column: a title, and a line in small letters beneath.
type PanelHead struct{ Title, Detail string }

// PanelCell is a picture with text beneath; a nil Image leaves its place empty. Title and Detail are one line each, which loses its middle
// where it is too long; Caption is as many as it needs, up to four.
type PanelCell struct {
	Image                  image.Image
	Title, Caption, Detail string
	Exact                  bool // the picture is neither enlarged nor reduced: it holds text
}

// Sizes of a panel in pixels.
const (
	panelCell   = 224 // a picture is enlarged by a whole factor until its longer side is about this
	panelLarge  = 384 // or reduced until it is this
	panelMargin = 20
	panelGap    = 14
	panelText   = 13
	panelStrip  = 128     // length of a legend
	maxPanel    = 1 << 14 // pixels on a side
	titleRows   = 3
	captionRows = 4
)

var (
	panelInk   = color.NRGBA{0x17, 0x1a, 0x22, 255}
	panelSoft  = color.NRGBA{0x5b, 0x64, 0x74, 255}
	panelPaper = color.NRGBA{255, 255, 255, 255}
	panelFrame = color.NRGBA{0xd5, 0xda, 0xe2, 255}
)

// panelLine is a line of text: bold for titles, grey for details.
type panelLine struct {
	text       string
	bold, grey bool
}

// panelDrawing is a Panel whose sizes are being found.
type panelDrawing struct {
	Panel
	regular, bold   *lettering
	pictures        [][]image.Image
	widths, heights []int // of the columns, of the pictures of a row
	heads           [][]panelLine
	feet            [][][]panelLine
	headRows        int
	footRows        []int
}

// Draw makes the picture. All of a column are as wide as the widest.
func (p Panel) Draw() (*image.NRGBA, error) {
	d := &panelDrawing{Panel: p}
	var err error
	if d.regular, err = newLettering(p.Fonts, panelText, false); err != nil {
		return nil, err
	}
	if d.bold, err = newLettering(p.Fonts, panelText, true); err != nil {
		return nil, err
	}
	w, h, err := d.measure()
	if err != nil {
		return nil, err
	}
	out := newPaper(w, h)
	d.draw(out)
	return out, nil
}

// measure finds the sizes of everything, and with them that of the panel.
func (d *panelDrawing) measure() (w, h int, err error) {
	d.widths, d.heights = make([]int, len(d.Columns)), make([]int, len(d.Rows))
	d.footRows = make([]int, len(d.Rows))
	for i, row := range d.Rows {
		if len(row) > len(d.Columns) {
			return 0, 0, fmt.Errorf("explain: panel: row %d has %d pictures, there are %d columns", i, len(row), len(d.Columns))
		}
		pictures := make([]image.Image, len(row))
		for j, c := range row {
			if c.Image == nil {
				continue
			}
			pictures[j] = c.sized()
			b := pictures[j].Bounds()
			d.widths[j], d.heights[i] = max(d.widths[j], b.Dx()), max(d.heights[i], b.Dy())
		}
		d.pictures = append(d.pictures, pictures)
	}
	for j, c := range d.Columns {
		d.widths[j] = max(d.widths[j], panelCell/2)
		var lines []panelLine
		for _, s := range d.bold.wrap(c.Title, d.widths[j], titleRows) {
			lines = append(lines, panelLine{text: s, bold: true})
		}
		if c.Detail != "" {
			lines = append(lines, panelLine{text: d.regular.fit(c.Detail, d.widths[j]), grey: true})
		}
		d.heads = append(d.heads, lines)
		d.headRows = max(d.headRows, len(lines))
	}
	w, h = 2*panelMargin-panelGap, 2*panelMargin+d.headRows*d.regular.line+4-panelGap
	for _, v := range d.widths {
		w += v + panelGap
	}
	for i, row := range d.Rows {
		feet := make([][]panelLine, len(row))
		for j, c := range row {
			feet[j] = d.foot(c, d.widths[j])
			if c.Image != nil {
				d.footRows[i] = max(d.footRows[i], len(feet[j]))
			} else { // text in the place of the picture
				d.heights[i] = max(d.heights[i], len(feet[j])*d.regular.line)
			}
		}
		d.feet = append(d.feet, feet)
		h += d.heights[i] + d.footRows[i]*d.regular.line + panelGap
	}
	if len(d.Legends) > 0 {
		h += d.regular.line + panelGap
	}
	if w > maxPanel || h > maxPanel {
		return 0, 0, fmt.Errorf("explain: panel: %dx%d pixels; the limit is %d on a side: show fewer images or methods at a time", w, h, maxPanel)
	}
	return w, h, nil
}

// sized is the picture of c enlarged in whole pixels, or reduced.
func (c PanelCell) sized() image.Image {
	if c.Exact {
		return c.Image
	}
	b := c.Image.Bounds()
	if long := max(b.Dx(), b.Dy(), 1); long < panelLarge {
		return enlarged(c.Image, max(1, panelCell/long))
	}
	return shrunk(c.Image, panelLarge)
}

// foot is the text beneath c.
func (d *panelDrawing) foot(c PanelCell, width int) (lines []panelLine) {
	if c.Title != "" {
		lines = append(lines, panelLine{text: d.bold.fit(c.Title, width), bold: true})
	}
	for _, s := range d.regular.wrap(c.Caption, width, captionRows) {
		lines = append(lines, panelLine{text: s})
	}
	if c.Detail != "" {
		lines = append(lines, panelLine{text: d.regular.fit(c.Detail, width), grey: true})
	}
	return lines
}

func (d *panelDrawing) write(out *image.NRGBA, x, y int, lines []panelLine) {
	for _, l := range lines {
		face, ink := d.regular, panelInk
		if l.bold {
			face = d.bold
		}
		if l.grey {
			ink = panelSoft
		}
		face.write(out, x, y, l.text, ink)
		y += d.regular.line
	}
}

func (d *panelDrawing) draw(out *image.NRGBA) {
	x, y := panelMargin, panelMargin
	for j, lines := range d.heads {
		d.write(out, x, y+(d.headRows-len(lines))*d.regular.line, lines)
		x += d.widths[j] + panelGap
	}
	y += d.headRows*d.regular.line + 4
	for i, row := range d.pictures {
		x = panelMargin
		for j, img := range row {
			below := y
			if img != nil {
				box := img.Bounds().Sub(img.Bounds().Min).Add(image.Pt(x, y))
				draw.Draw(out, box.Inset(-1), image.NewUniform(panelFrame), image.Point{}, draw.Src)
				draw.Draw(out, box, img, img.Bounds().Min, draw.Src)
				below = box.Max.Y
			}
			d.write(out, x, below+2, d.feet[i][j])
			x += d.widths[j] + panelGap
		}
		y += d.heights[i] + d.footRows[i]*d.regular.line + panelGap
	}
	x = panelMargin
	for _, l := range d.Legends {
		d.regular.write(out, x, y, l.Low, panelSoft)
		x += d.regular.width(l.Low) + 8
		b := l.Strip.Bounds()
		frame := image.Rect(x-1, y+3, x+panelStrip+1, y+16)
		draw.Draw(out, frame, image.NewUniform(panelFrame), image.Point{}, draw.Src)
		draw.Draw(out, frame.Inset(1), image.NewUniform(panelPaper), image.Point{}, draw.Src)
		for k := range panelStrip {
			c := l.Strip.At(b.Min.X+k*b.Dx()/panelStrip, b.Min.Y)
			draw.Draw(out, image.Rect(x+k, y+4, x+k+1, y+15), image.NewUniform(c), image.Point{}, draw.Over)
		}
		x += panelStrip + 8
		d.regular.write(out, x, y, l.High, panelSoft)
		x += d.regular.width(l.High) + 2*panelMargin
	}
}
