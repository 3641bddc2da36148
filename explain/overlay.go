package explain

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"github.com/gtk-onnx/gtk/tensor"
)

// Heat is the picture of a map m [h,w] of numbers from 0 to 1.
func Heat(m []float32, h, w int, c *Colormap) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i, v := range m[:h*w] {
		p := c.At(v)
		img.Pix[4*i], img.Pix[4*i+1], img.Pix[4*i+2], img.Pix[4*i+3] = p.R, p.G, p.B, 255
	}
	return img
}

// OverlayOptions say how a map covers a picture.
type OverlayOptions struct {
	Alpha        float64 // share of the map, from 0 to 1
	GrayBase     bool    // the picture without its colours
	AlphaFromMap bool    // Alpha times the map's own value: cold places stay clear
	Mask         bool    // the picture times the map, without colours
}

// Overlay is (1-a)·base + a·colour of the map m [h,w] in 0..1; base must be w wide and h high. The sum is taken on the stored
// 8-bit values, without gamma, as browsers and matplotlib do.
func Overlay(base image.Image, m []float32, h, w int, c *Colormap, o OverlayOptions) (*image.NRGBA, error) {
	b := base.Bounds()
	if b.Dx() != w || b.Dy() != h {
		return nil, fmt.Errorf("explain: overlay: the picture is %dx%d, the map %dx%d", b.Dx(), b.Dy(), w, h)
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			v := m[y*w+x]
			p := color.NRGBAModel.Convert(base.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
			if o.GrayBase {
				g := uint8(math.Round(float64(int(p.R)+int(p.G)+int(p.B)) / 3))
				p.R, p.G, p.B = g, g, g
			}
			q, a := c.At(v), o.Alpha
			switch {
			case o.Mask:
				q, a = color.NRGBA{}, 1-float64(v)
			case o.AlphaFromMap:
				a *= float64(v)
			}
			out.SetNRGBA(x, y, color.NRGBA{mix(p.R, q.R, a), mix(p.G, q.G, a), mix(p.B, q.B, a), 255})
		}
	}
	return out, nil
}

func mix(p, q uint8, a float64) uint8 {
	return uint8(min(max((1-a)*float64(p)+a*float64(q)+0.5, 0), 255))
}

// Picture shows an input for which there is no picture: row n of x [N,C,H,W], its range stretched to black and white; the mean
// of the channels unless there are three.
func Picture(x *tensor.Tensor, n int) (image.Image, error) {
	if err := check4D("input", x); err != nil {
		return nil, err
	}
	v := volumeAt(x, n)
	if v.C != 3 {
		mean := Volume{1, v.H, v.W, reducePlane(v, "sum")}
		s, _ := MinMax(mean.X)
		img := image.NewGray(image.Rect(0, 0, v.W, v.H))
		for i, g := range s {
			img.Pix[i] = uint8(g*255 + 0.5)
		}
		return img, nil
	}
	s, _ := MinMax(v.X)
	img := image.NewNRGBA(image.Rect(0, 0, v.W, v.H))
	k := v.Plane()
	for i := range k {
		for c := range 3 {
			img.Pix[4*i+c] = uint8(s[c*k+i]*255 + 0.5)
		}
		img.Pix[4*i+3] = 255
	}
	return img, nil
}
