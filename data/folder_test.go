package data

import (
	"errors"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var greyPNG = pngOf(flat(2, 2, color.NRGBA{9, 9, 9, 255}))

// mention fails unless one of the notes contains all parts.
func mention(t *testing.T, notes []string, parts ...string) {
	t.Helper()
	if !slices.ContainsFunc(notes, func(n string) bool {
		return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(n, p) })
	}) {
		t.Errorf("no note with %q among %q", parts, notes)
	}
}

func ids(ds Dataset) []string {
	var list []string
	for i := range ds.Len() {
		list = append(list, ds.ID(i))
	}
	return list
}

// TestOmitted puts files of all sorts into class folders: what can be read is read whatever its name, and what cannot is counted by kind.
func TestOmitted(t *testing.T) {
	dir := t.TempDir()
	heic := []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic....")
	avif := []byte("\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00avifmif1miaf")
	for name, b := range map[string][]byte{
		"cat/a.jfif": jpegOf(flat(2, 2, color.NRGBA{A: 255})), "cat/b.JPE": jpegOf(flat(2, 2, color.NRGBA{A: 255})),
		"cat/c.TIF": tiffOf(t, flat(2, 2, color.NRGBA{A: 255})),
		"cat/d.png": jpegOf(flat(2, 2, color.NRGBA{A: 255})), "cat/e.heic": greyPNG, "cat/noext": greyPNG,
		"cat/f.ppm":  []byte("P6 1 1 255\nabc"),
		"dog/g.png":  greyPNG,
		"cat/h.heic": heic, "dog/i.HEIC": heic, "cat/j.heif": heic, "cat/k.avif": avif, "cat/l.jp2": []byte("x"),
		"cat/m.tga": []byte("x"), "cat/n.ico": []byte("x"), "cat/o.svg": []byte("<svg/>"),
		"cat/p.nef": tiffOf(t, flat(2, 2, color.NRGBA{A: 255})), "cat/q.png_original": greyPNG, "cat/r": avif,
		"cat/readme.txt": []byte("text"), "dog/labels.json": []byte("{}"),
		"cat/.hidden.png": greyPNG, "cat/._a.jpg": greyPNG, "cat/Thumbs.db": []byte("x"), "cat/.DS_Store": []byte("x"),
		"__MACOSX/cat/a.png": greyPNG, "cat/desktop.ini": []byte("x"),
		"loose.png": greyPNG, "notes.txt": []byte("x"),
	} {
		write1(t, filepath.Join(dir, name), b)
	}
	ds := must(Open("imagefolder:"+dir, Options{}))(t)
	if got, want := ids(ds), []string{"cat/a.jfif", "cat/b.JPE", "cat/c.TIF", "cat/d.png", "cat/e.heic", "cat/f.ppm", "cat/noext",
		"dog/g.png"}; !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
	for i := range ds.Len() {
		if _, err := ds.Example(i); err != nil {
			t.Error(err)
		}
	}
	counts := map[string]int{}
	for _, o := range Omitted(must(Subset(ds, []int{1}))(t)) {
		counts[o.Kind] = o.Count
		if len(o.Files) == 0 || (o.Remedy == "") != (o.Kind == "other") {
			t.Errorf("%+v", o)
		}
	}
	want := map[string]int{".heic": 2, ".heif": 1, ".avif": 2, ".jp2": 1, ".tga": 1, ".ico": 1, ".svg": 1, ".nef": 1, ".png_original": 1,
		"in no class folder": 1, "other": 3}
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("left out %v, want %v", counts, want)
	}
	mention(t, Notes(ds), "2 .heic files were left out", "cat/h.heic", "convert")
	mention(t, Notes(ds), "1 in no class folder", "loose.png")
	mention(t, Summarise(ds, 0).Warnings, ".avif")
	if slices.ContainsFunc(Notes(ds), func(n string) bool { return strings.Contains(n, "readme") }) {
		t.Errorf("text files are worth a note: %q", Notes(ds))
	}
	for _, name := range []string{"h.heic", "p.nef", "m.tga"} {
		_, err := DecodeImage(name, must(os.ReadFile(filepath.Join(dir, "cat", name)))(t), Limits{})
		wantFormatError(t, err, name, "not read", "convert")
	}
	_, err := DecodeImage("photo.jpg", heic, Limits{})
	wantFormatError(t, err, "photo.jpg", "heic pictures are not read")
	_, err = DecodeImage("photo.jpg", nil, Limits{})
	wantFormatError(t, err, "photo.jpg", "empty")

	only := t.TempDir()
	write1(t, filepath.Join(only, "cat", "a.heic"), heic)
	write1(t, filepath.Join(only, "dog", "a.txt"), heic[:2])
	for _, spec := range []string{only, "imagefolder:" + only, "images:" + only} {
		_, err := Open(spec, Options{})
		wantFormatError(t, err, "no pictures", "1 .heic, 1 other", "convert")
	}
	write1(t, filepath.Join(only, "fox", "a.png"), greyPNG)
	ds = must(Open(only, Options{}))(t)
	mention(t, Notes(ds), "cat, dog", "not a class")
}

