package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"math"

	"golang.org/x/image/tiff"
)

// errForm is wrapped by the errors of files whose form has no meaning as a picture here.
var errForm = errors.New("form of picture that is not read")

// tiffFile is what a TIFF file says of its first picture.
type tiffFile struct {
	more   bool // other pictures follow
	invert bool // the decoder takes black for white

	width, height              int
	compression, bits, samples int
	palette                    bool
	blockWidth, blockHeight    int // of strips or tiles
}

// parseTIFF refuses what the decoder would misread: samples that are no unsigned numbers, and colours in planes of their own.
//
// Source: TIFF 6.0, sections 2 and 8 (PlanarConfiguration), 10 and 11 (facsimile compression), 19 (SampleFormat).
func parseTIFF(file []byte) (t tiffFile, err error) {
	const bits, compression, photometric, samples, rows, planar, format = 258, 259, 262, 277, 278, 284, 339
	const width, height = 256, 257
	const tileWidth, tileHeight = 322, 323
	order, entries := ifd(file)
	value := map[uint16]int{bits: 1, compression: 1, photometric: 0, samples: 1, planar: 1, format: 1, rows: 0, width: 0, height: 0,
		tileWidth: 0, tileHeight: 0}
	n := 0
	for tag, e := range entries {
		n++
		if _, ok := value[tag]; ok {
			value[tag] = tiffValue(order, e, file)
		}
	}
	switch value[format] {
	case 2:
		return t, fmt.Errorf("%w: signed numbers of %d bits, of which it is not known what is black", errForm, value[bits])
	case 3:
		return t, fmt.Errorf("%w: floating-point numbers, of which it is not known what is black and white", errForm)
	case 5, 6:
		return t, fmt.Errorf("%w: complex numbers", errForm)
	}
	if value[planar] == 2 && value[samples] > 1 {
		return t, fmt.Errorf("%w: each colour in a plane of its own", errForm)
	}
	if len(file) >= 8 {
		if at := int64(order.Uint32(file[4:])) + 2 + 12*int64(n); at+4 <= int64(len(file)) {
			t.more = order.Uint32(file[at:]) != 0
		}
	}
	t.width, t.height = value[width], value[height]
	t.compression, t.bits, t.samples, t.palette = value[compression], value[bits], value[samples], value[photometric] == 3
	if t.blockWidth, t.blockHeight = math.MaxInt32, value[rows]; value[tileWidth] > 0 {
		t.blockWidth, t.blockHeight = value[tileWidth], value[tileHeight]
	} else if t.blockHeight <= 0 {
		t.blockHeight = math.MaxInt32
	}
	// Facsimile codes black runs as ones, whatever these stand for.
	t.invert = (value[compression] == 3 || value[compression] == 4) && value[photometric] == 1
	return t, nil
}

func (t tiffFile) decode(file []byte) (image.Image, error) {
	r, err := t.divided(file)
	if err != nil {
		return nil, err
	}
	img, err := tiff.Decode(r)
	if m, ok := img.(*image.Gray); ok && t.invert {
		for i, v := range m.Pix {
			m.Pix[i] = 255 - v
		}
	}
	return img, err
}

// tiffValue is the first value of an entry, which stands in it or where it says.
func tiffValue(order binary.ByteOrder, e, file []byte) int {
	size := map[uint16]uint32{1: 1, 3: 2, 4: 4}[order.Uint16(e[2:])]
	if count := order.Uint32(e[4:]); size != 0 && count > 4/size {
		at := uint64(order.Uint32(e[8:]))
		if at+4 > uint64(len(file)) {
			return 0
		}
		e = append(append([]byte{}, e[:8]...), file[at:at+4]...)
	}
	return number(order, e)
}
