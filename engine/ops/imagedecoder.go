package ops

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"

	"github.com/gtk-onnx/gtk/engine/graph"
	exact "github.com/gtk-onnx/gtk/internal/jpeg"
	"github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/internal/pnm"
	"github.com/gtk-onnx/gtk/internal/ycbcr"
	"github.com/gtk-onnx/gtk/tensor"
)

// ImageDecoder decodes encoded_stream, the bytes of a bmp, jpeg, png, tiff, webp or netpbm file, to a picture [H,W,C] of bytes: RGB, BGR,
// or Grayscale of one channel. Transparency is left out, and an orientation that the file asks for is not applied.
//
// Source: https://onnx.ai/onnx/operators/onnx__ImageDecoder.html. Deviations: what cannot be decoded is an error, no empty picture; there
// is no JPEG 2000.
var ImageDecoder = new(graph.Spec)

type imageDecoderAttrs struct {
	Format string `onnx:"pixel_format,default=RGB"`
}

func init() {
	bytes := []tensor.DType{tensor.Uint8}
	define(ImageDecoder, graph.Def[imageDecoderAttrs]{
		Name: "ImageDecoder", Since: []int{20}, Doc: "https://onnx.ai/onnx/operators/onnx__ImageDecoder.html",
		In:  []graph.Formal{{Name: "encoded_stream", NoGrad: true, Types: bytes}},
		Out: []graph.Formal{{Name: "image", NoGrad: true}},
		Check: func(a *imageDecoderAttrs, _ *graph.Node) error {
			if a.Format != "RGB" && a.Format != "BGR" && a.Format != "Grayscale" {
				return fmt.Errorf("pixel_format is %q, want RGB, BGR or Grayscale", a.Format)
			}
			return nil
		},
		Infer: func(_ *imageDecoderAttrs, c *graph.InferCtx) error {
			if len(c.Shape(0)) != 1 {
				return fmt.Errorf("encoded_stream has shape %v, want the bytes of one file", c.Shape(0))
			}
			return graph.ErrAtRun
		},
		Run: func(a *imageDecoderAttrs, c *graph.RunCtx) (err error) {
			file := c.In[0].Bytes()
			format := pictureFormat(file)
			if format == nil {
				return fmt.Errorf("the %d bytes are no picture: readable are bmp, jpeg, png, tiff, webp and netpbm files", len(file))
			}
			defer func() {
				if r := recover(); r != nil { // a decoder must not take the program down
					err = fmt.Errorf("cannot decode the %s picture: %v", format.name, r)
				}
			}()
			if format.config == nil {
				return fmt.Errorf("%s pictures are not decoded: convert it to png", format.name)
			}
			cfg, err := format.config(file)
			if err != nil {
				return fmt.Errorf("cannot read the %s picture: %w", format.name, err)
			}
			w, h, channels := cfg.Width, cfg.Height, 3
			if a.Format == "Grayscale" {
				channels = 1
			}
			if w <= 0 || h <= 0 || w > 1<<30 || h > 1<<30 {
				return fmt.Errorf("the %s picture has %d×%d pixels", format.name, w, h)
			}
			out, err := c.Alloc(0, tensor.Uint8, h, w, channels)
			if err != nil {
				return err
			}
			const work = 16 // bytes for a pixel, of what decoders keep
			if err := c.Budget(work * w * h); err != nil {
				return err
			}
			held, err := memory.Take(int64(work*w*h), "decoding a picture")
			if err != nil {
				return err
			}
			defer held.Release()
			at, err := format.decode(file)
			if err != nil {
				return fmt.Errorf("cannot decode the %s picture: %w", format.name, err)
			}
			a.pack(out.Bytes(), w, h, at)
			return nil
		},
	})
}

// pixels gives the colour of a pixel.
type pixels func(x, y int) (r, g, b uint8)

// pack writes the pixels in their order in the tensor.
func (a *imageDecoderAttrs) pack(out []uint8, w, h int, at pixels) {
	for i := range w * h {
		r, g, b := at(i%w, i/w)
		switch a.Format {
		case "RGB":
			out[3*i], out[3*i+1], out[3*i+2] = r, g, b
		case "BGR":
			out[3*i], out[3*i+1], out[3*i+2] = b, g, r
		default: // ITU-R BT.601 in 16-bit fixed point, rounded, as Pillow has it
			out[i] = uint8((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(b) + 1<<15) >> 16)
		}
	}
}

