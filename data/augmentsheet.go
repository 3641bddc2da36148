package data

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"strings"

	xdraw "golang.org/x/image/draw"

	"github.com/gtk-onnx/gtk/tensor"
)

// SheetConfig says what AugmentSheet shows.
type SheetConfig struct {
	Augment    Augment
	Preprocess *Preprocess // as a training has it; nil: examples as they are
	Index      []int       // examples, a row each
	Draws      int         // epochs, a column each
	Seed       uint64
	Cell       int    // width of a picture
	Masks      bool   // masks are laid over the pictures
	Title      string // above all
}

// Seen is an example as a training would see it in an epoch.
type Seen struct {
	ID      string
	Label   int // of the example, or of what there is more of it in a mixture; -1 for none
	Epoch   int // from 1; 0: without augmentation
	Share   float64
	Other   int         // label of the rest of a mixture, -1 for none
	Picture image.Image // at the size of the model; series are drawn
}

// AugmentSheet is a sheet of what the network sees of some examples: a row for each, first as it is after preprocessing, then as each
// epoch has it. The examples of a column are a batch: what mixes them mixes each with the one above.
func AugmentSheet(ctx context.Context, ds Dataset, c SheetConfig) (image.Image, [][]Seen, error) {
	switch {
	case len(c.Index) == 0:
		return nil, nil, errors.New("data: augmentation sheet: no examples")
	case len(c.Index) > 64 || c.Draws < 1 || c.Draws > 64 || c.Cell < 32 || c.Cell > 512:
		return nil, nil, fmt.Errorf("data: augmentation sheet: %d examples, %d draws, %d pixels: need up to 64 of each, and 32 to 512 pixels",
			len(c.Index), c.Draws, c.Cell)
	}
	if err := c.Augment.Fits(ds); err != nil {
		return nil, nil, err
	}
	rows := make([][]Seen, len(c.Index))
	var plain []*tensor.Tensor
	for epoch := -1; epoch < c.Draws; epoch++ {
		o := BatchOptions{Preprocess: c.Preprocess, Seed: c.Seed, Epoch: max(0, epoch), Masks: c.Masks}
		if epoch >= 0 {
			o.Augment = c.Augment
		}
		size := 1 // pictures of any sizes
		if mixes, _ := c.Augment.Mixes(); mixes {
			size = len(c.Index)
		}
		k := 0
		for b, err := range batchesIn(ctx, ds, c.Index, size, o) {
			if err != nil {
				return nil, nil, err
			}
			for i := range b.Len() {
				x := rowOf(b.X, i)
				if epoch < 0 {
					plain = append(plain, x)
				}
				s := Seen{ID: b.IDs[i], Label: int(b.Labels[i]), Epoch: epoch + 1, Share: 1, Other: -1}
				if b.Mix != nil {
					s.Share, s.Other = b.Mix.Share[i], int(b.Mix.Labels[i])
				}
				if e, err := ds.Example(b.Index[i]); err != nil {
					return nil, nil, err
				} else if !e.Picture {
					if s.Picture, err = plotted(x, plain[k], c.Cell); err != nil {
						return nil, nil, err
					}
				} else if s.Picture, err = c.shown(Suggested(ds), x, b.Mask, i); err != nil {
					return nil, nil, err
				}
				rows[k] = append(rows[k], s)
				k++
			}
		}
	}
	return c.sheet(ds, rows), rows, nil
}

// batchesIn goes over the examples of index, size at a time; batches of one have shapes of their own.
func batchesIn(ctx context.Context, ds Dataset, index []int, size int, o BatchOptions) func(func(*Batch, error) bool) {
	return func(yield func(*Batch, error) bool) {
		for at := 0; at < len(index); at += size {
			part := SamplerFunc(func(int) []int { return index[at:min(at+size, len(index))] })
			for b, err := range Batches(ctx, ds, part, size, o) {
				if !yield(b, err) || err != nil {
					return
				}
			}
		}
	}
}

// rowOf is example i of x [N,…], copied.
func rowOf(x *tensor.Tensor, i int) *tensor.Tensor {
	out := tensor.New(x.DType(), x.Shape()[1:]...)
	tensor.CopyRows(out, 0, x, i, i+1, x.Dim(0))
	return out
}

