package data

import (
	"encoding/binary"
	"image"
	"math"
)

// cost is the memory in bytes that a picture takes on its way to planes, by its header.
type cost struct {
	file   int64 // as it was read
	image  int64 // as the decoder gives it, 0 where that gives planes at once
	work   int64 // of the decoder, beside the image
	planes int64 // with alpha
	turned bool  // the planes are turned upright, into others
	least  int64 // the bytes that a file needs at least to hold so many pixels; 0 where that is not known
}

// peak is the most that is held at once: by the decoder, when the planes are made of its image or of its rows, or when they are turned.
func (c cost) peak() int64 {
	making := c.image + c.planes
	if c.image == 0 {
		making += c.file + c.work
	}
	if c.turned {
		making = max(making, 2*c.planes)
	}
	return max(c.file+c.image+c.work, making)
}

// Compressions of a TIFF file.
const (
	compressedLZW        = 5
	compressedDeflate    = 8
	compressedPackBits   = 32773
	compressedOldDeflate = 32946
)

// area is w×h×bytes, as large as it can be counted.
func area(w, h, bytes int) int64 {
	if w <= 0 || h <= 0 || w > math.MaxInt32 || h > math.MaxInt32/4 || int64(bytes) > math.MaxInt64/(int64(w)*int64(h)) {
		return math.MaxInt64 / 16
	}
	return int64(w) * int64(h) * int64(bytes)
}

// most that a byte of a compressed file stands for: deflate makes 258 bytes of 2 bits, LZW of 12 bits codes a string as long as its table,
// PackBits makes 128 bytes of 2.
const (
	mostDeflate  = 1032
	mostLZW      = 2730
	mostPackBits = 64
)

