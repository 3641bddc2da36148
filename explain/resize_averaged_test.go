package explain

import (
	"image"
	"image/color"
	"testing"
)

func TestAveraged(t *testing.T) {
	m := image.NewGray(image.Rect(0, 0, 5, 3))
	copy(m.Pix, []uint8{0, 2, 10, 20, 7, 4, 6, 30, 41, 9, 1, 3, 100, 200, 50})
	got := averaged(m, 2).(*image.Gray)
	for i, want := range []uint8{3, 25, 8, 2, 150, 50} {
		if got.Pix[i] != want {
			t.Errorf("pixel %d is %d, want %d", i, got.Pix[i], want)
		}
	}
	c := image.NewNRGBA(image.Rect(0, 0, 4, 2))
	for i := range 8 {
		c.SetNRGBA(i%4, i/4, color.NRGBA{uint8(10 * i), uint8(i), 200, 255})
	}
	if v := averaged(c, 2).(*image.NRGBA).NRGBAAt(1, 0); v != (color.NRGBA{45, 5, 200, 255}) { // of 2, 3, 6 and 7: 4.5
		t.Error(v)
	}
	if c.SetNRGBA(0, 0, color.NRGBA{}); averaged(c, 2) != image.Image(c) {
		t.Error("a picture with alpha was averaged")
	}
	if b := shrunk(image.NewGray(image.Rect(0, 0, 1000, 333)), 100).Bounds(); b != image.Rect(0, 0, 100, 33) {
		t.Error(b)
	}
}