// shown is a picture of the numbers that the model gets, with normalisation undone; own is what the data set says of its values.
func (c SheetConfig) shown(own Preprocess, x, masks *tensor.Tensor, i int) (image.Image, error) {
	pic := x
	if x.DType() == tensor.Float32 {
		p := Preprocess{}
		if c.Preprocess != nil {
			p = *c.Preprocess
		}
		n, h, w, dc, dh, dw := lie{last: p.Layout == "nhwc"}.chw(x)
		pic = tensor.New(tensor.Uint8, n, h, w)
		for k := range n {
			mean, std, err := p.affine(k, n)
			if err != nil {
				return nil, err
			}
			to := k
			if p.Channels == "bgr" {
				to = n - 1 - k
			}
			for y := range h {
				for z := range w {
					v := (float64(x.F32()[k*dc+y*dh+z*dw])*std + mean) / p.scale()
					pic.Bytes()[(to*h+y)*w+z] = uint8(min(max(math.Round(v), 0), 255))
				}
			}
		}
		if n > 3 {
			return nil, fmt.Errorf("data: augmentation sheet: pictures of %d channels", n)
		}
	}
	img, err := ToImage(own.stretched(bytesOf(pic, depth(pic))))
	if err != nil || masks == nil {
		return img, err
	}
	return Tinted(img, rowOf(masks, i)), nil
}

// Tinted lays the classes of a mask over a picture: none and class 0 leave it, Void is hatched.
func Tinted(img image.Image, mask *tensor.Tensor) image.Image {
	b := img.Bounds()
	out := image.NewNRGBA(b)
	draw.Draw(out, b, img, b.Min, draw.Src)
	for y := range b.Dy() {
		for x := range b.Dx() {
			v := mask.Bytes()[y*b.Dx()+x]
			switch {
			case v == Void && (x+y)%4 == 0:
				out.SetNRGBA(x, y, color.NRGBA{120, 120, 120, 255})
			case v != 0 && v != Void:
				p := out.NRGBAAt(x, y)
				t := hsv(0.61803*float64(v), 0.9, 1)
				for k, q := range []*uint8{&p.R, &p.G, &p.B} {
					*q = uint8(0.5*float64(*q) + 0.5*255*t[k])
				}
				out.SetNRGBA(x, y, p)
			}
		}
	}
	return out
}

// Colours of the sheet.
var (
	sheetGround = color.NRGBA{250, 250, 250, 255}
	sheetLine   = color.NRGBA{205, 205, 205, 255}
	plotColours = []color.NRGBA{{31, 119, 180, 255}, {214, 96, 39, 255}, {44, 140, 60, 255}, {148, 103, 189, 255}, {140, 86, 75, 255}}
)

// sheet lays the cells out.
func (c SheetConfig) sheet(ds Dataset, rows [][]Seen) image.Image {
	const gap, label, line = 6, 118, 15
	mixes, _ := c.Augment.Mixes()
	columns := c.Draws + 1
	wide := label + columns*(c.Cell+gap) + gap
	title := wrapped(c.Title, (wide-2*gap)/7)
	high, top := c.Cell+gap, (2+len(title))*line+gap
	if mixes {
		high += 2 * line
	}
	sheet := image.NewNRGBA(image.Rect(0, 0, wide, top+len(rows)*high+gap))
	fill(sheet, sheet.Bounds(), sheetGround)
	for n, text := range title {
		write(sheet, gap, (n+1)*line, text, wide-2*gap)
	}
	for k := range columns {
		what := "as it is"
		if k > 0 {
			what = fmt.Sprintf("epoch %d", k)
		}
		write(sheet, label+gap+k*(c.Cell+gap), top-gap, what, c.Cell)
	}
	for r, row := range rows {
		y := top + r*high
		write(sheet, gap, y+c.Cell/2, className(ds, row[0].Label), label-gap)
		write(sheet, gap, y+c.Cell/2+line, row[0].ID, label-gap)
		for k, s := range row {
			x := label + gap + k*(c.Cell+gap)
			cell := image.Rect(x, y, x+c.Cell, y+c.Cell)
			fill(sheet, cell.Inset(-1), sheetLine)
			fill(sheet, cell, color.NRGBA{255, 255, 255, 255})
			fitted(sheet, cell, s.Picture)
			if mixes && s.Share < 1 {
				for n, text := range s.mixture(ds) {
					write(sheet, x, y+c.Cell+(n+1)*line-3, text, c.Cell)
				}
			}
		}
	}
	return sheet
}

