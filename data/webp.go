package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"

	"github.com/gtk-onnx/gtk/internal/ycbcr"
	"golang.org/x/image/webp"
)

// webpChunks yields the chunks of a WebP file; a last one that is cut short is left out.
//
// Source: RFC 9649, section 2.3 (WebP container).
func webpChunks(file []byte) func(yield func(name string, body []byte) bool) {
	if len(file) < 12 {
		return func(func(string, []byte) bool) {}
	}
	return riffChunks(file[12:])
}

func riffChunks(b []byte) func(yield func(name string, body []byte) bool) {
	return func(yield func(string, []byte) bool) {
		for len(b) >= 8 {
			n := int64(binary.LittleEndian.Uint32(b[4:]))
			if n > int64(len(b)-8) || !yield(string(b[:4]), b[8:8+n]) {
				return
			}
			b = b[min(int64(len(b)), 8+n+n&1):]
		}
	}
}

// webpFile is the picture of a WebP file, or the first frame of an animation.
type webpFile struct {
	width, height int             // of the canvas
	frame         image.Rectangle // where the picture lies on it
	still         []byte          // the frame as a file of its own
	animated      bool
}

// parseWebP finds the picture in a WebP file. Only what it needs of the container is kept, so that chunks that are odd or out of
// place do no harm.
func parseWebP(file []byte) (w webpFile, err error) {
	var alpha, picture []byte
	name := ""
	body := riffChunks(nil)
	for n, b := range webpChunks(file) {
		switch {
		case n == "VP8X" && len(b) >= 10:
			w.width, w.height, w.animated = 1+uint24(b[4:]), 1+uint24(b[7:]), b[0]&2 != 0
			continue
		case n == "ANMF" && len(b) >= 16:
			x, y := 2*uint24(b), 2*uint24(b[3:])
			w.frame = image.Rect(x, y, x+1+uint24(b[6:]), y+1+uint24(b[9:]))
			body = riffChunks(b[16:])
		case n == "ALPH" || n == "VP8 " || n == "VP8L":
			body = riffChunks(file[12:])
		default:
			continue
		}
		break
	}
	for n, b := range body {
		switch n {
		case "ALPH":
			alpha = b
		case "VP8 ", "VP8L":
			name, picture = n, b
		default:
			continue
		}
		if picture != nil {
			break
		}
	}
	if picture == nil {
		return w, errors.New("no whole picture in the file")
	}
	if name == "VP8L" {
		alpha = nil // it has its own
	}
	w.still = simpleWebP(name, picture, nil, 0, 0)
	cfg, err := webp.DecodeConfig(bytes.NewReader(w.still))
	if err != nil {
		return w, err
	}
	if w.frame.Empty() {
		w.frame = image.Rect(0, 0, cfg.Width, cfg.Height)
	}
	if !w.animated {
		w.width, w.height = cfg.Width, cfg.Height
	}
	if w.frame.Dx() != cfg.Width || w.frame.Dy() != cfg.Height || !w.frame.In(image.Rect(0, 0, w.width, w.height)) {
		return w, errors.New("the first frame does not lie on its canvas")
	}
	if alpha != nil {
		w.still = simpleWebP(name, picture, alpha, cfg.Width, cfg.Height)
	}
	return w, nil
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// simpleWebP is a file of one picture, with its alpha plane where there is one.
func simpleWebP(name string, picture, alpha []byte, w, h int) []byte {
	b := []byte("RIFF\x00\x00\x00\x00WEBP")
	chunk := func(name string, body []byte) {
		b = append(binary.LittleEndian.AppendUint32(append(b, name...), uint32(len(body))), body...)
		if len(body)%2 == 1 {
			b = append(b, 0)
		}
	}
	if alpha != nil {
		w, h := w-1, h-1
		chunk("VP8X", []byte{1 << 4, 0, 0, 0, byte(w), byte(w >> 8), byte(w >> 16), byte(h), byte(h >> 8), byte(h >> 16)})
		chunk("ALPH", alpha)
	}
	chunk(name, picture)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

// decode is the picture in RGB. What a first frame leaves free of its canvas is transparent black, as in libwebp.
func (w webpFile) decode() (image.Image, error) {
	img, err := webp.Decode(bytes.NewReader(w.still))
	if err != nil {
		return nil, err
	}
	switch m := img.(type) {
	case *image.YCbCr:
		img = ycbcr.WebP(m)
	case *image.NYCbCrA:
		rgb := ycbcr.WebP(&m.YCbCr)
		for y := range rgb.Rect.Dy() {
			for x := range rgb.Rect.Dx() {
				rgb.Pix[4*(y*rgb.Rect.Dx()+x)+3] = m.A[y*m.AStride+x]
			}
		}
		img = rgb
	}
	whole := image.Rect(0, 0, w.width, w.height)
	src, ok := img.(*image.NRGBA)
	if w.frame == whole || !ok {
		return img, nil
	}
	canvas := image.NewNRGBA(whole)
	for y := range w.frame.Dy() {
		row := canvas.Pix[canvas.PixOffset(w.frame.Min.X, w.frame.Min.Y+y):][:4*w.frame.Dx()]
		copy(row, src.Pix[src.PixOffset(src.Rect.Min.X, src.Rect.Min.Y+y):])
	}
	return canvas, nil
}
