package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"  // format
	_ "image/jpeg" // format
	_ "image/png"  // format
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "golang.org/x/image/bmp"  // format
	_ "golang.org/x/image/tiff" // format
	_ "golang.org/x/image/webp" // format

	"github.com/gtk-onnx/gtk/tensor"
)

// imageExts is the extensions that are taken for pictures in folders.
var imageExts = []string{".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"}

// isImage reports whether path has the extension of a picture.
func isImage(path string) bool {
	return slices.Contains(imageExts, strings.ToLower(filepath.Ext(path)))
}

// DecodeImage decodes a picture file (png, jpeg, webp, bmp, tiff, first frame of gif) and turns it upright as its
// EXIF orientation says (JPEG). The size that the file claims is compared with the limit before anything is
// decoded. name is for errors.
func DecodeImage(name string, file []byte, l Limits) (img image.Image, err error) {
	cfg, kind, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		remedy := "the file is damaged or not a picture; remove it or replace it"
		if errors.Is(err, image.ErrFormat) {
			remedy = "readable are png, jpeg, webp, bmp, tiff and gif"
		}
		return nil, &FormatError{Path: name, Problem: "cannot read the picture", Err: err, Remedy: remedy}
	}
	if cfg.Width <= 0 || cfg.Height <= 0 {
		return nil, malformed(name, "", "remove the file", "picture of %d×%d pixels", cfg.Width, cfg.Height)
	}
	if cfg.Width > l.pixels()/cfg.Height {
		return nil, malformed(name, "", "shrink the picture or raise the limit", "picture of %d×%d pixels is over the limit of %d pixels", cfg.Width, cfg.Height, l.pixels())
	}
	defer func() {
		if r := recover(); r != nil { // a decoder of ours or of others must not take the program down
			img, err = nil, &FormatError{Path: name, Problem: "cannot read the picture", Err: fmt.Errorf("%s decoder: %v", kind, r), Remedy: "the file is damaged; remove it or replace it"}
		}
	}()
	img, _, err = image.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, &FormatError{Path: name, Problem: "cannot decode the picture", Err: err, Remedy: "the file is damaged or cut short; remove it or replace it"}
	}
	if img.Bounds().Empty() {
		return nil, malformed(name, "", "remove the file", "empty picture")
	}
	switch m := img.(type) {
	case *image.YCbCr:
		if kind == "webp" {
			return fromStudioRange(m), nil
		}
	case *image.NYCbCrA:
		return fromStudioRange(&m.YCbCr), nil
	}
	if kind == "jpeg" {
		img = upright(img, exifOrientation(file))
	}
	return img, nil
}

// LoadImage reads and decodes a picture file; see DecodeImage.
func LoadImage(path string, l Limits) (image.Image, error) {
	b, err := readFile(path, l)
	if err != nil {
		return nil, err
	}
	return DecodeImage(path, b, l)
}

// readFile reads a whole file no larger than the limit.
func readFile(path string, l Limits) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("data: %w", &fs.PathError{Op: "read", Path: path, Err: errors.New("is a folder")})
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("data: %w", &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")})
	}
	b, err := readAtMost(f, l.bytes())
	if errors.Is(err, errTooLarge) {
		return nil, malformed(path, "", "raise the limit or split the data", "file is over the limit of %d bytes", l.bytes())
	}
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	return b, nil
}

var errTooLarge = errors.New("over the size limit")

// readAtMost reads r to its end, or fails with errTooLarge after limit bytes.
func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(r, limit))
	if err != nil {
		return nil, err
	}
	if n == limit {
		if m, _ := io.ReadFull(r, make([]byte, 1)); m > 0 {
			return nil, errTooLarge
		}
	}
	return buf.Bytes(), nil
}

// exifOrientation is the Orientation tag (0x0112) of a JPEG file, 1 when there is none.
//
// Source: Exif 2.32 (CIPA DC-008), sections 4.5.4 and 4.6.4; TIFF 6.0, section 2.
func exifOrientation(file []byte) int {
	for p := 2; p+4 <= len(file) && file[p] == 0xFF; {
		marker, n := file[p+1], int(binary.BigEndian.Uint16(file[p+2:]))
		if marker == 0xDA || n < 2 || p+2+n > len(file) {
			return 1
		}
		body := file[p+4 : p+2+n]
		p += 2 + n
		if marker != 0xE1 || !bytes.HasPrefix(body, []byte("Exif\x00\x00")) {
			continue
		}
		return tiffOrientation(body[6:])
	}
	return 1
}

