package data

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"io"
	"strings"

	"github.com/gtk-onnx/gtk/internal/lazy"
	"github.com/gtk-onnx/gtk/tensor"
)

// orientation is the Orientation tag (0x0112) of a picture file, 1 to 8, 1 when there is none. It is looked for in the EXIF data of JPEG,
// PNG (also in the text that ImageMagick writes), WebP and TIFF, and where these have none, in their XMP data.
//
// Source: Exif 2.32 (CIPA DC-008), sections 4.5.4 and 4.6.4; TIFF 6.0, section 2; PNG third edition, section 11.3.4.5; XMP part 2.
func orientation(kind string, file []byte) int {
	var xmp []byte
	o := 0
	look := func(exif []byte) {
		if o == 0 {
			o = tiffOrientation(bytes.TrimPrefix(exif, []byte("Exif\x00\x00")))
		}
	}
	switch kind {
	case "jpeg":
		for marker, body := range jpegSegments(file) {
			switch {
			case marker != 0xE1:
			case bytes.HasPrefix(body, []byte("Exif\x00\x00")):
				look(body)
			case bytes.HasPrefix(body, []byte("http://ns.adobe.com/xap/1.0/\x00")):
				xmp = body
			}
		}
	case "png":
		for name, body := range pngChunks(file) {
			switch name {
			case "eXIf":
				look(body)
			case "tEXt", "zTXt", "iTXt":
				switch key, text := pngText(name, body); key {
				case "Raw profile type exif", "Raw profile type APP1":
					look(rawProfile(text))
				case "XML:com.adobe.xmp":
					xmp = text
				}
			}
		}
	case "webp":
		for name, body := range webpChunks(file) {
			switch name {
			case "EXIF":
				look(body)
			case "XMP ":
				xmp = body
			}
		}
	case "tiff":
		look(file)
		xmp = tiffXMP(file)
	}
	if o == 0 {
		o = xmpOrientation(xmp)
	}
	return max(o, 1)
}

// jpegSegments yields the segments before the scan.
func jpegSegments(file []byte) func(yield func(marker byte, body []byte) bool) {
	return func(yield func(byte, []byte) bool) {
		for p := 2; p+4 <= len(file) && file[p] == 0xFF; {
			if file[p+1] == 0xFF { // fill byte
				p++
				continue
			}
			marker, n := file[p+1], int(binary.BigEndian.Uint16(file[p+2:]))
			if marker == 0xDA || marker == 0xD9 || n < 2 || p+2+n > len(file) || !yield(marker, file[p+4:p+2+n]) {
				return
			}
			p += 2 + n
		}
	}
}

// pngChunks yields the chunks of a PNG file.
func pngChunks(file []byte) func(yield func(name string, body []byte) bool) {
	return func(yield func(string, []byte) bool) {
		for p := 8; p+12 <= len(file); {
			n := int(binary.BigEndian.Uint32(file[p:]))
			if n < 0 || n > len(file)-p-12 || !yield(string(file[p+4:p+8]), file[p+8:p+8+n]) {
				return
			}
			p += 12 + n
		}
	}
}

// pngText is keyword and text of a textual chunk, with compressed text inflated up to a megabyte.
func pngText(chunk string, body []byte) (key string, text []byte) {
	k, rest, ok := bytes.Cut(body, []byte{0})
	if !ok {
		return "", nil
	}
	packed := false
	switch chunk {
	case "zTXt":
		if len(rest) < 1 {
			return "", nil
		}
		packed, rest = true, rest[1:]
	case "iTXt": // compression flag and method, language, translated keyword
		if len(rest) < 2 {
			return "", nil
		}
		packed, rest = rest[0] == 1, rest[2:]
		for range 2 {
			if _, rest, ok = bytes.Cut(rest, []byte{0}); !ok {
				return "", nil
			}
		}
	}
	if !packed {
		return string(k), rest
	}
	z, err := zlib.NewReader(bytes.NewReader(rest))
	if err != nil {
		return "", nil
	}
	b, _ := io.ReadAll(io.LimitReader(z, 1<<20)) // what could be read of broken text may still do
	return string(k), b
}

