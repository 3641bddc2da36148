package data

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"slices"
)

// gifFile is what a GIF file says of its first picture.
//
// Source: GIF89a specification, appendix A (grammar of the blocks) and section 23 (graphic control extension).
type gifFile struct {
	transparent int // index of the transparent colour, -1 for none
	flags       int // where the flag of transparency stands in the file
	animated    bool
}

func parseGIF(file []byte) gifFile {
	g := gifFile{transparent: -1}
	if len(file) < 13 {
		return g
	}
	table := func(flags byte) int {
		if flags&0x80 == 0 {
			return 0
		}
		return 3 << (flags&7 + 1)
	}
	blocks := func(p int) int { // behind the sub-blocks at p
		for p < len(file) && file[p] != 0 {
			p += 1 + int(file[p])
		}
		return p + 1
	}
	pictures := 0
	for p := 13 + table(file[10]); p < len(file); {
		switch file[p] {
		case 0x21:
			if p+8 <= len(file) && file[p+1] == 0xF9 && pictures == 0 {
				g.transparent = -1
				if file[p+3]&1 != 0 {
					g.transparent, g.flags = int(file[p+6]), p+3
				}
			}
			p = blocks(p + 2)
		case 0x2C:
			if pictures++; pictures > 1 || p+10 > len(file) {
				g.animated = pictures > 1
				return g
			}
			p = blocks(p + 10 + table(file[p+9]) + 1)
		default:
			return g
		}
	}
	return g
}

// decode is the first frame on its canvas. The transparent colour keeps its red, green and blue, which image/gif would make black.
// What the frame leaves free has the transparent colour, or colour 0 where there is none, as in Pillow.
func (g gifFile) decode(file []byte, canvas image.Rectangle) (image.Image, error) {
	opaque := slices.Clone(file)
	if g.transparent >= 0 {
		opaque[g.flags] &^= 1
	}
	img, err := gif.Decode(bytes.NewReader(opaque))
	if err != nil && g.transparent >= 0 { // an index outside the palette is allowed to be the transparent one
		img, err = gif.Decode(bytes.NewReader(file))
	}
	m, ok := img.(*image.Paletted)
	if err != nil || !ok {
		return img, err
	}
	if t := g.transparent; t >= 0 && t < len(m.Palette) {
		r, gr, b, _ := m.Palette[t].RGBA()
		m.Palette = slices.Clone(m.Palette)
		m.Palette[t] = color.NRGBA{uint8(r >> 8), uint8(gr >> 8), uint8(b >> 8), 0}
	}
	if m.Rect == canvas {
		return m, nil
	}
	out := image.NewPaletted(canvas, m.Palette)
	for k := range out.Pix {
		out.Pix[k] = uint8(max(g.transparent, 0))
	}
	for y := m.Rect.Min.Y; y < m.Rect.Max.Y; y++ {
		copy(out.Pix[out.PixOffset(m.Rect.Min.X, y):][:m.Rect.Dx()], m.Pix[m.PixOffset(m.Rect.Min.X, y):])
	}
	return out, nil
}