func tiffOrientation(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	if b[0] == 'M' {
		order = binary.BigEndian
	}
	at := uint64(order.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return 1
	}
	entries := b[at+2:]
	for range int(order.Uint16(b[at:])) {
		if len(entries) < 12 {
			return 1
		}
		if order.Uint16(entries) == 0x0112 {
			if v := int(order.Uint16(entries[8:])); v >= 1 && v <= 8 {
				return v
			}
			return 1
		}
		entries = entries[12:]
	}
	return 1
}

// upright undoes an EXIF orientation.
func upright(img image.Image, orientation int) image.Image {
	if orientation <= 1 || orientation > 8 {
		return img
	}
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	if orientation >= 5 {
		w, h = h, w
	}
	if m, ok := img.(*image.YCbCr); ok {
		img = whole(m)
		b = img.Bounds()
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			var sx, sy int // where the upright pixel lies in the stored picture
			switch orientation {
			case 2:
				sx, sy = w-1-x, y
			case 3:
				sx, sy = w-1-x, h-1-y
			case 4:
				sx, sy = x, h-1-y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, w-1-x
			case 7:
				sx, sy = h-1-y, w-1-x
			case 8:
				sx, sy = h-1-y, x
			}
			out.SetNRGBA(x, y, color.NRGBAModel.Convert(img.At(b.Min.X+sx, b.Min.Y+sy)).(color.NRGBA))
		}
	}
	return out
}

// FromImage is the picture tensor of img: uint8 [1,H,W] for grey images, [3,H,W] in RGB for all others. Alpha is
// dropped and 16-bit channels keep their high byte, as Pillow's convert("RGB") does.
func FromImage(img image.Image) *tensor.Tensor {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	n := w * h
	switch m := img.(type) {
	case *image.Gray:
		t := tensor.New(tensor.Uint8, 1, h, w)
		for y := range h {
			o := m.PixOffset(b.Min.X, b.Min.Y+y)
			copy(t.Bytes()[y*w:(y+1)*w], m.Pix[o:o+w])
		}
		return t
	case *image.Gray16:
		t := tensor.New(tensor.Uint8, 1, h, w)
		for y := range h {
			o := m.PixOffset(b.Min.X, b.Min.Y+y)
			for x := range w {
				t.Bytes()[y*w+x] = m.Pix[o+2*x]
			}
		}
		return t
	}
	t := tensor.New(tensor.Uint8, 3, h, w)
	d := t.Bytes()
	if m, ok := img.(*image.YCbCr); ok {
		fillYCbCr(d, m)
		return t
	}
	set := func(at int, r, g, b uint8) { d[at], d[n+at], d[2*n+at] = r, g, b }
	for y := range h {
		at := y * w
		switch m := img.(type) {
		case *image.NRGBA:
			o := m.PixOffset(b.Min.X, b.Min.Y+y)
			for x := range w {
				p := m.Pix[o+4*x : o+4*x+3 : o+4*x+3]
				set(at+x, p[0], p[1], p[2])
			}
		case *image.NRGBA64:
			o := m.PixOffset(b.Min.X, b.Min.Y+y)
			for x := range w {
				p := m.Pix[o+8*x : o+8*x+6]
				set(at+x, p[0], p[2], p[4])
			}
		case *image.CMYK:
			o := m.PixOffset(b.Min.X, b.Min.Y+y)
			for x := range w {
				p := m.Pix[o+4*x : o+4*x+4]
				r, g, bl := color.CMYKToRGB(p[0], p[1], p[2], p[3])
				set(at+x, r, g, bl)
			}
		default:
			for x := range w {
				c := color.NRGBAModel.Convert(img.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
				set(at+x, c.R, c.G, c.B)
			}
		}
	}
	return t
}

// ToImage is the picture of x, uint8 [1,H,W] as *image.Gray or [3,H,W] (RGB) as *image.NRGBA. It fails for other tensors.
func ToImage(x *tensor.Tensor) (image.Image, error) {
	if err := checkPicture(x); err != nil {
		return nil, err
	}
	h, w := x.Dim(1), x.Dim(2)
	d, n := x.Bytes(), h*w
	if x.Dim(0) == 1 {
		m := image.NewGray(image.Rect(0, 0, w, h))
		copy(m.Pix, d)
		return m, nil
	}
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range n {
		m.Pix[4*i], m.Pix[4*i+1], m.Pix[4*i+2], m.Pix[4*i+3] = d[i], d[n+i], d[2*n+i], 255
	}
	return m, nil
}

// checkPicture fails unless x is a uint8 tensor [C,H,W] with C 1 or 3 and at least one pixel.
func checkPicture(x *tensor.Tensor) error {
	if x.DType() != tensor.Uint8 || x.Rank() != 3 || (x.Dim(0) != 1 && x.Dim(0) != 3) || x.Len() == 0 {
		return fmt.Errorf("data: %v is not a picture; need uint8 [C,H,W] with 1 or 3 channels", x)
	}
	return nil
}
