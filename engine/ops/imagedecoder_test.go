package ops_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// decoded is what ImageDecoder makes of a file.
func decoded(t *testing.T, file []byte, format string) (*tensor.Tensor, error) {
	t.Helper()
	a, err := ops.ImageDecoder.DecodeAttrs(is("pixel_format", format))
	if err != nil {
		t.Fatal(err)
	}
	g := graph.New("")
	b := graph.NewBuilder(g)
	x := tensor.From(file, len(file))
	n := b.AddNode("d", ops.ImageDecoder, a, []graph.Value{g.AddConst("", x)}, []bool{true})
	if n == nil {
		return nil, b.Err()
	}
	y, err := graph.Evaluate(g, n, []*tensor.Tensor{x})
	if err != nil {
		return nil, err
	}
	return y[0], nil
}

// TestImageDecoder: pictures of two by one pixels, whose bytes are known.
func TestImageDecoder(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	m.SetNRGBA(0, 0, color.NRGBA{10, 20, 30, 255})
	m.SetNRGBA(1, 0, color.NRGBA{200, 100, 50, 255})
	clear := image.NewNRGBA(m.Rect)
	copy(clear.Pix, m.Pix)
	clear.Pix[3] = 100
	deep := image.NewGray16(m.Rect)
	deep.SetGray16(0, 0, color.Gray16{0x1234})
	deep.SetGray16(1, 0, color.Gray16{0xff00})
	encode := func(f func(*bytes.Buffer) error) []byte {
		var b bytes.Buffer
		if err := f(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	rgb := []uint8{10, 20, 30, 200, 100, 50}
	for _, tc := range []struct {
		name, format string
		file         []byte
		want         []uint8
	}{
		{"png", "RGB", encode(func(b *bytes.Buffer) error { return png.Encode(b, m) }), rgb},
		{"png turned", "BGR", encode(func(b *bytes.Buffer) error { return png.Encode(b, m) }), []uint8{30, 20, 10, 50, 100, 200}},
		{"png grey", "Grayscale", encode(func(b *bytes.Buffer) error { return png.Encode(b, m) }), []uint8{18, 124}},
		{"png with alpha", "RGB", encode(func(b *bytes.Buffer) error { return png.Encode(b, clear) }), rgb},
		{"png of 16 bits", "Grayscale", encode(func(b *bytes.Buffer) error { return png.Encode(b, deep) }), []uint8{0x12, 0xff}},
		{"bmp", "RGB", encode(func(b *bytes.Buffer) error { return bmp.Encode(b, m) }), rgb},
		{"tiff", "RGB", encode(func(b *bytes.Buffer) error { return tiff.Encode(b, m, nil) }), rgb},
		{"ppm in text", "RGB", []byte("P3 # comment\n2 1\n255\n10 20 30\n200 100 50\n"), rgb},
		{"pgm", "RGB", []byte("P5 2 1 15\n\x00\x0f"), []uint8{0, 0, 0, 255, 255, 255}},
		{"pbm", "Grayscale", []byte("P4 2 1\n\x40"), []uint8{255, 0}},
	} {
		y, err := decoded(t, tc.file, tc.format)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if s := (tensor.Shape{1, 2, len(tc.want) / 2}); !y.Shape().Equal(s) || !bytes.Equal(y.Bytes(), tc.want) {
			t.Errorf("%s: %v %v, want %v %v", tc.name, y.Shape(), y.Bytes(), s, tc.want)
		}
	}
	for what, file := range map[string]string{
		"no picture": "GIF89a", "cannot read the png": "\x89PNG\r\n\x1a\n", "samples, need": "P6 2 1 255\n\x01",
		"jpeg 2000": "\xff\x4f\xff\x51", "pixels": "P5 0 3 255\n", "readable are": "",
	} {
		if _, err := decoded(t, []byte(file), "RGB"); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%q: error %v, want one with %q", file, err, what)
		}
	}
}
