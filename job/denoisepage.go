package job

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"path/filepath"

	"github.com/gtk-onnx/gtk/denoise"
	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/internal/units"
)

// Of the pictures this much is shown, their middle, pixel by pixel.
const (
	shownPictures = 24
	shownSide     = 256
)

// cleanedPage collects what is shown of pictures before and after.
type cleanedPage struct{ rows []cleanedRow }

type cleanedRow struct {
	img                  DenoisedImage
	noisy, result, clean image.Image // clean is nil where it is not known
}

// add takes in a picture.
func (p *cleanedPage) add(img *DenoisedImage, pic *denoise.Picture, y, clean []float32) {
	if len(p.rows) >= shownPictures {
		return
	}
	cut := func(x []float32) image.Image {
		if x == nil {
			return nil
		}
		return middleOf(imageOf(x, pic.C, pic.H, pic.W, false), shownSide)
	}
	p.rows = append(p.rows, cleanedRow{*img, cut(pic.Noisy), cut(y), cut(clean)})
}

// report is the page.
func (p *cleanedPage) report(r *DenoiseReport) *report.Report {
	lead := fmt.Sprintf("%s before and after.", units.Plural(len(r.Images), "picture"))
	if r.Objective != "" {
		lead = fmt.Sprintf("%s before and after a network that was trained by %s on %s noise.", units.Plural(len(r.Images), "picture"),
			r.Objective,
			r.Noise)
	}
	if v := float64(r.PSNR); !math.IsNaN(v) {
		lead += fmt.Sprintf(" PSNR %.2f dB → %.2f dB, SSIM %.4f, means over the pictures.", float64(r.Before), v, float64(r.SSIM))
	}
	page := report.New(filepath.Base(r.Model), lead)
	page.Kicker, page.Footer = "gtk denoise", "Made by gtk denoise. The clean pictures lie beside this page."
	top := page.Section("", "")
	for _, n := range r.Notes {
		top.Add(report.Note{Tone: report.Warn, Text: n})
	}
	t := report.Table{Head: []string{"Picture", "Size", "Noise level", "PSNR before", "PSNR", "SSIM"}, Numeric: []int{2, 3, 4, 5}}
	for _, i := range r.Images {
		t.Rows = append(t.Rows, []report.Cell{report.C(filepath.Base(i.In)), report.C(fmt.Sprintf("%d×%d", i.Width, i.Height)),
			report.C(levelText(i.NoiseLevel)), report.C(decimals(i.PSNRBefore, 2)), report.C(decimals(i.PSNR, 2)), report.C(decimals(i.SSIM, 4))})
	}
	top.Add(t)
	what := fmt.Sprintf("The middle of each picture, %d×%[1]d pixels at most.", shownSide)
	if n := len(r.Images); n > len(p.rows) {
		what += fmt.Sprintf(" Of %d pictures the first %d are shown.", n, len(p.rows))
	}
	sec := page.Section("Before and after", what)
	for _, row := range p.rows {
		g := report.Gallery{Caption: filepath.Base(row.img.In), Width: shownSide, Figures: []report.Figure{
			{Image: row.noisy, Alt: "before", Caption: "before", Detail: qualityText(row.img.PSNRBefore, row.img.SSIMBefore)},
			{Image: row.result, Alt: "after", Caption: "after", Detail: qualityText(row.img.PSNR, row.img.SSIM)}}}
		if row.clean != nil {
			g.Figures = append(g.Figures, report.Figure{Image: row.clean, Alt: "clean", Caption: "clean"})
		}
		sec.Add(g)
	}
	return page
}

func qualityText(psnr, ssim Number) string {
	if math.IsNaN(float64(psnr)) {
		return ""
	}
	return fmt.Sprintf("%.2f dB, SSIM %.4f", float64(psnr), float64(ssim))
}

// levelText is a level to three digits, or a dash.
func levelText(v Number) string {
	if math.IsNaN(float64(v)) {
		return "–"
	}
	return fmt.Sprintf("%.3g", float64(v))
}

// decimals is v with so many decimals, or a dash.
func decimals(v Number, n int) string {
	if math.IsNaN(float64(v)) {
		return "–"
	}
	return fmt.Sprintf("%.*f", n, float64(v))
}

// imageOf is the picture x [C,H,W] of numbers from 0 to 1, C 1 or 3, with 8 bits a channel or 16.
func imageOf(x []float32, c, h, w int, deep bool) image.Image {
	box, n := image.Rect(0, 0, w, h), h*w
	at := func(k, i int, most float64) float64 { return math.Round(min(max(float64(x[k*n+i]), 0), 1) * most) }
	switch {
	case c == 1 && deep:
		img := image.NewGray16(box)
		for i := range n {
			img.SetGray16(i%w, i/w, color.Gray16{Y: uint16(at(0, i, 65535))})
		}
		return img
	case c == 1:
		img := image.NewGray(box)
		for i := range n {
			img.Pix[i] = uint8(at(0, i, 255))
		}
		return img
	case deep:
		img := image.NewRGBA64(box)
		for i := range n {
			img.SetRGBA64(i%w, i/w, color.RGBA64{R: uint16(at(0, i, 65535)), G: uint16(at(1, i, 65535)), B: uint16(at(2, i, 65535)), A: 65535})
		}
		return img
	}
	img := image.NewRGBA(box)
	for i := range n {
		img.Pix[4*i], img.Pix[4*i+1], img.Pix[4*i+2], img.Pix[4*i+3] = uint8(at(0, i, 255)), uint8(at(1, i, 255)), uint8(at(2, i, 255)), 255
	}
	return img
}

// middleOf is the middle of img, with sides of at most side.
func middleOf(img image.Image, side int) image.Image {
	b := img.Bounds()
	w, h := min(b.Dx(), side), min(b.Dy(), side)
	at := image.Pt(b.Min.X+(b.Dx()-w)/2, b.Min.Y+(b.Dy()-h)/2)
	return img.(interface {
		SubImage(image.Rectangle) image.Image
	}).SubImage(image.Rectangle{Min: at, Max: at.Add(image.Pt(w, h))})
}
