package data

import (
	"context"
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// TestAugmentSheet checks that a sheet shows the pictures themselves where nothing is changed, however they are normalised and laid out,
// and says of mixtures what they are made of.
func TestAugmentSheet(t *testing.T) {
	ds := must(Open("shapes?size=16&n=12", Options{}))(t)
	for _, p := range []*Preprocess{nil, {Channels: "rgb"}, {Mean: []float64{0.485, 0.456, 0.406}, Std: []float64{0.229, 0.224, 0.225}},
		{Channels: "bgr", Layout: "nhwc", Scale: 1, Mean: []float64{104, 117, 123}}} {
		c := SheetConfig{Augment: augmented(t, "vflip=1"), Preprocess: p, Index: []int{3, 0, 7}, Draws: 1, Cell: 40}
		sheet, rows, err := AugmentSheet(context.Background(), ds, c)
		if err != nil {
			t.Fatal(err)
		}
		for r, i := range c.Index {
			want := must(ToImage(must(ds.Example(i))(t).X))(t)
			for y := range 16 {
				for x := range 16 {
					plain, over := rows[r][0].Picture.At(x, y), rows[r][1].Picture.At(x, 15-y)
					if w := want.At(x, y); !same(plain, w) || !same(over, w) {
						t.Fatalf("%v, row %d: pixel %d, %d is %v, and %v when turned over; want %v", p, r, x, y, plain, over, w)
					}
				}
			}
			if rows[r][1].Share != 1 || rows[r][1].Label != ds.Label(i) {
				t.Errorf("row %d: %+v", r, rows[r][1])
			}
		}
		if b := sheet.Bounds(); b.Dx() < 2*40 || b.Dy() < 3*40 {
			t.Errorf("the sheet is %v", b)
		}
	}
	mixed := SheetConfig{Augment: augmented(t, "mixup=1"), Preprocess: &Preprocess{Channels: "rgb"}, Index: []int{3, 0, 7}, Draws: 3, Cell: 40}
	_, rows, err := AugmentSheet(context.Background(), ds, mixed)
	if err != nil {
		t.Fatal(err)
	}
	for k := 1; k <= 3; k++ {
		s, before := rows[1][k], rows[0][0].Label
		if own := rows[1][0].Label; s.Share < 0.5 || s.Share >= 1 || s.Label+s.Other != own+before || s.Label != own && s.Label != before {
			t.Errorf("a mixture of %d and %d: %+v", own, before, s)
		}
	}
	table := must(openArrays(t, "", Options{}, named("x", tensor.New(tensor.Float32, 3, 2, 2, 2)), named("y", tensor.New(tensor.Int64, 3))))(t)
	for want, c := range map[string]SheetConfig{
		"no examples": {Draws: 1, Cell: 40}, "32 to 512": {Draws: 1, Cell: 4, Index: []int{0}}, "no pictures": {Draws: 1, Cell: 40,
			Index:   []int{0},
			Augment: augmented(t, "flip")}, "neither a picture nor a series": {Draws: 1, Cell: 40, Index: []int{0}, Augment: augmented(t, "noise")},
	} {
		if _, _, err := AugmentSheet(context.Background(), table, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if lines := wrapped("flip,crop=4,erase", 12); len(lines) != 2 || strings.Join(lines, "") != "flip,crop=4,erase" {
		t.Errorf("wrapped: %q", lines)
	}
	masks := tensor.From([]uint8{0, 1, Void, 0}, 2, 2)
	grey := image.NewGray(image.Rect(0, 0, 2, 2))
	if m := Tinted(grey, masks); same(m.At(1, 0), color.Black) || !same(m.At(1, 1), color.Black) {
		t.Error("the mask is not laid over the picture")
	}
}

func same(a, b color.Color) bool {
	r, g, b1, _ := a.RGBA()
	x, y, z, _ := b.RGBA()
	return r == x && g == y && b1 == z
}