// pngCost is the cost of a PNG file.
//
// Source: PNG third edition, section 11.2.1 (IHDR); image/png for what it makes of each form.
func pngCost(file []byte) (c cost) {
	if len(file) < 29 {
		return c
	}
	w, h := int(binary.BigEndian.Uint32(file[16:])), int(binary.BigEndian.Uint32(file[20:]))
	bits, colour, interlaced := int(file[24]), file[25], file[28] != 0
	keyed, packed := false, 0
	for name, body := range pngChunks(file) {
		keyed = keyed || name == "tRNS"
		if name == "IDAT" {
			packed += len(body)
		}
	}
	size := max(1, bits/8)
	colours := map[byte]int{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
	stored, planes := 4, 4 // values of a pixel: of image/png, of ours
	switch {
	case colour == 3, colour == 0 && !keyed:
		stored = 1
	}
	switch {
	case colour == 0 && !keyed:
		planes = 1
	case colour == 2 && !keyed:
		planes = 3
	}
	c.image, c.planes = area(w, h, stored*size), area(w, h, planes*size)
	if interlaced {
		c.work = c.image / 2 // the last pass is a picture of its own
	}
	if need := area(w, h, colours*bits) / 8 / mostDeflate; need > int64(packed) {
		c.least = int64(len(file)) + need - int64(packed)
	}
	return c
}

// jpegCost is the cost of a JPEG file. A progressive one has all its coefficients in memory.
//
// Source: ITU-T T.81, sections B.2.2 (frame header) and F.1.2 (a block of 64 values takes a bit at least).
func jpegCost(file []byte) (c cost) {
	adobe := -1 // transform
	for marker, b := range jpegSegments(file) {
		if marker == 0xEE && len(b) >= 12 && string(b[:5]) == "Adobe" {
			adobe = int(b[11])
		}
		if marker < 0xC0 || marker > 0xC2 || len(b) < 6 || len(b) < 6+3*int(b[5]) {
			continue
		}
		h, w := int(binary.BigEndian.Uint16(b[1:])), int(binary.BigEndian.Uint16(b[3:]))
		most := [2]int{1, 1}
		n := int(b[5])
		for k := range n {
			most[0], most[1] = max(most[0], int(b[7+3*k]>>4)), max(most[1], int(b[7+3*k]&15))
		}
		units := area((w+8*most[0]-1)/(8*most[0]), (h+8*most[1]-1)/(8*most[1]), 64)
		samples := int64(0)
		for k := range n {
			samples += units * int64(max(1, b[7+3*k]>>4)) * int64(max(1, b[7+3*k]&15))
		}
		c = cost{image: samples, planes: area(w, h, min(n, 3)), least: area(w, h, 1) / (8 * 64 * 8)}
		if n == 4 {
			c.image += area(w, h, 4)
		} else if n == 3 && adobe == 0 {
			c.image += area(w, h, 4)
		}
		if marker == 0xC2 {
			c.work = 4 * samples
		}
	}
	return c
}

// bmpCost is the cost of a BMP file, which is not compressed.
//
// Source: https://learn.microsoft.com/en-us/windows/win32/gdi/bitmap-header-types.
func bmpCost(file []byte) (c cost) {
	if len(file) < 30 {
		return c
	}
	w, h := int(int32(binary.LittleEndian.Uint32(file[18:]))), int(int32(binary.LittleEndian.Uint32(file[22:])))
	h = max(h, -h)
	bits := int(binary.LittleEndian.Uint16(file[28:]))
	c = cost{image: area(w, h, 4), planes: area(w, h, 4), least: area((w*bits+31)/32, h, 4)}
	if bits <= 8 {
		c.image = area(w, h, 1)
	}
	return c
}

// gifCost is the cost of a GIF file: the frame, the canvas, and the file once more.
func gifCost(cfg image.Config, file int) cost {
	n := area(cfg.Width, cfg.Height, 1)
	return cost{image: 2 * n, work: int64(file), planes: 4 * n}
}

// cost of a WebP file. What is lost to find its size by: a picture of one colour takes no bits for its pixels.
func (w webpFile) cost() cost {
	n := area(w.width, w.height, 1)
	switch {
	case w.lossless:
		return cost{image: 4 * n, work: 4 * n, planes: 4 * n}
	case w.alpha: // a lossless picture of its own
		return cost{image: 3 * n, work: 8 * n, planes: 4 * n}
	}
	return cost{image: 2 * n, planes: 3 * n}
}

// cost of a netpbm file.
func (p pnmFile) cost() cost {
	size := 1
	if p.White > 255 {
		size = 2
	}
	values := p.Depth
	if values == 2 { // grey with alpha becomes colours
		values = 5
	}
	return cost{planes: area(p.Width, p.Height, values*size)}
}

// cost of a TIFF file: its strips or tiles are unfolded one at a time, into memory that grows.
//
// Source: TIFF 6.0, section 8 and appendix A.
func (t tiffFile) cost(cfg image.Config) cost {
	w, h := cfg.Width, cfg.Height
	size := max(1, t.bits/8)
	stored, planes := 4, 4
	if t.samples < 3 {
		stored, planes = 1, 1
		if t.palette {
			planes = 4
		}
	}
	c := cost{image: area(w, h, stored*size), planes: area(w, h, planes*size)}
	block := area(min(w, t.blockWidth), min(h, t.blockHeight), t.samples*t.bits) / 8
	switch c.work = block + block*5/4; {
	case t.strip() == 0:
	case t.compression <= 1:
		c.work = largeStrip
	default:
		c.work = block + largeStrip
	}
	if ratio := map[int]int64{0: 1, 1: 1, compressedLZW: mostLZW, compressedDeflate: mostDeflate,
		// several blocks may share bytes
		compressedOldDeflate: mostDeflate, compressedPackBits: mostPackBits}[t.compression]; ratio > 0 && t.blockWidth >= w &&
		t.blockHeight >= h {
		c.least = area(w, h, t.samples*t.bits) / 8 / ratio
	}
	return c
}
