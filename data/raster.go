package data

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"slices"

	"github.com/gtk-onnx/gtk/internal/ycbcr"
	"github.com/gtk-onnx/gtk/tensor"
)

// raster is a decoded picture: planes of one or three channels, and how opaque it is.
type raster struct {
	x     *tensor.Tensor // uint8 or uint16 [C,H,W], C 1 (grey) or 3 (RGB)
	alpha *tensor.Tensor // of the same type, [H,W]; nil where all is opaque
}

// dropOpaque drops an alpha that says nothing.
func (r *raster) dropOpaque() {
	switch {
	case r.alpha == nil:
	case r.alpha.DType() == tensor.Uint8 && slices.Min(r.alpha.Bytes()) == 255,
		r.alpha.DType() == tensor.Uint16 && slices.Min(tensor.Data[uint16](r.alpha)) == 65535:
		r.alpha = nil
	}
}

// rasterOf is the planes of an image: 8 bits a channel, or 16 where the image has them.
func rasterOf(img image.Image) raster {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	switch m := img.(type) {
	case *image.Gray:
		t := tensor.New(tensor.Uint8, 1, h, w)
		for y := range h {
			copy(t.Bytes()[y*w:(y+1)*w], m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):])
		}
		return raster{x: t}
	case *image.Gray16:
		t := tensor.New(tensor.Uint16, 1, h, w)
		d := tensor.Data[uint16](t)
		for y := range h {
			o := m.PixOffset(b.Min.X, b.Min.Y+y)
			for x := range w {
				d[y*w+x] = uint16(m.Pix[o+2*x])<<8 | uint16(m.Pix[o+2*x+1])
			}
		}
		return raster{x: t}
	case *image.YCbCr:
		t := tensor.New(tensor.Uint8, 3, h, w)
		ycbcr.Planes(t.Bytes(), m)
		return raster{x: t}
	}
	if deep(img.ColorModel()) {
		p := newPlanes[uint16](tensor.Uint16, h, w)
		switch m := img.(type) {
		case *image.NRGBA64:
			for y := range h {
				setRow64(p, y, m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):], func(c color.NRGBA64) color.NRGBA64 { return c })
			}
		case *image.RGBA64:
			straight := func(c color.NRGBA64) color.NRGBA64 {
				return color.NRGBA64Model.Convert(color.RGBA64(c)).(color.NRGBA64)
			}
			for y := range h {
				setRow64(p, y, m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):], straight)
			}
		default:
			for i := range h * w {
				c := color.NRGBA64Model.Convert(img.At(b.Min.X+i%w, b.Min.Y+i/w)).(color.NRGBA64)
				p.set(i, c.R, c.G, c.B, c.A)
			}
		}
		return p.raster
	}
	p := newPlanes[uint8](tensor.Uint8, h, w)
	nrgba := func(c color.Color) color.NRGBA { return color.NRGBAModel.Convert(c).(color.NRGBA) }
	switch m := img.(type) {
	case *image.NRGBA:
		for y := range h {
			setRow(p, y, m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):], func(c color.NRGBA) color.NRGBA { return c })
		}
	case *image.RGBA:
		for y := range h {
			setRow(p, y, m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):], func(c color.NRGBA) color.NRGBA { return nrgba(color.RGBA(c)) })
		}
	case *image.CMYK:
		for y := range h {
			row := m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):]
			for x := range w {
				red, green, blue := color.CMYKToRGB(row[4*x], row[4*x+1], row[4*x+2], row[4*x+3])
				p.set(y*w+x, red, green, blue, 255)
			}
		}
	case *image.Paletted:
		var palette [256]color.NRGBA
		for i, c := range m.Palette[:min(256, len(m.Palette))] {
			palette[i] = nrgba(c)
		}
		for y := range h {
			row := m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):]
			red, green, blue := p.red[y*w:][:w], p.green[y*w:][:w], p.blue[y*w:][:w]
			for x, k := range row[:w] {
				c := &palette[k]
				if c.A == 255 && p.alphas == nil {
					red[x], green[x], blue[x] = c.R, c.G, c.B
					continue
				}
				p.set(y*w+x, c.R, c.G, c.B, c.A)
			}
		}
	default:
		for i := range h * w {
			c := nrgba(img.At(b.Min.X+i%w, b.Min.Y+i/w))
			p.set(i, c.R, c.G, c.B, c.A)
		}
	}
	return p.raster
}

// planes is a raster of colours that is being filled. It gets an alpha with the first pixel that is not opaque.
type planes[T uint8 | uint16] struct {
	raster
	red, green, blue, alphas []T
}

func newPlanes[T uint8 | uint16](d tensor.DType, h, w int) *planes[T] {
	x, n := tensor.New(d, 3, h, w), h*w
	v := tensor.Data[T](x)
	return &planes[T]{raster: raster{x: x}, red: v[:n], green: v[n : 2*n], blue: v[2*n:]}
}

// set makes pixel i of a colour that is not multiplied by alpha.
func (p *planes[T]) set(i int, r, g, b, alpha T) {
	p.red[i], p.green[i], p.blue[i] = r, g, b
	if p.alphas == nil {
		if alpha == ^T(0) {
			return
		}
		p.transparent()
	}
	p.alphas[i] = alpha
}

