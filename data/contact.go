package data

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"slices"

	xdraw "golang.org/x/image/draw"

	"github.com/gtk-onnx/gtk/tensor"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// ContactSheet is a grid with one row per class: its name and its first perClass pictures. Cells are cell pixels wide; at most
// 40 classes are shown. It fails when ds has no pictures or one of them cannot be read.
func ContactSheet(ds Dataset, perClass, cell int) (image.Image, error) {
	if perClass < 1 || perClass > 64 || cell < 16 || cell > 512 {
		return nil, fmt.Errorf("data: contact sheet: %d pictures of %d pixels per class: need 1 to 64 of 16 to 512", perClass, cell)
	}
	const mostClasses, gap, label = 40, 4, 110
	rows := map[int][]int{}
	var order []int
	for i := range ds.Len() {
		l := ds.Label(i)
		if _, seen := rows[l]; !seen {
			order = append(order, l)
		}
		if len(rows[l]) < perClass {
			rows[l] = append(rows[l], i)
		}
	}
	slices.Sort(order)
	more := len(order) - mostClasses
	order = order[:min(len(order), mostClasses)]
	if len(order) == 0 {
		return nil, fmt.Errorf("data: contact sheet: the data set is empty")
	}
	extra := 0
	if more > 0 {
		extra = 20
	}
	sheet := image.NewNRGBA(image.Rect(0, 0, label+perClass*(cell+gap)+gap, len(order)*(cell+gap)+gap+extra))
	draw.Draw(sheet, sheet.Bounds(), image.NewUniform(color.NRGBA{250, 250, 250, 255}), image.Point{}, draw.Src)
	for r, l := range order {
		top := gap + r*(cell+gap)
		name := "(no class)"
		if l >= 0 && l < len(ds.Classes()) {
			name = ds.Classes()[l]
		}
		write(sheet, gap, top+cell/2+4, name, label-2*gap)
		for k, i := range rows[l] {
			e, err := ds.Example(i)
			if err != nil {
				return nil, err
			}
			if !e.Picture {
				return nil, fmt.Errorf("data: contact sheet: %s is %v, not a picture", e.ID, e.X)
			}
			img, err := thumbnail(e, Suggested(ds), cell)
			if err != nil {
				return nil, fmt.Errorf("data: contact sheet: %s: %w", e.ID, err)
			}
			b := img.Bounds()
			at := image.Pt(label+gap+k*(cell+gap)+(cell-b.Dx())/2, top+(cell-b.Dy())/2)
			draw.Draw(sheet, b.Sub(b.Min).Add(at), img, b.Min, draw.Over)
		}
	}
	if more > 0 {
		write(sheet, gap, sheet.Bounds().Max.Y-6, fmt.Sprintf("and %d more classes", more), sheet.Bounds().Dx())
	}
	return sheet, nil
}

// thumbnail fits a picture into cell×cell; small ones are enlarged without smoothing. Values are stretched as the data set's own scale
// says (digits count to 16), deep pictures as far as they are deep.
func thumbnail(e Example, p Preprocess, cell int) (image.Image, error) {
	x := p.stretched(bytesOf(e.X, depth(e.X)))
	h, w := x.Dim(1), x.Dim(2)
	dh, dw := cell, cell
	if h > w {
		dw = max(1, cell*w/h)
	} else {
		dh = max(1, cell*h/w)
	}
	if max(h, w) > cell {
		pic, err := Preprocess{ImageSize: [2]int{dh, dw}, Crop: "none"}.Picture(x)
		if err != nil {
			return nil, err
		}
		return ToImage(pic)
	}
	img, err := ToImage(x)
	if err != nil {
		return nil, err
	}
	out := image.NewNRGBA(image.Rect(0, 0, dw, dh))
	xdraw.NearestNeighbor.Scale(out, out.Bounds(), img, img.Bounds(), xdraw.Src, nil)
	return out, nil
}

// stretched is a picture of bytes as bright as its scale says.
func (p Preprocess) stretched(x *tensor.Tensor) *tensor.Tensor {
	f := p.scale() * 255
	if f <= 1 {
		return x
	}
	x = x.Clone()
	for i, v := range x.Bytes() {
		x.Bytes()[i] = uint8(min(float64(v)*f, 255))
	}
	return x
}

// write puts one line of text, cut to width pixels.
func write(dst draw.Image, x, y int, s string, width int) {
	face := basicfont.Face7x13
	if most := width / face.Advance; len([]rune(s)) > most {
		s = string([]rune(s)[:max(0, most-1)]) + "~"
	}
	d := font.Drawer{Dst: dst, Src: image.NewUniform(color.NRGBA{40, 40, 40, 255}), Face: face, Dot: fixed.P(x, y)}
	d.DrawString(s)
}
