package explain

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
)

// maxOriginal is how many pixels the longer side of a whole picture has at most when maps are drawn on it.
const maxOriginal = 1600

// outside is the share of the picture's brightness that is left where the model did not look.
const outside = 0.45

// OnOriginal is the picture of m where it belongs on the picture that the input was cut from. box is the part of original, in its pixels,
// that became the input; it may reach beyond the picture where the input was padded. What lies outside is dimmed and the box outlined.
// Originals with a side over 1600 pixels are reduced.
func (r Render) OnOriginal(original image.Image, box image.Rectangle, m Map) (*image.NRGBA, error) {
	out, box, err := shownOriginal(original, box, maxOriginal)
	if err != nil {
		return nil, err
	}
	cover(out, box, fitted(r.shown(m), m.H, m.W, box.Dy(), box.Dx()), r.colours(m.Signed), r.Overlay)
	if b := out.Bounds(); !b.In(box) {
		dimOutside(out, box)
		outline(out, box.Intersect(b))
	}
	return out, nil
}

// shownOriginal is a copy of original with sides of at most n pixels and its corner at (0,0), and box in its pixels.
func shownOriginal(original image.Image, box image.Rectangle, n int) (*image.NRGBA, image.Rectangle, error) {
	b := original.Bounds()
	if b.Intersect(box).Empty() {
		return nil, box, fmt.Errorf("explain: the input is said to be cut at %v from a picture of %v: nothing of it is inside", box, b)
	}
	small := shrunk(original, n)
	s := small.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, s.Dx(), s.Dy()))
	draw.Draw(out, out.Bounds(), small, s.Min, draw.Src)
	x := func(v int) int { return int(math.Round(float64(v-b.Min.X) * float64(s.Dx()) / float64(b.Dx()))) }
	y := func(v int) int { return int(math.Round(float64(v-b.Min.Y) * float64(s.Dy()) / float64(b.Dy()))) }
	box = image.Rect(x(box.Min.X), y(box.Min.Y), x(box.Max.X), y(box.Max.Y))
	box.Max.X, box.Max.Y = max(box.Max.X, box.Min.X+1), max(box.Max.Y, box.Min.Y+1)
	return out, box, nil
}

// dimOutside darkens what of img lies outside of box.
func dimOutside(img *image.NRGBA, box image.Rectangle) {
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if !image.Pt(x, y).In(box) {
				c := img.NRGBAAt(x, y)
				img.SetNRGBA(x, y, color.NRGBA{mix(c.R, 0, 1-outside), mix(c.G, 0, 1-outside), mix(c.B, 0, 1-outside), 255})
			}
		}
	}
}

// outline draws a white line along the inside of box and a dark one within it, so that it is seen on any picture.
func outline(img *image.NRGBA, box image.Rectangle) {
	for _, ink := range []color.NRGBA{{255, 255, 255, 255}, {0, 0, 0, 255}} {
		src := image.NewUniform(ink)
		for _, side := range []image.Rectangle{
			image.Rect(box.Min.X, box.Min.Y, box.Max.X, box.Min.Y+1), image.Rect(box.Min.X, box.Max.Y-1, box.Max.X, box.Max.Y),
			image.Rect(box.Min.X, box.Min.Y, box.Min.X+1, box.Max.Y), image.Rect(box.Max.X-1, box.Min.Y, box.Max.X, box.Max.Y),
		} {
			draw.Draw(img, side, src, image.Point{}, draw.Src)
		}
		if box = box.Inset(1); box.Empty() {
			return
		}
	}
}
