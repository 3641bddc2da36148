package jpeg

import (
	"errors"
	"image"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/gtk-onnx/gtk/internal/pnm"
	"github.com/gtk-onnx/gtk/internal/ycbcr"
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDecode compares with what Pillow 9.4, which has libjpeg-turbo, makes of pictures of its own: every byte agrees.
func TestDecode(t *testing.T) {
	for _, name := range []string{"420", "422", "444", "grey"} {
		m, err := Decode(read(t, name+".jpg"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p, err := pnm.Parse(read(t, name+".ppm"))
		if err != nil {
			t.Fatal(err)
		}
		w, n := p.Width, p.Width*p.Height
		if m.Bounds() != image.Rect(0, 0, w, p.Height) {
			t.Fatalf("%s: %v, want %d×%d", name, m.Bounds(), w, p.Height)
		}
		planes := make([]uint8, 3*n)
		switch m := m.(type) {
		case *image.YCbCr:
			ycbcr.Planes(planes, m)
		case *image.Gray:
			for i := range planes {
				planes[i] = m.GrayAt(i%n%w, i%n/w).Y
			}
		}
		for i := range n {
			for c := range 3 {
				want, err := p.Sample(3*i+c, i)
				if err != nil {
					t.Fatal(err)
				}
				if got := int(planes[c*n+i]); got != want {
					t.Fatalf("%s: channel %d of pixel (%d,%d) is %d, want %d", name, c, i%w, i/w, got, want)
				}
			}
		}
	}
	if _, err := Decode(read(t, "progressive.jpg")); !errors.Is(err, ErrOther) {
		t.Errorf("a progressive file: %v", err)
	}
}

// TestDamage: a file that is cut short is an error, one with other bytes no panic.
func TestDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"420", "422", "grey"} {
		file := read(t, name+".jpg")
		for n := range len(file) - 2 {
			if _, err := Decode(file[:n]); err == nil {
				t.Errorf("%s: the first %d of %d bytes are a picture", name, n, len(file))
			}
		}
		for range 3000 {
			b := append([]byte{}, file...)
			for range 1 + r.IntN(3) {
				b[r.IntN(len(b))] = byte(r.IntN(256))
			}
			if m, err := Decode(b); err == nil && m.Bounds().Empty() {
				t.Errorf("%s: an empty picture", name)
			}
		}
	}
}