// wrapped is s in lines of so many letters, divided behind commas.
func wrapped(s string, letters int) (lines []string) {
	last := ""
	for item := range strings.SplitAfterSeq(s, ",") {
		if last != "" && len(last)+len(item) > letters {
			lines, last = append(lines, last), ""
		}
		last += item
	}
	return append(lines, last)
}

// mixture is "62% star" and "38% ring".
func (s Seen) mixture(ds Dataset) (lines [2]string) {
	own := int(math.Round(100 * s.Share))
	lines[0], lines[1] = fmt.Sprintf("%d%% %s", own, className(ds, s.Label)), fmt.Sprintf("%d%% %s", 100-own, className(ds, s.Other))
	return lines
}

func className(ds Dataset, label int) string {
	switch {
	case label >= 0 && label < len(ds.Classes()):
		return ds.Classes()[label]
	case label >= 0:
		return fmt.Sprint(label)
	}
	return ""
}

func fill(dst draw.Image, r image.Rectangle, c color.Color) {
	draw.Draw(dst, r, image.NewUniform(c), image.Point{}, draw.Src)
}

// fitted draws a picture in the middle of a cell, as large as fits; small ones are enlarged without smoothing.
func fitted(dst draw.Image, cell image.Rectangle, img image.Image) {
	b, side := img.Bounds(), cell.Dx()
	w, h := side, side
	if b.Dx() > b.Dy() {
		h = max(1, side*b.Dy()/b.Dx())
	} else {
		w = max(1, side*b.Dx()/b.Dy())
	}
	at := image.Rect(0, 0, w, h).Add(cell.Min).Add(image.Pt((side-w)/2, (side-h)/2))
	var how xdraw.Scaler = xdraw.NearestNeighbor
	if max(b.Dx(), b.Dy()) > side {
		how = xdraw.CatmullRom
	}
	how.Scale(dst, at, img, b, xdraw.Src, nil)
}

// plotted is a plot of a series x, one line for each column, before that of plain in grey.
func plotted(x, plain *tensor.Tensor, side int) (image.Image, error) {
	v, err := floats(x)
	if err != nil {
		return nil, err
	}
	was, err := floats(plain)
	switch {
	case err != nil:
		return nil, err
	case x.Rank() == 0 || x.Rank() > 2 || x.Len() < 2:
		return nil, fmt.Errorf("data: augmentation sheet: %v is neither a picture nor a series", x)
	}
	n, columns, step, next := x.Len(), 1, 1, 0
	if x.Rank() == 2 {
		if n, columns, step, next = x.Dim(0), x.Dim(1), x.Dim(1), 1; n < columns {
			n, columns, step, next = columns, n, 1, columns
		}
	}
	img := image.NewNRGBA(image.Rect(0, 0, side, side))
	fill(img, img.Bounds(), color.White)
	for c := range min(columns, len(plotColours)) {
		lo, hi := math.Inf(1), math.Inf(-1)
		for i := range n {
			lo, hi = min(lo, was[c*next+i*step]), max(hi, was[c*next+i*step])
		}
		room := max(hi-lo, 1e-9) * 0.15
		curve := func(d []float64, colour color.NRGBA) {
			last := -1
			for px := range side {
				at := float64(px) / float64(max(side-1, 1)) * float64(n-1)
				i := min(int(at), n-2)
				f := at - float64(i)
				y := d[c*next+i*step]*(1-f) + d[c*next+(i+1)*step]*f
				py := int((hi + room - y) / (hi - lo + 2*room) * float64(side-1))
				py = min(max(py, 0), side-1)
				from, to := py, py
				if last >= 0 {
					from, to = min(py, last), max(py, last)
				}
				for q := from; q <= to; q++ {
					img.SetNRGBA(px, q, colour)
				}
				last = py
			}
		}
		curve(was, sheetLine)
		curve(v, plotColours[c])
	}
	return img, nil
}
