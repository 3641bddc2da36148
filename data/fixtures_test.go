package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func write1(t testing.TB, path string, b []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func gz(b []byte) []byte {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	_, _ = z.Write(b)
	_ = z.Close()
	return buf.Bytes()
}

func pngOf(img image.Image) []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, img)
	return b.Bytes()
}

func jpegOf(img image.Image) []byte {
	var b bytes.Buffer
	_ = jpeg.Encode(&b, img, &jpeg.Options{Quality: 95})
	return b.Bytes()
}

// flat is a picture of one colour.
func flat(w, h int, c color.NRGBA) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

func idxImages(n, h, w int) []byte {
	b := []byte{0, 0, 8, 3}
	for _, e := range []int{n, h, w} {
		b = binary.BigEndian.AppendUint32(b, uint32(e))
	}
	for i := range n * h * w {
		b = append(b, byte(i))
	}
	return b
}

func idxLabels(labels ...byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0, 0, 8, 1}, uint32(len(labels))), labels...)
}

func cifarRecords(labels ...byte) []byte {
	var b []byte
	for i, l := range labels {
		b = append(b, l)
		for k := range cifarRecord - 1 {
			b = append(b, byte(i+k/1024))
		}
	}
	return b
}

func npzOf(t testing.TB, arrays ...tensor.Named) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := tensor.WriteNPZ(&b, arrays); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// wantFormatError checks kind and content of an error.
func wantFormatError(t *testing.T, err error, parts ...string) {
	t.Helper()
	var f *FormatError
	if !errors.As(err, &f) {
		t.Fatalf("got error %v, want a *FormatError", err)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not contain %q", err, p)
		}
	}
}

// dump is everything a data set says, to compare sets.
func dump(t testing.TB, ds Dataset) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintln(&b, ds.Len(), ds.Classes())
	for i := range ds.Len() {
		e, err := ds.Example(i)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, e.ID, e.Label, e.Picture, e.Groups)
		arrays := map[string]*tensor.Tensor{"x": e.X, "y": e.Y, "mask": e.Mask}
		maps.Copy(arrays, e.Fields)
		for _, name := range slices.Sorted(maps.Keys(arrays)) {
			if a := arrays[name]; a != nil {
				fmt.Fprintln(&b, name, a, a.Bytes())
			}
		}
	}
	return b.String()
}

func crc32PNG(b []byte) uint32 { return crc32.ChecksumIEEE(b) }
