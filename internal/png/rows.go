// Package png reads PNG files of true colour or of grey with alpha row by row. The decoder of the standard library holds such a picture
// whole, four values a pixel, which is twice the memory and a second pass where only planes are wanted.
package png

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image/png"
	"io"
)

// File is a PNG file whose chunks have been looked at.
//
// Source: PNG third edition, https://www.w3.org/TR/png-3/.
type File struct {
	Width, Height int
	Bits          int     // of a value: 8 or 16
	Values        int     // of a pixel: 2 grey and alpha, 3 colours, 4 colours and alpha
	Key           *[3]int // the colour that is transparent, of three values; nil for none
	idat          [][]byte
}

// ErrForm is that Rows does not read a file, which may be a good one: a palette, grey alone, interlaced.
var ErrForm = errors.New("png: not of a form that is read by rows")

var (
	errShort = io.ErrUnexpectedEOF
	errOrder = png.FormatError("chunk out of order")
)

// Open looks at the chunks of a file: their order, their checksums, and all that is known before the pixels. The error is one of image/png,
// or ErrForm.
func Open(file []byte) (*File, error) {
	const magic = "\x89PNG\r\n\x1a\n"
	if len(file) < len(magic)+25 || string(file[:8]) != magic || string(file[12:16]) != "IHDR" || binary.BigEndian.Uint32(file[8:]) != 13 {
		return nil, ErrForm // the other decoder says what is wrong
	}
	head := file[16:29]
	f := &File{Width: int(int32(binary.BigEndian.Uint32(head))), Height: int(int32(binary.BigEndian.Uint32(head[4:]))), Bits: int(head[8])}
	f.Values = map[byte]int{2: 3, 4: 2, 6: 4}[head[9]]
	if f.Values == 0 || f.Bits != 8 && f.Bits != 16 || head[10] != 0 || head[11] != 0 || head[12] != 0 || f.Width <= 0 || f.Height <= 0 {
		return nil, ErrForm
	}
	const ( // what was seen
		header = iota
		palette
		key
		pixels
		behind // another chunk after the pixels
	)
	seen := header
	for b := file[8:]; ; {
		if len(b) < 12 {
			return nil, errShort
		}
		n, name := int(binary.BigEndian.Uint32(b)), string(b[4:8])
		if n > len(b)-12 {
			return nil, errShort
		}
		body := b[8 : 8+n]
		if crc32.ChecksumIEEE(b[4:8+n]) != binary.BigEndian.Uint32(b[8+n:]) {
			return nil, png.FormatError("invalid checksum")
		}
		first := &b[0] == &file[8]
		b = b[12+n:]
		switch name {
		case "IHDR":
			if !first {
				return nil, errOrder
			}
		case "PLTE": // a suggestion
			if seen != header || f.Values == 2 {
				return nil, errOrder
			}
			if n%3 != 0 || n == 0 || n > 3*256 {
				return nil, png.FormatError("bad PLTE length")
			}
			seen = palette
		case "tRNS":
			if seen > palette {
				return nil, errOrder
			}
			if f.Values != 3 || n != 6 {
				return nil, png.FormatError("bad tRNS chunk")
			}
			seen, f.Key = key, new([3]int)
			for k := range f.Key {
				f.Key[k] = int(binary.BigEndian.Uint16(body[2*k:])) & (1<<f.Bits - 1)
			}
		case "IDAT":
			if seen < behind { // one that comes later says nothing
				seen = pixels
				f.idat = append(f.idat, body)
			}
		case "IEND":
			if seen < pixels {
				return nil, errOrder
			}
			if n != 0 {
				return nil, png.FormatError("bad IEND length")
			}
			return f, nil
		default:
			if seen == pixels {
				seen = behind
			}
		}
	}
}

// Rows calls row with each row from the top: Values values a pixel, those of 16 bits with the higher byte first. The slice is good until
// row returns.
func (f *File) Rows(row func(y int, pix []byte)) error {
	var parts []io.Reader
	for _, b := range f.idat {
		parts = append(parts, bytes.NewReader(b))
	}
	z, err := zlib.NewReader(io.MultiReader(parts...))
	if err != nil {
		return err
	}
	pixel := f.Values * f.Bits / 8
	line, above := make([]byte, 1+f.Width*pixel), make([]byte, 1+f.Width*pixel)
	for y := range f.Height {
		if _, err := io.ReadFull(z, line); err != nil {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				return png.FormatError("not enough pixel data")
			}
			return err
		}
		if err := unfilter(line[0], line[1:], above[1:], pixel); err != nil {
			return err
		}
		row(y, line[1:])
		line, above = above, line
	}
	switch n, err := io.ReadFull(z, line[:1]); { // its checksum
	case n > 0:
		return png.FormatError("too much pixel data")
	case err != io.EOF:
		return png.FormatError(err.Error())
	}
	return nil
}
