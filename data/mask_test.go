package data

import (
	"bytes"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// greyOf is a grey picture of w pixels a row.
func greyOf(w int, values ...uint8) *image.Gray {
	m := image.NewGray(image.Rect(0, 0, w, len(values)/w))
	copy(m.Pix, values)
	return m
}

// nibbles is a grey PNG of 4 bits a pixel: the values are class numbers, not levels.
var nibbles = []byte("\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x04\x00\x00\x00\x01\x04\x00\x00\x00\x00\x19\xa7\xbd\x10\x00\x00\x00\x0bIDATx\x9cc`\xd4\x07\x00\x004\x001vo\xa2\xd1\x00\x00\x00\x00IEND\xaeB`\x82")

func TestLoadMask(t *testing.T) {
	dir := t.TempDir()
	pal := image.NewPaletted(image.Rect(0, 0, 2, 2), color.Palette{color.Black, color.NRGBA{200, 0, 0, 255}, color.NRGBA{0, 200, 0, 255}})
	copy(pal.Pix, []uint8{0, 1, 2, 1})
	rgb := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	rgb.Set(1, 0, color.Gray{7})
	bits := image.NewPaletted(image.Rect(0, 0, 2, 1), color.Palette{color.Black, color.White})
	bits.Pix[1] = 1
	for name, c := range map[string]struct {
		file []byte
		want []uint8
	}{
		"index of a palette": {pngOf(pal), []uint8{0, 1, 2, 1}},
		"grey":               {pngOf(greyOf(2, 0, 3, 255, 254)), []uint8{0, 3, 255, 254}},
		"four bits":          {nibbles, []uint8{0, 1, 2, 15}},
		"16 bits":            {pngOf(deepGrey(1, 3, func(i int) uint16 { return []uint16{0, 200, 65535}[i] })), []uint8{0, 200, 255}},
		"grey as colours":    {pngOf(rgb), []uint8{0, 7}},
		"bits":               {pngOf(bits), []uint8{0, 1}},
		"tiff":               {tiffOf(t, greyOf(3, 0, 1, 2)), []uint8{0, 1, 2}},
	} {
		m, err := loadMask(new(turn), write1(t, filepath.Join(dir, "m"), c.file), Limits{})
		if err != nil || !slices.Equal(m.Bytes(), c.want) || m.Rank() != 2 {
			t.Errorf("%s: %v %v", name, m, err)
		}
	}
	for want, file := range map[string][]byte{
		"blurs":      jpegOf(greyOf(2, 0, 1)),
		"webp":       must(os.ReadFile("testdata/lossy.webp"))(t),
		"colours":    pngOf(flat(2, 2, color.NRGBA{1, 2, 3, 255})),
		"value 300":  pngOf(deepGrey(1, 1, func(int) uint16 { return 300 })),
		"not a pict": []byte("text"),
	} {
		_, err := loadMask(new(turn), write1(t, filepath.Join(dir, "m.png"), file), Limits{})
		wantFormatError(t, err, "m.png", want)
	}
}

func TestMaskFolder(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, b []byte) { write1(t, filepath.Join(dir, name), b) }
	put("images/a.jpg", jpegOf(flat(2, 2, color.NRGBA{A: 255})))
	put("images/b.png", greyPNG)
	put("images/deep/c.png", greyPNG)
	put("images/lonely.png", greyPNG)
	put("masks/a.png", pngOf(greyOf(2, 0, 1, 2, 255)))
	put("masks/b_mask.png", pngOf(greyOf(2, 1, 1, 1, 1)))
	put("masks/deep/c.png", pngOf(greyOf(2, 0, 255, 255, 0)))
	put("masks/extra.png", greyPNG)
	put("classes.txt", []byte("sky\r\nroad\r\ncar\r\n"))
	for _, spec := range []string{dir, "masks:" + dir} {
		ds := must(Open(spec, Options{}))(t)
		if got := ids(ds); !slices.Equal(got, []string{"images/a.jpg", "images/b.png", "images/deep/c.png"}) ||
			!slices.Equal(ds.Classes(), []string{"sky", "road", "car"}) || !Masked(must(Subset(ds, nil))(t)) {
			t.Fatalf("%q %q", got, ds.Classes())
		}
		e := must(ds.Example(0))(t)
		if !slices.Equal(e.Mask.Bytes(), []uint8{0, 1, 2, 255}) || e.Label != -1 || must(ds.Example(2))(t).Mask.Bytes()[1] != Void {
			t.Errorf("%+v", e)
		}
		mention(t, Notes(ds), "1 without a mask", "images/lonely.png")
		mention(t, Notes(ds), "1 without a picture", "masks/extra.png")
		if s := Summarise(ds, 0); !s.Masks || s.Unlabeled != 0 || s.PerClass != nil || Check(ds) != nil {
			t.Errorf("%+v %v", s, Check(ds))
		}
		given := must(Open(spec, Options{Classes: []string{"car", "sky", "tree", "road"}}))(t)
		if m := must(given.Example(0))(t).Mask.Bytes(); !slices.Equal(m, []uint8{1, 3, 0, 255}) {
			t.Errorf("in a given list: %v", m)
		}
		for b, err := range Batches(t.Context(), ds, Sequential(3), 3,
			BatchOptions{Masks: true, Preprocess: &Preprocess{Channels: "rgb"}}) {
			if err != nil || !b.Mask.Shape().Equal(tensor.Shape{3, 2, 2}) {
				t.Errorf("%v %v", b, err)
			}
		}
	}
	put("masks/a.png", pngOf(greyOf(2, 0, 1, 3, 255)))
	_, err := must(Open(dir, Options{}))(t).Example(0)
	wantFormatError(t, err, "a.png", "class 3", "3 classes")
	put("masks/a.png", pngOf(greyOf(3, 0, 1, 2)))
	_, err = must(Open(dir, Options{}))(t).Example(0)
	wantFormatError(t, err, "a.png", "3×1", "2×2")
	ds := must(Open(dir, Options{OnBadSample: "skip"}))(t)
	if ds.Len() != 2 || Skipped(ds)[0].ID != "images/a.jpg" || !Masked(ds) {
		t.Errorf("%v", Skipped(ds))
	}
	put("images/a.bmp", greyPNG)
	_, err = Open(dir, Options{})
	wantFormatError(t, err, "two pictures", "masks/a.png")
	_, err = Open("imagefolder:"+dir, Options{})
	wantFormatError(t, err, "masks:"+dir)
	_, err = Open("masks:"+t.TempDir(), Options{})
	wantFormatError(t, err, "no folder")
}

