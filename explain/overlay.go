package explain

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"

	"github.com/gtk-onnx/gtk/tensor"
)

// OverlayOptions say how a map covers a picture. Unless FullBlend is set, the cold end of a map is clear and the middle of a signed one.
type OverlayOptions struct {
	Alpha        float64 // share of the map where it is hottest, from 0 to 1
	GrayBase     bool    // the picture without its colours
	FullBlend    bool    // the same share everywhere, a veil over what is cold
	AlphaFromMap bool    // the share grows in proportion to the map, not by a curve
}

// opacity is the share of the map where it is of strength s, from 0 to 1.
func (o OverlayOptions) opacity(s float64) float64 {
	switch {
	case o.FullBlend:
		return o.Alpha
	case o.AlphaFromMap:
		return o.Alpha * s
	}
	t := min(s/warm, 1)
	return o.Alpha * t * t * (3 - 2*t)
}

// warm is the strength from which on a map covers the picture as much as where it is hottest.
const warm = 0.75

// pale is how much of each arm of a signed map, from its neutral middle on, is left out where the picture is seen through it: opacity says
// how strong the map is there, and colours near white would only look like fog.
const pale = 0.5

// colour is that of v over a picture.
func (o OverlayOptions) colour(c *Colormap, v float32) color.NRGBA {
	if c.Diverging && !o.FullBlend {
		s := pale + (1-pale)*c.strength(v)
		if v < 0.5 {
			s = -s
		}
		v = float32(0.5 + s/2)
	}
	return c.At(v)
}

// Overlay is (1-a)·base + a·colour of the map m [h,w] in 0..1, with a as the options say; base must be w wide and h high. The sum is
// taken on the stored 8-bit values, without gamma, as browsers and matplotlib do.
func Overlay(base image.Image, m []float32, h, w int, c *Colormap, o OverlayOptions) (*image.NRGBA, error) {
	b := base.Bounds()
	if b.Dx() != w || b.Dy() != h || len(m) != h*w {
		return nil, fmt.Errorf("explain: overlay: the picture is %dx%d, the map %dx%d of %d values", b.Dx(), b.Dy(), w, h, len(m))
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.Draw(out, out.Bounds(), base, b.Min, draw.Src)
	cover(out, out.Bounds(), m, c, o)
	return out, nil
}

// cover lays the map m, of the size of box, over that part of img.
func cover(img *image.NRGBA, box image.Rectangle, m []float32, c *Colormap, o OverlayOptions) {
	at := box.Intersect(img.Bounds())
	for y := at.Min.Y; y < at.Max.Y; y++ {
		for x := at.Min.X; x < at.Max.X; x++ {
			v := m[(y-box.Min.Y)*box.Dx()+x-box.Min.X]
			p := img.NRGBAAt(x, y)
			if o.GrayBase {
				g := uint8(math.Round(float64(int(p.R)+int(p.G)+int(p.B)) / 3))
				p.R, p.G, p.B = g, g, g
			}
			q, a := o.colour(c, v), o.opacity(c.strength(v))
			img.SetNRGBA(x, y, color.NRGBA{mix(p.R, q.R, a), mix(p.G, q.G, a), mix(p.B, q.B, a), 255})
		}
	}
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