func TestClassOrder(t *testing.T) {
	for _, c := range []struct {
		names, order, want, note string
	}{
		{"ant bee", "", "ant bee", ""},
		{"0 180 270 90", "", "0 180 270 90", "order of text"},
		{"0 180 270 90", "?order=number", "0 90 180 270", ""},
		{"0 1 2 3 4 5 6 7 8 9", "", "0 1 2 3 4 5 6 7 8 9", ""},
		{"0 1 2 3 4 5 6 7 8 9 10", "", "0 1 2 3 4 5 6 7 8 9 10", "order of their numbers"},
		{"0 1 2 3 4 5 6 7 8 9 10", "?order=text", "0 1 10 2 3 4 5 6 7 8 9", ""},
		{"1 2 3 4 5 6 7 8 9 10", "", "1 2 3 4 5 6 7 8 9 10", "?order=text"},
		{"00 01 02 03 04 05 06 07 08 09 10", "", "00 01 02 03 04 05 06 07 08 09 10", ""},
		{"2 10 a", "", "10 2 a", ""},
		{"2 10", "", "10 2", "order of text"},
		{"-1 -2", "", "-1 -2", "order of text"},
	} {
		dir := t.TempDir()
		for name := range strings.FieldsSeq(c.names) {
			write1(t, filepath.Join(dir, name, "x.png"), greyPNG)
		}
		ds := must(Open("imagefolder:"+dir+c.order, Options{}))(t)
		if got := strings.Join(ds.Classes(), " "); got != c.want {
			t.Errorf("%s%s: order %s, want %s", c.names, c.order, got, c.want)
		}
		for i := range ds.Len() { // examples go with their classes
			if name, _, _ := strings.Cut(ds.ID(i), "/"); ds.Classes()[ds.Label(i)] != name {
				t.Errorf("%s has label %d of %v", ds.ID(i), ds.Label(i), ds.Classes())
			}
		}
		switch notes := Notes(ds); {
		case c.note == "" && len(notes) > 0:
			t.Errorf("%s%s: notes %q", c.names, c.order, notes)
		case c.note != "":
			mention(t, notes, c.note)
		}
		given := must(Open("imagefolder:"+dir, Options{Classes: strings.Fields("z " + c.names)}))(t)
		if len(Notes(given)) > 0 || given.Classes()[given.Label(0)] != strings.Split(given.ID(0), "/")[0] {
			t.Errorf("given classes: %q", Notes(given))
		}
	}
	dir := t.TempDir()
	write1(t, filepath.Join(dir, "a", "x.png"), greyPNG)
	_, err := Open("imagefolder:"+dir+"?order=number", Options{})
	wantFormatError(t, err, `"a" is not a number`)
	_, err = Open("imagefolder:"+dir+"?order=up", Options{})
	wantFormatError(t, err, "text or number")
	for _, name := range []string{"train/cat/1.png", "train/dog/1.png", "val/cat/1.png"} {
		write1(t, filepath.Join(dir, "split", name), greyPNG)
	}
	_, err = Open("imagefolder:"+filepath.Join(dir, "split"), Options{})
	wantFormatError(t, err, "parts of the data, not classes", "train")
}

