package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"

	"github.com/gtk-onnx/gtk/internal/ycbcr"
	"github.com/gtk-onnx/gtk/tensor"
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
	lossless      bool
	alpha         bool // beside a lossy picture
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
	w.lossless, w.alpha = name == "VP8L", alpha != nil
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
func (w webpFile) decode() (r raster, err error) {
	img, err := webp.Decode(bytes.NewReader(w.still))
	if err != nil {
		return raster{}, err
	}
	switch m := img.(type) {
	case *image.YCbCr:
		r = rasterOfWebP(m)
	case *image.NYCbCrA:
		r = rasterOfWebP(&m.YCbCr)
		h, w := r.x.Dim(1), r.x.Dim(2)
		r.alpha = tensor.New(tensor.Uint8, h, w)
		for y := range h {
			copy(r.alpha.Bytes()[y*w:][:w], m.A[y*m.AStride:])
		}
	default:
		r = rasterOf(img)
	}
	if w.frame != image.Rect(0, 0, w.width, w.height) {
		r = w.onCanvas(r)
	}
	r.dropOpaque()
	return r, nil
}

func rasterOfWebP(m *image.YCbCr) raster {
	x := tensor.New(tensor.Uint8, 3, m.Rect.Dy(), m.Rect.Dx())
	ycbcr.WebP(x.Bytes(), m)
	return raster{x: x}
}

// onCanvas lays the frame on its canvas.
func (w webpFile) onCanvas(frame raster) raster {
	planes := func(t *tensor.Tensor, value func(i int) byte) *tensor.Tensor {
		out := tensor.New(tensor.Uint8, t.Shape()[:t.Rank()-2].Len(), w.height, w.width)
		fw, fh := w.frame.Dx(), w.frame.Dy()
		for i := range out.Dim(0) * fh {
			row := out.Bytes()[(i/fh*w.height+w.frame.Min.Y+i%fh)*w.width+w.frame.Min.X:][:fw]
			for x := range row {
				row[x] = value(i*fw + x)
			}
		}
		return out
	}
	x := frame.x.Bytes()
	r := raster{x: planes(frame.x, func(i int) byte { return x[i] })}
	opaque := func(int) byte { return 255 }
	if frame.alpha != nil {
		a := frame.alpha.Bytes()
		opaque = func(i int) byte { return a[i] }
	}
	r.alpha = planes(tensor.New(tensor.Uint8, 1, 1), opaque).Reshape(w.height, w.width)
	return r
}