// setRow makes row y of the pixels of pix, of four bytes each; straight is a pixel that is not opaque without its alpha multiplied in.
func setRow(p *planes[uint8], y int, pix []byte, straight func(color.NRGBA) color.NRGBA) {
	w := p.x.Dim(2)
	red, green, blue := p.red[y*w:][:w], p.green[y*w:][:w], p.blue[y*w:][:w]
	pix = pix[:4*w]
	for x := range red {
		v := pix[4*x : 4*x+4 : 4*x+4]
		if v[3] == 255 && p.alphas == nil {
			red[x], green[x], blue[x] = v[0], v[1], v[2]
			continue
		}
		c := color.NRGBA{v[0], v[1], v[2], v[3]}
		if c.A != 255 {
			c = straight(c)
		}
		p.set(y*w+x, c.R, c.G, c.B, c.A)
	}
}

// setRow64 is setRow for pixels of four 16-bit numbers each, the higher byte first.
func setRow64(p *planes[uint16], y int, pix []byte, straight func(color.NRGBA64) color.NRGBA64) {
	w := p.x.Dim(2)
	red, green, blue := p.red[y*w:][:w], p.green[y*w:][:w], p.blue[y*w:][:w]
	pix = pix[:8*w]
	for x := range red {
		v := binary.BigEndian.Uint64(pix[8*x : 8*x+8 : 8*x+8])
		c := color.NRGBA64{uint16(v >> 48), uint16(v >> 32), uint16(v >> 16), uint16(v)}
		if c.A == 65535 && p.alphas == nil {
			red[x], green[x], blue[x] = c.R, c.G, c.B
			continue
		}
		if c.A != 65535 {
			c = straight(c)
		}
		p.set(y*w+x, c.R, c.G, c.B, c.A)
	}
}

// transparent gives p an alpha, opaque everywhere.
func (p *planes[T]) transparent() {
	p.alpha = tensor.New(p.x.DType(), p.x.Shape()[1:]...)
	p.alphas = tensor.Data[T](p.alpha)
	for i := range p.alphas {
		p.alphas[i] = ^T(0)
	}
}

// deep reports whether colours of a model have 16 bits a channel.
func deep(m color.Model) bool {
	return m == color.NRGBA64Model || m == color.RGBA64Model || m == color.Gray16Model
}

// first is r with its first channel alone: for grey pictures that a decoder gives as colours.
func (r raster) first() raster {
	if r.x.Dim(0) == 1 {
		return r
	}
	n := len(r.x.Bytes()) / r.x.Dim(0)
	x, err := tensor.FromBytes(r.x.DType(), []int{1, r.x.Dim(1), r.x.Dim(2)}, r.x.Bytes()[:n])
	if err != nil {
		return r
	}
	return raster{x, r.alpha}
}

// FromImage is the picture tensor of img: uint8, or uint16 for images of 16 bits a channel; [1,H,W] for grey images, [3,H,W] in RGB for
// all others. Alpha is dropped, as Pillow's convert("RGB") does.
func FromImage(img image.Image) *tensor.Tensor { return rasterOf(img).x }

// ToImage is the picture of x, uint8 or uint16: [1,H,W] as *image.Gray or *image.Gray16, [3,H,W] (RGB) as *image.NRGBA or
// *image.NRGBA64. It fails for other tensors.
func ToImage(x *tensor.Tensor) (image.Image, error) {
	if err := checkPicture(x); err != nil {
		return nil, err
	}
	return raster{x: x}.image(), nil
}

// image is r as an image, with its alpha.
func (r raster) image() image.Image {
	c, h, w := r.x.Dim(0), r.x.Dim(1), r.x.Dim(2)
	n, bounds := h*w, image.Rect(0, 0, w, h)
	if r.x.DType() == tensor.Uint8 {
		d := r.x.Bytes()
		if c == 1 && r.alpha == nil {
			m := image.NewGray(bounds)
			copy(m.Pix, d)
			return m
		}
		m := image.NewNRGBA(bounds)
		for i := range n {
			p := m.Pix[4*i : 4*i+4]
			p[0], p[1], p[2], p[3] = d[i], d[(c-1)/2*n+i], d[(c-1)*n+i], 255
			if r.alpha != nil {
				p[3] = r.alpha.Bytes()[i]
			}
		}
		return m
	}
	d := tensor.Data[uint16](r.x)
	if c == 1 && r.alpha == nil {
		m := image.NewGray16(bounds)
		for i, v := range d {
			m.Pix[2*i], m.Pix[2*i+1] = uint8(v>>8), uint8(v)
		}
		return m
	}
	m := image.NewNRGBA64(bounds)
	for i := range n {
		v := color.NRGBA64{d[i], d[(c-1)/2*n+i], d[(c-1)*n+i], 65535}
		if r.alpha != nil {
			v.A = tensor.Data[uint16](r.alpha)[i]
		}
		m.SetNRGBA64(i%w, i/w, v)
	}
	return m
}

// checkPicture fails unless x is a uint8 or uint16 tensor [C,H,W] with C 1 or 3 and at least one pixel.
func checkPicture(x *tensor.Tensor) error {
	if x.DType() != tensor.Uint8 && x.DType() != tensor.Uint16 || x.Rank() != 3 || (x.Dim(0) != 1 && x.Dim(0) != 3) || x.Len() == 0 {
		return fmt.Errorf("data: %v is not a picture; need uint8 or uint16 [C,H,W] with 1 or 3 channels", x)
	}
	return nil
}