func TestImagesInNaturalOrder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"img10.png", "img2.png", "img2b.png", "img02.png", "a/9.png", "a/100.png", "z.png"} {
		write1(t, filepath.Join(dir, name), greyPNG)
	}
	for spec, want := range map[string]string{
		"images:" + dir:                         "a/9.png a/100.png img02.png img2.png img2b.png img10.png z.png",
		"pictures:" + dir + "?recursive=false":  "img02.png img2.png img2b.png img10.png z.png",
		"images:" + filepath.Join(dir, "z.png"): "z.png",
	} {
		ds := must(Open(spec, Options{}))(t)
		if got := strings.Join(ids(ds), " "); got != want || ds.Label(0) != -1 || ds.Classes() != nil {
			t.Errorf("%s: %s, want %s", spec, got, want)
		}
	}
	names := []string{"01", "01b", "1", "10", "1a", "1w", "2", "a", "a01", "a1", "a1b", ""}
	for _, a := range names {
		for _, b := range names {
			if natural(a, b) != -natural(b, a) || (natural(a, b) == 0) != (a == b) {
				t.Errorf("%q and %q", a, b)
			}
			for _, c := range names {
				if natural(a, b) < 0 && natural(b, c) < 0 && natural(a, c) >= 0 {
					t.Errorf("%q < %q < %q and not %q < %q", a, b, c, a, c)
				}
			}
		}
	}
	_, err := Open("images:"+dir+"?recursive=no", Options{})
	wantFormatError(t, err, "true or false")
}

// TestOnBadSample leaves out the same files in the same order every time.
func TestOnBadSample(t *testing.T) {
	dir := t.TempDir()
	whole := jpegOf(flat(64, 48, color.NRGBA{200, 10, 20, 255}))
	for i := range 30 {
		b := whole
		switch i {
		case 7:
			b = whole[:len(whole)/2]
		case 12:
			b = nil
		case 25:
			b = []byte("not a picture at all")
		}
		write1(t, filepath.Join(dir, string('a'+rune(i%2)), fmt.Sprintf("%02d.jpg", i)), b)
	}
	ds := must(Open(dir, Options{}))(t)
	if ds.Len() != 30 || Skipped(ds) != nil {
		t.Errorf("%d examples, skipped %v", ds.Len(), Skipped(ds))
	}
	_, err := collect(ds, Sequential(30), 4, BatchOptions{})
	wantFormatError(t, err, "12.jpg", "empty")
	for range 3 {
		ds = must(Open(dir, Options{OnBadSample: "skip"}))(t)
		bad := Skipped(must(Subset(ds, []int{3}))(t))
		if ds.Len() != 27 || len(bad) != 3 || bad[0].ID != "a/12.jpg" || bad[1].ID != "b/07.jpg" || bad[2].ID != "b/25.jpg" ||
			!strings.Contains(bad[2].Reason, "not a picture") {
			t.Errorf("%d examples, skipped %+v", ds.Len(), bad)
		}
		if len(must(collect(ds, Shuffled(27, 3), 4, BatchOptions{}))(t)) != 7 || ds.Classes()[ds.Label(26)] != "b" ||
			FileOf(ds, 26) != filepath.Join(dir, "b", "29.jpg") {
			t.Errorf("labels and files: %d, %s", ds.Label(26), FileOf(ds, 26))
		}
		mention(t, Notes(ds), "3 of 30 examples cannot be read", "a/12.jpg, b/07.jpg, b/25.jpg")
	}
	if _, err := Open(dir, Options{OnBadSample: "ignore"}); err == nil || !strings.Contains(err.Error(), "error or skip") {
		t.Errorf("ignore: %v", err)
	}
	broken := t.TempDir()
	write1(t, filepath.Join(broken, "a.png"), greyPNG[:20])
	_, err = Open(broken, Options{OnBadSample: "skip"})
	wantFormatError(t, err, "none of 1 examples", "a.png")
	if ds, err := Open("digits", Options{OnBadSample: "skip"}); err != nil || Skipped(ds) != nil {
		t.Errorf("digits: %v", err)
	}
	if err := os.Symlink(filepath.Join(dir, "a"), filepath.Join(broken, "link")); err == nil {
		write1(t, filepath.Join(broken, "b.png"), greyPNG)
		ds := must(Open("images:"+broken, Options{OnBadSample: "skip"}))(t)
		mention(t, Notes(ds), "1 link out of the folder", "link", "--follow-links")
	} else if !errors.Is(err, errors.ErrUnsupported) {
		t.Log(err)
	}
}
