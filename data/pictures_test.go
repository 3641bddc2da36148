package data

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// pillowPicture is what Pillow 9.4 makes of a file: ImageOps.exif_transpose, then convert("RGB"), or grey values where the picture is
// grey.
type pillowPicture struct {
	Shape     []int
	Values    []int
	White     []int // laid on white, and on black
	Black     []int
	Tolerance int
}

// TestPicturesEqualPillow reads odd files, made by testdata/gen/pictures.py: all orientations in all places that have one, deep,
// interlaced, transparent, of few bits, animated.
func TestPicturesEqualPillow(t *testing.T) {
	var want map[string]pillowPicture
	if err := json.Unmarshal(must(os.ReadFile("testdata/pictures.json"))(t), &want); err != nil {
		t.Fatal(err)
	}
	for name, w := range want {
		r, _, err := loadRaster(new(turn), filepath.Join("testdata", "pictures", name), Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for alpha, values := range map[string][]int{"drop": w.Values, "white": w.White, "black": w.Black} {
			if values == nil {
				continue
			}
			x := raster{r.x.Clone(), r.alpha}.flat(alpha)
			if w.Shape[0] == 1 && x.Dim(0) == 3 { // a palette of grey, which Pillow takes for grey
				values = slices.Concat(values, values, values)
			}
			if alpha != "drop" && x.Dim(0) == 1 { // the golden is in RGB
				values = values[:len(values)/3]
			}
			if !x.Shape()[1:].Equal(tensor.Shape(w.Shape)[1:]) || x.Len() != len(values) {
				t.Errorf("%s: %v, want %v", name, x, w.Shape)
				continue
			}
			worst := 0
			for i, v := range x.Float64s() {
				worst = max(worst, int(v)-values[i], values[i]-int(v))
			}
			if worst > w.Tolerance {
				t.Errorf("%s, alpha %s: differs by %d: %v, want %v", name, alpha, worst, x.Float64s()[:min(12, x.Len())],
					values[:min(12, len(values))])
			}
		}
	}
}
