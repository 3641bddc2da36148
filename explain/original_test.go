package explain

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"
	"testing"
)

// plain is a picture of one colour.
func plain(r image.Rectangle, c color.NRGBA) *image.NRGBA {
	img := image.NewNRGBA(r)
	draw.Draw(img, r, image.NewUniform(c), image.Point{}, draw.Src)
	return img
}

// heated is a map of the given values at the input.
func heated(h, w int, heat []float32) Map {
	return Map{Method: "gradcam", Base: "gradcam", Layer: "relu3", H: h, W: w, Up: heat, Heat: heat}
}

func TestOnOriginal(t *testing.T) {
	r := DefaultRender()
	r.Colormap, _ = LookupColormap("gray")
	r.Overlay = OverlayOptions{Alpha: 1, FullBlend: true}
	blue := color.NRGBA{0, 0, 200, 255}
	// Bounds need not begin at 0. The right half of the box is hot.
	original, box := plain(image.Rect(10, 20, 70, 50), blue), image.Rect(30, 20, 60, 50)
	m := heated(2, 2, []float32{0, 1, 0, 1})
	out, err := r.OnOriginal(original, box, m)
	if err != nil {
		t.Fatal(err)
	}
	if out.Bounds() != image.Rect(0, 0, 60, 30) {
		t.Fatalf("the picture is %v", out.Bounds())
	}
	dim := color.NRGBA{0, 0, uint8(math.Round(200 * outside)), 255}
	for at, want := range map[image.Point]color.NRGBA{
		{0, 0}: dim, {19, 15}: dim, {50, 15}: dim, {59, 29}: dim,
		{20, 15}: {255, 255, 255, 255}, {21, 15}: {0, 0, 0, 255}, {30, 0}: {255, 255, 255, 255}, {49, 29}: {255, 255, 255, 255}, // the outline
		{23, 15}: {0, 0, 0, 255}, {46, 15}: {255, 255, 255, 255},
	} {
		if got := out.NRGBAAt(at.X, at.Y); got != want {
			t.Errorf("pixel %v is %v, want %v", at, got, want)
		}
	}
	// A map of the whole picture leaves nothing out: no outline, nothing dim.
	r.Overlay = OverlayOptions{Alpha: 1}
	if out, err = r.OnOriginal(original, original.Bounds(), heated(1, 1, []float32{0})); err != nil {
		t.Fatal(err)
	}
	if n := count(out, blue); n != 60*30 {
		t.Errorf("%d pixels of 1800 are as in the picture", n)
	}
	// An input padded beyond the picture: the map is cut at the edge.
	r.Overlay = OverlayOptions{Alpha: 1, FullBlend: true}
	if out, err = r.OnOriginal(plain(image.Rect(0, 0, 40, 10), blue), image.Rect(0, -15, 40, 25),
		heated(4, 1, []float32{0, 1, 1, 0})); err != nil {
		t.Fatal(err)
	}
	if n := count(out, color.NRGBA{255, 255, 255, 255}); n != 400 {
		t.Errorf("%d of 400 pixels are hot: the middle of the map is what is seen", n)
	}
	if _, err = r.OnOriginal(original, image.Rect(0, 0, 5, 5), m); err == nil {
		t.Error("a box outside of the picture was drawn")
	}
	large, err := r.OnOriginal(plain(image.Rect(0, 0, 2*maxOriginal, 100), blue), image.Rect(0, 0, 200, 100), m)
	if err != nil || large.Bounds() != image.Rect(0, 0, maxOriginal, 50) {
		t.Errorf("a large picture becomes %v: %v", large.Bounds(), err)
	}
}

// TestOnOriginalAgrees: a picture that was only scaled shows the same map as the input, at its own size.
func TestOnOriginalAgrees(t *testing.T) {
	r := DefaultRender()
	m := heated(8, 8, ramp(64))
	white := color.NRGBA{255, 255, 255, 255}
	crop, err := r.Overlaid(plain(image.Rect(0, 0, 8, 8), white), m)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := r.OnOriginal(plain(image.Rect(0, 0, 8, 8), white), image.Rect(0, 0, 8, 8), m)
	if err != nil || !slices.Equal(crop.Pix, whole.Pix) {
		t.Errorf("the whole picture differs from the input: %v", err)
	}
}

func TestFitted(t *testing.T) {
	m := []float32{0, 4, 8, 12, 1, 5, 9, 13} // 2 × 4
	for _, tc := range []struct {
		h, w int
		want []float32
	}{
		{2, 4, m},
		{2, 2, []float32{2, 10, 3, 11}},
		{1, 1, []float32{6.5}},
		{1, 4, []float32{0.5, 4.5, 8.5, 12.5}},
		{2, 3, []float32{1, 6, 11, 2, 7, 12}}, // (0·3 + 4·1)/4, (4·2 + 8·2)/4, (8·1 + 12·3)/4
	} {
		got := fitted(m, 2, 4, tc.h, tc.w)
		if !slices.EqualFunc(got, tc.want, func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6 }) {
			t.Errorf("%dx%d: %v, want %v", tc.h, tc.w, got, tc.want)
		}
	}
	if got := fitted(m, 2, 4, 2, 8); !slices.Equal(got, Bilinear(m, 2, 4, 2, 8)) {
		t.Errorf("enlarging is not Bilinear: %v", got)
	}
	// One hot pixel of many is not lost and not doubled.
	sparse := make([]float32, 97*53)
	sparse[40*53+17] = 1
	var sum float64
	for _, v := range fitted(sparse, 97, 53, 10, 7) {
		sum += float64(v)
	}
	if want := 70.0 / (97 * 53); math.Abs(sum-want) > 1e-6 {
		t.Errorf("the sum is %g, want %g", sum, want)
	}
}

func TestEnlargedAndShrunk(t *testing.T) {
	img := image.NewGray(image.Rect(3, 3, 6, 5))
	for i := range img.Pix {
		img.Pix[i] = uint8(40 * i)
	}
	big := enlarged(img, 5)
	if big.Bounds() != image.Rect(0, 0, 15, 10) {
		t.Fatalf("enlarged to %v", big.Bounds())
	}
	for y := range 10 {
		for x := range 15 {
			if r, _, _, _ := big.At(x, y).RGBA(); uint8(r>>8) != uint8(40*(y/5*3+x/5)) {
				t.Fatalf("pixel %d,%d is %d", x, y, r>>8)
			}
		}
	}
	if got := shrunk(img, 3); got != image.Image(img) {
		t.Error("a small picture was copied")
	}
	if got := shrunk(image.NewGray(image.Rect(0, 0, 1000, 1)), 100).Bounds(); got != image.Rect(0, 0, 100, 1) {
		t.Errorf("a thin picture becomes %v", got)
	}
}
