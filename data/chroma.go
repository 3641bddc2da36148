package data

import "image"

// chroma is a colour plane of a JPEG picture brought to the size of the picture: samples that lie between others are
// interpolated by a triangle filter (3/4 of the nearer one, 1/4 of the farther one), as libjpeg does by default and so
// Pillow, OpenCV and torchvision. Repeating samples, as color.YCbCr does, would differ by tens of levels at coloured edges.
//
// Source: libjpeg's jdsample.c, "fancy upsampling" (the arithmetic and its rounding; no code of it).
func chroma(m *image.YCbCr, plane []uint8) []uint8 {
	b := m.Rect
	w, h := b.Dx(), b.Dy()
	out := make([]uint8, w*h)
	if m.SubsampleRatio == image.YCbCrSubsampleRatio422 {
		line := make([]int, (w+1)/2)
		for y := range h {
			for i := range line {
				line[i] = int(plane[y*m.CStride+i])
			}
			spread(out[y*w:(y+1)*w], line, 1, 2, 2)
		}
		return out
	}
	cw, ch := (w+1)/2, (h+1)/2
	line := make([]int, cw)
	for y := range h {
		near, far := y/2, y/2-1
		if y%2 == 1 {
			far = y/2 + 1
		}
		far = min(max(far, 0), ch-1)
		a, c := plane[near*m.CStride:][:cw], plane[far*m.CStride:][:cw]
		for i := range line {
			line[i] = 3*int(a[i]) + int(c[i])
		}
		spread(out[y*w:(y+1)*w], line, 8, 7, 4)
	}
	return out
}

// spread doubles a line: even outputs lean to the left neighbour and odd ones to the right one, with the two
// rounding terms of libjpeg; the ends are the end samples.
func spread(out []uint8, line []int, left, right, shift int) {
	last := len(line) - 1
	for i := range out {
		at := i / 2
		side, round := at-1, left
		if i%2 == 1 {
			side, round = at+1, right
		}
		if side < 0 || side > last {
			side = at
		}
		out[i] = uint8((3*line[at] + line[side] + round) >> shift)
	}
}

// fillYCbCr converts a whole JPEG picture to planes of RGB, d of 3·w·h bytes.
//
// Source: ITU-T T.871 (JFIF), section 7, in 16-bit fixed point rounded to nearest.
func fillYCbCr(d []uint8, m *image.YCbCr) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	n := w * h
	var cb, cr []uint8
	stride := w
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio422:
		cb, cr = chroma(m, m.Cb), chroma(m, m.Cr)
	default:
		cb, cr, stride = m.Cb, m.Cr, 0
	}
	for y := range h {
		for x := range w {
			ci := y*stride + x
			if stride == 0 {
				ci = m.COffset(m.Rect.Min.X+x, m.Rect.Min.Y+y)
			}
			l := int32(m.Y[y*m.YStride+x])
			b, r := int32(cb[ci])-128, int32(cr[ci])-128
			at := y*w + x
			d[at] = clamp(l + (91881*r+32768)>>16)
			d[n+at] = clamp(l + (-22554*b-46802*r+32768)>>16)
			d[2*n+at] = clamp(l + (116130*b+32768)>>16)
		}
	}
}

func clamp(v int32) uint8 { return uint8(min(max(v, 0), 255)) }

// fromStudioRange is a lossy WebP picture in RGB: its luma counts from 16 to 235, which golang.org/x/image/webp hands out as if it were
// JPEG's 0 to 255.
//
// Source: RFC 6386, section 9.2 (ITU-R BT.601); constants and rounding of libwebp's dsp/yuv.h.
func fromStudioRange(m *image.YCbCr) *image.NRGBA {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	cb, cr := chroma(m, m.Cb), chroma(m, m.Cr)
	for y := range h {
		for x := range w {
			at := y*w + x
			l, b, r := 19077*int32(m.Y[y*m.YStride+x])>>8, int32(cb[at]), int32(cr[at])
			p := out.Pix[4*at : 4*at+4]
			p[0] = clamp((l + 26149*r>>8 - 14234) >> 6)
			p[1] = clamp((l - 6419*b>>8 - 13320*r>>8 + 8708) >> 6)
			p[2] = clamp((l + 33050*b>>8 - 17685) >> 6)
			p[3] = 255
		}
	}
	return out
}