// rawProfile is the bytes of ImageMagick's text form of a profile: a line of its name, one of its length, and hexadecimal digits.
func rawProfile(text []byte) []byte {
	lines := strings.SplitN(string(text), "\n", 4)
	if len(lines) < 4 {
		return nil
	}
	b, _ := hex.DecodeString(strings.Join(strings.Fields(lines[3]), "")) // up to the first bad digit
	return b
}

// ifd yields the entries of the first directory of TIFF data: tag, type and count, and the four bytes of value or offset.
func ifd(b []byte) (order binary.ByteOrder, entries func(yield func(tag uint16, entry []byte) bool)) {
	order = binary.LittleEndian
	if len(b) < 8 || string(b[:2]) != "II" && string(b[:2]) != "MM" {
		return order, func(func(uint16, []byte) bool) {}
	}
	if b[0] == 'M' {
		order = binary.BigEndian
	}
	return order, func(yield func(uint16, []byte) bool) {
		at := uint64(order.Uint32(b[4:]))
		if at+2 > uint64(len(b)) {
			return
		}
		rest := b[at+2:]
		for range int(order.Uint16(b[at:])) {
			if len(rest) < 12 || !yield(order.Uint16(rest), rest[:12]) {
				return
			}
			rest = rest[12:]
		}
	}
}

// number is the first value of an entry of bytes, shorts or longs that fits into the entry.
func number(order binary.ByteOrder, entry []byte) int {
	switch order.Uint16(entry[2:]) {
	case 1:
		return int(entry[8])
	case 4:
		return int(order.Uint32(entry[8:]))
	}
	return int(order.Uint16(entry[8:]))
}

// tiffOrientation is the orientation in TIFF data: 0 when the tag is missing, 1 when its value has no meaning.
func tiffOrientation(b []byte) int {
	order, entries := ifd(b)
	for tag, e := range entries {
		if tag == 0x0112 {
			if v := number(order, e); v >= 1 && v <= 8 {
				return v
			}
			return 1
		}
	}
	return 0
}

// tiffXMP is the XMP data of a TIFF file, nil when it has none.
func tiffXMP(b []byte) []byte {
	order, entries := ifd(b)
	for tag, e := range entries {
		if n, at := uint64(order.Uint32(e[4:])), uint64(order.Uint32(e[8:])); tag == 700 && n > 4 && at+n <= uint64(len(b)) {
			return b[at : at+n]
		}
	}
	return nil
}

var orientationInXMP = lazy.Regexp(`tiff:Orientation(?:\s*=\s*["']|>)\s*([1-8])`)

func xmpOrientation(b []byte) int {
	if m := orientationInXMP().FindSubmatch(b); m != nil {
		return int(m[1][0] - '0')
	}
	return 0
}

// upright is stored planes [C,H,W] (or [H,W]) as a viewer shows them.
func upright(t *tensor.Tensor, orientation int) *tensor.Tensor {
	if t == nil || orientation <= 1 || orientation > 8 {
		return t
	}
	if t.Rank() == 2 {
		out := upright(t.Reshape(1, t.Dim(0), t.Dim(1)), orientation)
		return out.Reshape(out.Dim(1), out.Dim(2))
	}
	c, h, w := t.Dim(0), t.Dim(1), t.Dim(2)
	oh, ow := h, w
	if orientation >= 5 {
		oh, ow = w, h
	}
	out := tensor.New(t.DType(), c, oh, ow)
	// where pixel 0,0 of the result is stored, and the steps along its rows and columns
	last, right := (h-1)*w, w-1
	at := [][3]int{{right, -1, w}, {last + right, -1, -w}, {last, 1, -w}, {0, w, 1}, {last, -w, 1}, {last + right, -w, -1},
		{right, w, -1}}[orientation-2]
	if t.DType() == tensor.Uint16 {
		rotate(tensor.Data[uint16](out), tensor.Data[uint16](t), c, oh, ow, at)
	} else {
		rotate(out.Bytes(), t.Bytes(), c, oh, ow, at)
	}
	return out
}

// rotate fills c planes of h×w by walking through src: from at[0], by at[1] for a step to the right and at[2] for one downwards.
func rotate[T uint8 | uint16](dst, src []T, c, h, w int, at [3]int) {
	for k := range c {
		for y := range h {
			p := k*h*w + at[0] + y*at[2]
			row := dst[(k*h+y)*w:][:w]
			for x := range row {
				row[x] = src[p]
				p += at[1]
			}
		}
	}
}
