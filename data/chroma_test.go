package data

import (
	"encoding/json"
	"image"
	"os"
	"path/filepath"
	"testing"
)

// TestDecodingIsNearPillow compares pictures with subsampled colour with what Pillow 9.4 (libjpeg-turbo, libwebp) makes of them. The
// inverse cosine transforms round differently, hence a few levels.
func TestDecodingIsNearPillow(t *testing.T) {
	var want map[string][]int
	if err := json.Unmarshal(must(os.ReadFile("testdata/decoded_pillow.json"))(t), &want); err != nil {
		t.Fatal(err)
	}
	for name, w := range want {
		r, _, err := loadRaster(new(turn), filepath.Join("testdata", name), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		x := r.x
		if x.Len() != len(w) {
			t.Errorf("%s: %v, want %d values", name, x, len(w))
			continue
		}
		worst, sum := 0, 0
		for i, v := range x.Bytes() {
			d := int(v) - w[i]
			d = max(d, -d)
			worst, sum = max(worst, d), sum+d
		}
		mean := float64(sum) / float64(len(w))
		t.Logf("%s: greatest difference %d, mean %.3f", name, worst, mean)
		if worst > 3 || mean > 0.1 {
			t.Errorf("%s: greatest difference %d, mean %.3f", name, worst, mean)
		}
	}
}

func TestPartOfYCbCr(t *testing.T) {
	for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio422,
		image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio410} {
		m := image.NewYCbCr(image.Rect(0, 0, 13, 9), ratio)
		for i := range m.Y {
			m.Y[i] = uint8(i)
		}
		for y0 := range 9 {
			for x0 := range 13 {
				part := m.SubImage(image.Rect(x0, y0, 13, 9)).(*image.YCbCr)
				x := FromImage(part)
				if x.Dim(1) != 9-y0 || x.Dim(2) != 13-x0 {
					t.Fatalf("%v from %d,%d: %v", ratio, x0, y0, x)
				}
			}
		}
	}
}
