// Package ycbcr brings pictures of JPEG and WebP files to RGB as libjpeg and libwebp do, where their colours have fewer samples than their
// luma.
package ycbcr

import "image"

// chroma is a colour plane of a JPEG picture brought to the size of the picture: samples that lie between others are
// interpolated by a triangle filter (3/4 of the nearer one, 1/4 of the farther one), as libjpeg does by default and so
// Pillow, OpenCV and torchvision. Repeating samples, as color.YCbCr does, would differ by tens of levels at coloured edges.
//
// Source: libjpeg's jdsample.c, "fancy upsampling" (the arithmetic and its rounding; no code of it).
type chroma struct {
	m     *image.YCbCr
	plane []uint8
	line  []int   // a line of the plane, or two of them mixed
	out   []uint8 // a line of the picture
}

func newChroma(m *image.YCbCr, plane []uint8) *chroma {
	w := m.Rect.Dx()
	return &chroma{m, plane, make([]int, (w+1)/2), make([]uint8, w)}
}

// row is the samples of line y of the picture, valid until the next call.
func (c *chroma) row(y int) []uint8 {
	stride := c.m.CStride
	if c.m.SubsampleRatio == image.YCbCrSubsampleRatio422 {
		for i := range c.line {
			c.line[i] = int(c.plane[y*stride+i])
		}
		spread(c.out, c.line, 1, 2, 2)
		return c.out
	}
	near, far := y/2, y/2-1
	if y%2 == 1 {
		far = y/2 + 1
	}
	far = min(max(far, 0), (c.m.Rect.Dy()+1)/2-1)
	a, b := c.plane[near*stride:][:len(c.line)], c.plane[far*stride:][:len(c.line)]
	for i := range c.line {
		c.line[i] = 3*int(a[i]) + int(b[i])
	}
	spread(c.out, c.line, 8, 7, 4)
	return c.out
}

// spread doubles a line: even outputs lean to the left neighbour and odd ones to the right one, with the two
// rounding terms of libjpeg; the ends are the end samples.
func spread(out []uint8, line []int, left, right, shift int) {
	if len(out) == 0 {
		return
	}
	before := line[0]
	for i := range len(out) / 2 {
		v := line[i]
		after := v
		if i+1 < len(line) {
			after = line[i+1]
		}
		pair := out[2*i : 2*i+2]
		pair[0], pair[1] = uint8((3*v+before+left)>>shift), uint8((3*v+after+right)>>shift)
		before = v
	}
	if n := len(out); n%2 == 1 {
		out[n-1] = uint8((3*line[n/2] + before + left) >> shift)
	}
}

// Planes converts a whole JPEG picture to planes of RGB, d of 3·w·h bytes.
//
// Source: ITU-T T.871 (JFIF), section 7, in 16-bit fixed point rounded to nearest.
func Planes(d []uint8, m *image.YCbCr) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	n := w * h
	blues, reds := newChroma(m, m.Cb), newChroma(m, m.Cr)
	between := m.SubsampleRatio == image.YCbCrSubsampleRatio420 || m.SubsampleRatio == image.YCbCrSubsampleRatio422
	cb, cr := make([]uint8, w), make([]uint8, w)
	for y := range h {
		switch {
		case between:
			cb, cr = blues.row(y), reds.row(y)
		case m.SubsampleRatio == image.YCbCrSubsampleRatio444:
			at := m.COffset(m.Rect.Min.X, m.Rect.Min.Y+y)
			cb, cr = m.Cb[at:], m.Cr[at:]
		default:
			for x := range w {
				at := m.COffset(m.Rect.Min.X+x, m.Rect.Min.Y+y)
				cb[x], cr[x] = m.Cb[at], m.Cr[at]
			}
		}
		line := m.Y[y*m.YStride:][:w]
		cb, cr := cb[:w], cr[:w]
		red, green, blue := d[y*w:][:w], d[n+y*w:][:w], d[2*n+y*w:][:w]
		for x, l := range line {
			l, b, r := int32(l), int32(cb[x])-128, int32(cr[x])-128
			red[x] = clamp(l + (91881*r+32768)>>16)
			green[x] = clamp(l + (-22554*b-46802*r+32768)>>16)
			blue[x] = clamp(l + (116130*b+32768)>>16)
		}
	}
}

// clamp is v from 0 to 255. Most numbers are there already.
func clamp(v int32) uint8 {
	if uint32(v) > 255 {
		return uint8(^(v >> 31))
	}
	return uint8(v)
}

// WebP converts a lossy WebP picture to planes of RGB, d of 3·w·h bytes: its luma counts from 16 to 235, which golang.org/x/image/webp
// hands out as if it were JPEG's 0 to 255.
//
// Source: RFC 6386, section 9.2 (ITU-R BT.601); constants and rounding of libwebp's dsp/yuv.h.
func WebP(d []uint8, m *image.YCbCr) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	n := w * h
	cb, cr := make([]uint8, w), make([]uint8, w)
	for y := range h {
		webpRow(cb, m, m.Cb, y)
		webpRow(cr, m, m.Cr, y)
		line, cb, cr := m.Y[y*m.YStride:][:w], cb[:w], cr[:w]
		red, green, blue := d[y*w:][:w], d[n+y*w:][:w], d[2*n+y*w:][:w]
		for x, l := range line {
			l, b, r := 19077*int32(l)>>8, int32(cb[x]), int32(cr[x])
			red[x] = clamp((l + 26149*r>>8 - 14234) >> 6)
			green[x] = clamp((l - 6419*b>>8 - 13320*r>>8 + 8708) >> 6)
			blue[x] = clamp((l + 33050*b>>8 - 17685) >> 6)
		}
	}
}

// webpRow is the samples of a colour plane for line y of the picture: 9/16 of the nearest sample, 3/16 of each of the two beside it and
// 1/16 of the farthest, rounded in two steps as libwebp's dsp/upsampling.c rounds; at the ends of a line two samples.
func webpRow(out []uint8, m *image.YCbCr, plane []uint8, y int) {
	w, h := (m.Rect.Dx()+1)/2, (m.Rect.Dy()+1)/2
	beside := func(i, n int) int { return min(max(i/2-1+i%2*2, 0), n-1) }
	near, far := plane[y/2*m.CStride:][:w], plane[beside(y, h)*m.CStride:][:w]
	for x := range out {
		c, f := x/2, x/2-1+x%2*2
		a, b := int(near[c]), int(far[c])
		if f < 0 || f >= w {
			out[x] = uint8((3*a + b + 2) >> 2)
			continue
		}
		p, q := int(near[f]), int(far[f])
		diagonal := (a + b + p + q + 8 + 2*(b+p)) >> 3
		out[x] = uint8((diagonal + a) >> 1)
	}
}