// TestBinaryMasks: 255 is class 1 where no mask has other values than 0 and 255.
func TestBinaryMasks(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		write1(t, filepath.Join(dir, "images", name+".png"), greyPNG)
		write1(t, filepath.Join(dir, "masks", name+".png"), pngOf(greyOf(2, 0, 255, 0, 255)))
	}
	for query, want := range map[string][]uint8{"": {0, 1, 0, 1}, "?binary=true": {0, 1, 0, 1}, "?binary=false": {0, 255, 0, 255}} {
		if m := must(must(Open("masks:"+dir+query, Options{}))(t).Example(1))(t).Mask; !slices.Equal(m.Bytes(), want) {
			t.Errorf("%s: %v", query, m.Bytes())
		}
	}
	ds := must(Open(dir, Options{}))(t)
	write1(t, filepath.Join(dir, "masks", "b.png"), pngOf(greyOf(2, 0, 255, 0, 9)))
	_, err := ds.Example(1)
	wantFormatError(t, err, "b.png", "value 9", "?binary=false")
	if m := must(must(Open(dir, Options{}))(t).Example(0))(t).Mask; m.Bytes()[1] != Void {
		t.Errorf("with other values in the set: %v", m.Bytes())
	}
	_, err = Open("masks:"+dir+"?binary=no", Options{})
	wantFormatError(t, err, "true or false")
}

func TestShapesWithMasksOfClasses(t *testing.T) {
	plain, ds := must(Open("shapes?size=32&n=40&noise=0.3", Options{}))(t),
		must(Open("shapes?size=32&n=40&noise=0.3&masks=class", Options{}))(t)
	if !Masked(ds) || Masked(plain) || len(ds.Classes()) != 9 || ds.Classes()[0] != "background" ||
		len(Planted(ds)) != len(Planted(plain)) {
		t.Fatalf("%v", ds.Classes())
	}
	given := must(Open("shapes?size=32&n=40&masks=class",
		Options{Classes: append([]string{"other"}, append(ds.Classes()[1:], "background")...)}))(t)
	for i := range 40 {
		a, b, c := must(plain.Example(i))(t), must(ds.Example(i))(t), must(given.Example(i))(t)
		if !bytes.Equal(a.X.Bytes(), b.X.Bytes()) || b.Label != a.Label+1 {
			t.Errorf("%s: another picture or label", a.ID)
		}
		truth := uint8(plain.(Planter).TrueLabel(i) + 1)
		for p, v := range a.Mask.Bytes() {
			if b.Mask.Bytes()[p] != v*truth || c.Mask.Bytes()[p] != 9-v*(9-truth) {
				t.Fatalf("%s: mask %d and %d where the shape is %d", a.ID, b.Mask.Bytes()[p], c.Mask.Bytes()[p], v)
			}
		}
	}
	dir := filepath.Join(t.TempDir(), "out")
	sub := must(Subset(ds, []int{3, 1, 2}))(t)
	if err := WriteImageFolder(dir, sub, true); err != nil {
		t.Fatal(err)
	}
	back := must(Open(dir, Options{}))(t)
	for i := range 3 {
		e, w := must(back.Example(i))(t), must(ds.Example(i+1))(t)
		if !tensor.Equal(e.Mask, w.Mask) || !tensor.Equal(e.X, w.X) || !strings.HasSuffix(e.ID, string('1'+rune(i))+".png") {
			t.Errorf("written and read back: %s", e.ID)
		}
	}
	if !slices.Equal(back.Classes(), ds.Classes()) {
		t.Errorf("classes %q", back.Classes())
	}
	_, err := Open("shapes?masks=yes", Options{})
	wantFormatError(t, err, "masks=yes", "class")
}