// pictureCoder reads one kind of file.
type pictureCoder struct {
	name   string
	begins []string // "?" stands for any byte
	config func(file []byte) (image.Config, error)
	decode func(file []byte) (pixels, error)
}

func coder(name string, config func(io.Reader) (image.Config, error), decode func(io.Reader) (image.Image, error),
	begins ...string) pictureCoder {
	return pictureCoder{name, begins, func(file []byte) (image.Config, error) { return config(bytes.NewReader(file)) },
		func(file []byte) (pixels, error) {
			m, err := decode(bytes.NewReader(file))
			if err != nil {
				return nil, err
			}
			return pixelsOf(m, name == "webp"), nil
		}}
}

var pictureCoders = []pictureCoder{
	coder("png", png.DecodeConfig, png.Decode, "\x89PNG\r\n\x1a\n"),
	coder("jpeg", jpeg.DecodeConfig, decodeJPEG, "\xff\xd8"),
	coder("bmp", bmp.DecodeConfig, bmp.Decode, "BM"),
	coder("tiff", tiff.DecodeConfig, tiff.Decode, "II*\x00", "MM\x00*"),
	coder("webp", webp.DecodeConfig, webp.Decode, "RIFF????WEBP"),
	{"netpbm", []string{"P1", "P2", "P3", "P4", "P5", "P6", "P7"}, pnmConfig, decodePNM},
	{name: "jpeg 2000", begins: []string{"\x00\x00\x00\x0cjP  ", "\xff\x4f\xff\x51"}},
}

// decodeJPEG gives the samples that libjpeg gives where the file is sequential.
func decodeJPEG(r io.Reader) (image.Image, error) {
	file, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	m, err := exact.Decode(file)
	if err != nil { // of another kind, or damaged
		if cfg, err := jpeg.DecodeConfig(bytes.NewReader(file)); err != nil {
			return nil, err
		} else if err := exact.CheckScans(file, cfg.Width, cfg.Height); err != nil {
			return nil, err
		}
		return jpeg.Decode(bytes.NewReader(file))
	}
	return m, nil
}

// pictureFormat is how the file is read, by its first bytes; nil when they are none that are known.
func pictureFormat(file []byte) *pictureCoder {
	for i, f := range pictureCoders {
		for _, b := range f.begins {
			fits := len(file) >= len(b)
			for k := 0; fits && k < len(b); k++ {
				fits = b[k] == '?' || b[k] == file[k]
			}
			if fits {
				return &pictureCoders[i]
			}
		}
	}
	return nil
}

// pixelsOf are the colours of m in 8 bits.
func pixelsOf(m image.Image, isWebP bool) pixels {
	b := m.Bounds()
	switch p := m.(type) {
	case *image.YCbCr:
		w, n := b.Dx(), b.Dx()*b.Dy()
		planes := make([]uint8, 3*n)
		if isWebP {
			ycbcr.WebP(planes, p)
		} else {
			ycbcr.Planes(planes, p)
		}
		return func(x, y int) (uint8, uint8, uint8) { i := y*w + x; return planes[i], planes[n+i], planes[2*n+i] }
	case *image.NYCbCrA:
		return pixelsOf(&p.YCbCr, isWebP)
	case *image.Gray:
		return func(x, y int) (uint8, uint8, uint8) { v := p.GrayAt(b.Min.X+x, b.Min.Y+y).Y; return v, v, v }
	}
	return func(x, y int) (uint8, uint8, uint8) {
		c := color.NRGBA64Model.Convert(m.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA64)
		return uint8(c.R >> 8), uint8(c.G >> 8), uint8(c.B >> 8)
	}
}

func pnmConfig(file []byte) (image.Config, error) {
	p, err := pnm.Parse(file)
	return image.Config{Width: p.Width, Height: p.Height}, err
}

// decodePNM spreads the values of a netpbm file over 0 to 255.
func decodePNM(file []byte) (pixels, error) {
	p, err := pnm.Parse(file)
	if err == nil {
		err = p.Enough()
	}
	if err != nil {
		return nil, err
	}
	values := make([]uint8, p.Width*p.Height*p.Depth)
	for i := range values {
		v, err := p.Sample(i, i/p.Depth)
		if err != nil {
			return nil, err
		}
		values[i] = uint8((v*255 + p.White/2) / p.White)
	}
	return func(x, y int) (uint8, uint8, uint8) {
		v := values[(y*p.Width+x)*p.Depth:]
		if p.Depth < 3 { // grey, and perhaps alpha
			return v[0], v[0], v[0]
		}
		return v[0], v[1], v[2]
	}, nil
}
