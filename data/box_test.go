package data

import (
	"image"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

func TestBox(t *testing.T) {
	for _, tc := range []struct {
		set  string
		w, h int
		want image.Rectangle
	}{
		{`{}`, 640, 427, image.Rect(0, 0, 640, 427)},
		{`{"image_size":[224,224],"crop":"none"}`, 640, 427, image.Rect(0, 0, 640, 427)},
		{`{"image_size":[224,224]}`, 600, 200, image.Rect(200, 0, 400, 200)},
		{`{"image_size":[224,224],"resize":256}`, 512, 256, image.Rect(144, 16, 368, 240)},
		{`{"image_size":[224,224],"resize":256}`, 1024, 2048, image.Rect(64, 576, 960, 1472)},
		{`{"image_size":[28,28]}`, 28, 28, image.Rect(0, 0, 28, 28)},
		{`{"resize":100}`, 50, 80, image.Rect(0, 0, 50, 80)},
	} {
		p, err := ParsePreprocess(tc.set)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Box(tc.w, tc.h)
		if err != nil || got != tc.want {
			t.Errorf("%s of %dx%d: %v, %v, want %v", tc.set, tc.w, tc.h, got, err, tc.want)
		}
	}
	if _, err := (Preprocess{ImageSize: [2]int{224, 224}}).Box(1, 1_000_000); err == nil {
		t.Error("a picture that cannot be resized has a box")
	}
}

// TestBoxIsWhereThePictureIs: what is bright in the input is bright in the box.
func TestBoxIsWhereThePictureIs(t *testing.T) {
	p := Preprocess{ImageSize: [2]int{20, 30}, Resize: 40}
	x := tensor.New(tensor.Uint8, 1, 80, 200)
	box, err := p.Box(200, 80)
	if err != nil {
		t.Fatal(err)
	}
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for k := box.Min.X; k < box.Max.X; k++ {
			x.Bytes()[y*200+k] = 255
		}
	}
	pic, err := p.Picture(x)
	if err != nil {
		t.Fatal(err)
	}
	for y := 1; y < 19; y++ { // the filter reaches one pixel over the edge
		for k := 1; k < 29; k++ {
			if v := pic.Bytes()[y*30+k]; v < 250 {
				t.Fatalf("pixel %d,%d of the input is %d: the box %v is not what is seen", k, y, v, box)
			}
		}
	}
	for i := range x.Bytes() {
		x.Bytes()[i] = 255 - x.Bytes()[i]
	}
	if pic, err = p.Picture(x); err != nil {
		t.Fatal(err)
	}
	for y := 1; y < 19; y++ {
		for k := 1; k < 29; k++ {
			if v := pic.Bytes()[y*30+k]; v > 5 {
				t.Fatalf("pixel %d,%d of the input is %d, from outside of the box %v", k, y, v, box)
			}
		}
	}
}
