package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"github.com/gtk-onnx/gtk/tensor"
)

func TestImageFolder(t *testing.T) {
	dir := t.TempDir()
	red := flat(6, 4, color.NRGBA{200, 10, 20, 255})
	write1(t, filepath.Join(dir, "cat", "b.png"), pngOf(red))
	write1(t, filepath.Join(dir, "cat", "deep", "a.JPG"), jpegOf(red))
	write1(t, filepath.Join(dir, "cat", "notes.txt"), []byte("not a picture"))
	write1(t, filepath.Join(dir, "ant", "1.png"), pngOf(flat(6, 4, color.NRGBA{1, 2, 3, 255})))
	write1(t, filepath.Join(dir, ".cache", "x.png"), pngOf(red))
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, spec := range []string{"imagefolder:" + dir, dir} {
		ds := must(Open(spec, Options{}))(t)
		if got, want := ds.Classes(), []string{"ant", "cat"}; !slices.Equal(got, want) {
			t.Fatalf("classes %v, want %v", got, want)
		}
		var ids []string
		for i := range ds.Len() {
			ids = append(ids, ds.ID(i))
		}
		if want := []string{"ant/1.png", "cat/b.png", "cat/deep/a.JPG"}; !slices.Equal(ids, want) {
			t.Fatalf("ids %v, want %v", ids, want)
		}
		e := must(ds.Example(1))(t)
		if e.Label != 1 || !e.Picture || !e.X.Shape().Equal(tensor.Shape{3, 4, 6}) || e.X.Bytes()[0] != 200 || e.X.Bytes()[24] != 10 {
			t.Errorf("example %+v %v", e, e.X.Bytes()[:3])
		}
		if FileOf(ds, 1) != filepath.Join(dir, "cat", "b.png") {
			t.Errorf("file %q", FileOf(ds, 1))
		}
	}
	given := must(Open(dir, Options{Classes: []string{"bee", "n1 cat, tabby", "cat", "ant"}}))(t)
	if given.Label(0) != 3 || given.Label(1) != 2 {
		t.Errorf("labels %d, %d in a given class list", given.Label(0), given.Label(1))
	}
	_, err := Open(dir, Options{Classes: []string{"bee", "cats", "ant"}})
	wantFormatError(t, err, `"cat"`, `did you mean "cats"`)
}

func TestImageFolderRefusals(t *testing.T) {
	dir := t.TempDir()
	_, err := Open("imagefolder:"+dir, Options{})
	wantFormatError(t, err, "no pictures")
	write1(t, filepath.Join(dir, "a.png"), pngOf(flat(2, 2, color.NRGBA{A: 255})))
	_, err = Open("imagefolder:"+dir, Options{})
	wantFormatError(t, err, "no class folders", "images:")
	ds := must(Open(dir, Options{}))(t) // recognised as images:
	if ds.Len() != 1 || ds.Label(0) != -1 || ds.Classes() != nil {
		t.Errorf("%d examples, label %d", ds.Len(), ds.Label(0))
	}
	write1(t, filepath.Join(dir, "b.png"), []byte("\x89PNG\r\n\x1a\nrubbish"))
	ds = must(Open("images:"+dir, Options{}))(t)
	_, err = ds.Example(1)
	wantFormatError(t, err, "b.png", "remove")
	_, err = Open(filepath.Join(dir, "nowhere"), Options{})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing path: %v", err)
	}
}

func TestImageBombIsRefusedBeforeDecoding(t *testing.T) {
	b := pngOf(flat(2, 2, color.NRGBA{A: 255}))
	binary.BigEndian.PutUint32(b[16:], 60000) // IHDR width; its checksum is next
	binary.BigEndian.PutUint32(b[20:], 60000)
	crc := crc32PNG(b[12:29])
	binary.BigEndian.PutUint32(b[29:], crc)
	_, err := DecodeImage("bomb.png", b, Limits{})
	wantFormatError(t, err, "bomb.png", "60000×60000", "limit")
	_, err = DecodeImage("small.png", pngOf(flat(9, 9, color.NRGBA{A: 255})), Limits{Pixels: 80})
	wantFormatError(t, err, "9×9", "80")
}

func TestPictureKinds(t *testing.T) {
	grey16 := image.NewGray16(image.Rect(0, 0, 3, 2))
	grey16.SetGray16(1, 0, color.Gray16{0xABCD})
	rgba64 := image.NewNRGBA64(image.Rect(0, 0, 3, 2))
	rgba64.SetNRGBA64(1, 0, color.NRGBA64{0x1234, 0x5678, 0x9ABC, 0x8000})
	pal := image.NewPaletted(image.Rect(0, 0, 3, 2), color.Palette{color.Black, color.NRGBA{9, 8, 7, 255}})
	pal.SetColorIndex(1, 0, 1)
	clear := flat(3, 2, color.NRGBA{50, 60, 70, 0})
	cmyk := image.NewCMYK(image.Rect(0, 0, 3, 2))
	cmyk.SetCMYK(1, 0, color.CMYK{255, 0, 0, 0})
	for _, c := range []struct {
		name string
		img  image.Image
		want []uint16 // channels of pixel 1,0
	}{
		{"grey16", grey16, []uint16{0xABCD}},
		{"rgba64", rgba64, []uint16{0x1234, 0x5678, 0x9ABC}},
		{"palette", pal, []uint16{9, 8, 7}},
		{"alpha is dropped", clear, []uint16{50, 60, 70}},
		{"cmyk", cmyk, []uint16{0, 255, 255}},
		{"grey", image.NewGray(image.Rect(0, 0, 3, 2)), []uint16{0}},
		{"part of a larger one", flat(9, 9, color.NRGBA{4, 5, 6, 255}).SubImage(image.Rect(3, 3, 6, 5)), []uint16{4, 5, 6}},
	} {
		x := FromImage(c.img)
		wide := must(x.Convert(tensor.Uint16))(t)
		var got []uint16
		for k := range x.Dim(0) {
			got = append(got, tensor.Data[uint16](wide)[k*6+1])
		}
		if deep := slices.Max(c.want) > 255; deep != (x.DType() == tensor.Uint16) || !x.Shape().Equal(tensor.Shape{len(c.want), 2, 3}) ||
			!slices.Equal(got, c.want) {
			t.Errorf("%s: %v %v, want %v", c.name, x, got, c.want)
		}
	}
	var b, tf bytes.Buffer
	src := flat(3, 2, color.NRGBA{9, 80, 200, 255})
	if err := errors.Join(bmp.Encode(&b, src), tiff.Encode(&tf, src, nil)); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{"bmp": b.Bytes(), "tiff": tf.Bytes(), "png": pngOf(src)} {
		img, err := DecodeImage(name, file, Limits{})
		if err != nil || !bytes.Equal(FromImage(img).Bytes(), FromImage(src).Bytes()) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestExifOrientation stores one picture in the eight orientations and expects it upright each time.
func TestExifOrientation(t *testing.T) {
	up := image.NewNRGBA(image.Rect(0, 0, 32, 16)) // four quarters of different grey
	level := func(x, y int) uint8 { return uint8(40 + 60*(x/16) + 120*(y/8)) }
	for y := range 16 {
		for x := range 32 {
			v := level(x, y)
			up.SetNRGBA(x, y, color.NRGBA{v, v, v, 255})
		}
	}
	// where the stored pixel x,y comes from in the upright picture of w×h
	stored := map[int]func(x, y, w, h int) (int, int){
		1: func(x, y, w, h int) (int, int) { return x, y },
		2: func(x, y, w, h int) (int, int) { return w - 1 - x, y },
		3: func(x, y, w, h int) (int, int) { return w - 1 - x, h - 1 - y },
		4: func(x, y, w, h int) (int, int) { return x, h - 1 - y },
		5: func(x, y, w, h int) (int, int) { return y, x },
		6: func(x, y, w, h int) (int, int) { return w - 1 - y, x },
		7: func(x, y, w, h int) (int, int) { return w - 1 - y, h - 1 - x },
		8: func(x, y, w, h int) (int, int) { return y, h - 1 - x },
	}
	for o := 1; o <= 8; o++ {
		sw, sh := 32, 16
		if o >= 5 {
			sw, sh = sh, sw
		}
		m := image.NewNRGBA(image.Rect(0, 0, sw, sh))
		for y := range sh {
			for x := range sw {
				ux, uy := stored[o](x, y, 32, 16)
				m.Set(x, y, up.At(ux, uy))
			}
		}
		plain := jpegOf(m)
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			mark := "II"
			if order.String() == "BigEndian" {
				mark = "MM"
			}
			tiff := order.AppendUint16([]byte(mark), 42)
			tiff = order.AppendUint16(order.AppendUint32(tiff, 8), 1)
			tiff = order.AppendUint16(order.AppendUint16(tiff, 0x0112), 3)
			tiff = order.AppendUint16(order.AppendUint32(tiff, 1), uint16(o))
			tiff = append(tiff, 0, 0, 0, 0, 0, 0)
			app := append([]byte("Exif\x00\x00"), tiff...)
			file := append([]byte{0xFF, 0xD8, 0xFF, 0xE1}, byte((len(app)+2)>>8), byte(len(app)+2))
			file = append(append(file, app...), plain[2:]...)
			img := must(DecodeImage("x.jpg", file, Limits{}))(t)
			if img.Bounds().Dx() != 32 || img.Bounds().Dy() != 16 {
				t.Fatalf("orientation %d: %v", o, img.Bounds())
			}
			x := FromImage(img)
			for _, p := range [][2]int{{4, 4}, {28, 4}, {4, 12}, {28, 12}} {
				if got, want := int(x.Bytes()[p[1]*32+p[0]]), int(level(p[0], p[1])); got < want-8 || got > want+8 {
					t.Errorf("orientation %d %s: pixel %v is %d, want %d", o, mark, p, got, want)
				}
			}
		}
	}
}

func TestIDX(t *testing.T) {
	dir := t.TempDir()
	write1(t, filepath.Join(dir, "train-images-idx3-ubyte"), idxImages(3, 2, 4))
	write1(t, filepath.Join(dir, "train-labels-idx1-ubyte"), idxLabels(7, 0, 9))
	write1(t, filepath.Join(dir, "t10k-images-idx3-ubyte.gz"), gz(idxImages(1, 2, 4)))
	write1(t, filepath.Join(dir, "t10k-labels-idx1-ubyte.gz"), gz(idxLabels(4)))
	ds := must(Open(dir, Options{}))(t)
	e := must(ds.Example(2))(t)
	if ds.Len() != 3 || e.ID != "train/2" || e.Label != 9 || !e.X.Shape().Equal(tensor.Shape{1, 2, 4}) || e.X.Bytes()[0] != 16 ||
		len(ds.Classes()) != 10 {
		t.Errorf("%d: %+v", ds.Len(), e)
	}
	test := must(Open("idx:"+dir+"#test", Options{}))(t)
	if test.Len() != 1 || test.Label(0) != 4 {
		t.Errorf("test split: %d examples", test.Len())
	}
	_, err := Open("idx:"+dir+"#valid", Options{})
	wantFormatError(t, err, "valid", "train, test")
	_, err = Open("idx:"+dir, Options{Classes: []string{"a", "b", "c", "d", "e", "f", "g", "h"}})
	wantFormatError(t, err, "out of range", "8 classes")
}

func TestIDXHostile(t *testing.T) {
	lying := append([]byte{0, 0, 0x0E, 8}, bytes.Repeat([]byte{0xFF}, 32)...) // (2^32-1)^8 doubles
	big := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte{0, 0, 8, 3}, 1<<20), 1<<5),
		1<<6)
	whole := idxImages(3, 2, 4)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":      {nil, "no idx header"},
		"wrong":      {[]byte("PK\x03\x04...."), "not an idx file"},
		"header cut": {whole[:9], "offset 8"},
		"data cut":   {whole[:len(whole)-1], "item 2 of 3"},
		"lying":      {lying, "over the limit"},
		"claims":     {big, "header claims 2147483648 bytes, have 0"},
		"more":       {append(slices.Clone(whole), 1), "more bytes"},
	} {
		_, err := readIDX(name, bytes.NewReader(c.file), int64(len(c.file)), Limits{})
		wantFormatError(t, err, name, c.want)
	}
	dir := t.TempDir()
	z := gz(idxImages(300, 20, 20))
	write1(t, filepath.Join(dir, "train-images-idx3-ubyte.gz"), z[:len(z)/2])
	write1(t, filepath.Join(dir, "train-labels-idx1-ubyte"), idxLabels(1))
	_, err := Open("idx:"+dir, Options{})
	wantFormatError(t, err, "train-images", "cut short")
	write1(t, filepath.Join(dir, "train-images-idx3-ubyte.gz"), gz(whole))
	_, err = Open("idx:"+dir, Options{})
	wantFormatError(t, err, "1 labels for the 3 pictures")
}

func TestCIFAR(t *testing.T) {
	dir := t.TempDir()
	sub := filepath.Join(dir, "cifar-10-batches-bin")
	write1(t, filepath.Join(sub, "data_batch_1.bin"), cifarRecords(3, 9))
	write1(t, filepath.Join(sub, "data_batch_2.bin"), cifarRecords(1))
	test := write1(t, filepath.Join(sub, "test_batch.bin"), cifarRecords(5))
	ds := must(Open("cifar10:"+dir+"#train", Options{}))(t)
	e := must(ds.Example(1))(t)
	if ds.Len() != 3 || e.ID != "data_batch_1/1" || e.Label != 9 || ds.Classes()[9] != "truck" || e.X.Bytes()[1024] != 2 {
		t.Errorf("%d %+v", ds.Len(), e)
	}
	for _, spec := range []string{dir + "#test", test, "cifar10:" + test} {
		if one := must(Open(spec, Options{}))(t); one.Len() != 1 || one.Label(0) != 5 {
			t.Errorf("%s: %d examples", spec, one.Len())
		}
	}
	write1(t, test, append(cifarRecords(5), 1, 2, 3))
	_, err := Open("cifar10:"+test, Options{})
	wantFormatError(t, err, "image 1", "3 of 3073 bytes")
	write1(t, test, cifarRecords(1, 77))
	_, err = Open("cifar10:"+test, Options{})
	wantFormatError(t, err, "image 1", "label 77", "0..9")
	_, err = Open("cifar10:"+t.TempDir(), Options{})
	wantFormatError(t, err, "no files of the train split")
}

func TestNPZ(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.npz")
	open := func(o Options, arrays ...tensor.Named) (Dataset, error) {
		write1(t, path, npzOf(t, arrays...))
		return Open(path, o)
	}
	x := tensor.Named{Name: "x", Tensor: tensor.From([]int32{1, 2, 3, 4, 5, 6}, 3, 2)}
	ds := must(open(Options{}, x, tensor.Named{Name: "y", Tensor: tensor.From([]int64{2, 0, 2}, 3, 1)}))(t)
	e := must(ds.Example(1))(t)
	if e.X.DType() != tensor.Int32 || !slices.Equal(tensor.Data[int32](e.X), []int32{3, 4}) || e.Label != 0 || e.ID != "1" || e.Picture ||
		len(ds.Classes()) != 3 {
		t.Errorf("%+v %v", e, ds.Classes())
	}
	ds = must(open(Options{}, x, tensor.Named{Name: "y", Tensor: tensor.From([]float64{1, 2, 3, 4, 5, 6}, 3, 2)}))(t)
	if e = must(ds.Example(2))(t); e.Label != -1 || e.Y.String() != "float64[2]" || tensor.Data[float64](e.Y)[1] != 6 {
		t.Errorf("targets: %+v", e)
	}
	ds = must(open(Options{Task: "regression"}, x, tensor.Named{Name: "y", Tensor: tensor.From([]int64{2, 0, 2}, 3)}))(t)
	if e = must(ds.Example(0))(t); e.Y == nil || e.Y.F32()[0] != 2 {
		t.Errorf("integers as targets: %+v", e)
	}
	ds = must(open(Options{}, x))(t)
	if e = must(ds.Example(0))(t); e.Label != -1 || e.Y != nil {
		t.Errorf("no y: %+v", e)
	}
	// Channels last, as Keras saves.
	hwc := make([]uint8, 2*2*3*3)
	for i := range hwc {
		hwc[i] = uint8(i)
	}
	ds = must(open(Options{}, tensor.Named{Name: "x_train", Tensor: tensor.From(hwc, 2, 2, 3, 3)},
		tensor.Named{Name: "y_train", Tensor: tensor.From([]uint8{1, 0}, 2)}))(t)
	if e = must(ds.Example(1))(t); !e.Picture || !e.X.Shape().Equal(tensor.Shape{3, 2, 3}) ||
		!bytes.Equal(e.X.Bytes()[:7], []byte{18, 21, 24, 27, 30, 33, 19}) {
		t.Errorf("%v %v", e.X, e.X.Bytes())
	}
	nan := tensor.From([]float32{1, 2, 3, float32(math.NaN())}, 2, 2)
	_, err := open(Options{}, tensor.Named{Name: "x", Tensor: nan})
	wantFormatError(t, err, "x, row 1", "NaN")
	must(open(Options{AllowNonFinite: true}, tensor.Named{Name: "x", Tensor: nan}))(t)
	_, err = open(Options{}, x, tensor.Named{Name: "y", Tensor: tensor.From([]int64{0, -1, 2}, 3)})
	wantFormatError(t, err, "y, row 1", "out of range")
	_, err = open(Options{}, x, tensor.Named{Name: "y", Tensor: tensor.From([]int64{0, 1}, 2)})
	wantFormatError(t, err, "2 rows where x has 3")
	_, err = open(Options{Classes: []string{"a", "b"}}, x, tensor.Named{Name: "y", Tensor: tensor.From([]int64{0, 1, 2}, 3)})
	wantFormatError(t, err, "label 2", "2 classes")
	_, err = open(Options{}, tensor.Named{Name: "y", Tensor: tensor.From([]int64{0, 1, 2}, 3)})
	wantFormatError(t, err, `no array "x"`, "y [3]")
	write1(t, path, []byte("PK nothing"))
	_, err = Open(path, Options{})
	wantFormatError(t, err, "a.npz", "numpy.savez")
}

func TestKeep(t *testing.T) {
	dir := t.TempDir()
	list := write1(t, filepath.Join(dir, "at@home.txt"), []byte("# kept\ndigits/7\r\n\ndigits/2\n"))
	ds := must(Open("keep:"+list+"@digits#all", Options{}))(t)
	all := must(Open("digits", Options{}))(t)
	if ds.Len() != 2 || ds.ID(0) != "digits/7" || ds.Label(1) != all.Label(2) {
		t.Errorf("%d: %s", ds.Len(), ds.ID(0))
	}
	if e := must(ds.Example(0))(t); e.ID != "digits/7" || !bytes.Equal(e.X.Bytes(), must(all.Example(7))(t).X.Bytes()) {
		t.Errorf("example %v", e.ID)
	}
	if Suggested(ds).Scale != 1./16 {
		t.Errorf("suggested preprocessing of a subset: %v", Suggested(ds))
	}
	inner := write1(t, filepath.Join(dir, "inner.txt"), []byte("digits/2\n"))
	if ds = must(Open("keep:"+inner+"@keep:"+list+"@digits", Options{}))(t); ds.Len() != 1 {
		t.Errorf("keep in keep: %d", ds.Len())
	}
	for text, want := range map[string]string{
		"digits/7\nnope\n":         "line 2",
		"../../etc/passwd\n":       `no example "../../etc/passwd"`,
		"digits/7\ndigits/7\n":     "already on line 1",
		strings.Repeat("x", 2<<20): "not a list of ids",
	} {
		bad := write1(t, filepath.Join(dir, "bad.txt"), []byte(text))
		_, err := Open("keep:"+bad+"@digits", Options{})
		wantFormatError(t, err, "bad.txt", want)
	}
	_, err := Open("keep:"+list, Options{})
	wantFormatError(t, err, "home.txt")
	_, err = Open("keep:nothing", Options{})
	wantFormatError(t, err, "LIST@SPEC")
	_, err = Open("keep:"+filepath.Join(dir, "gone.txt")+"@digits", Options{})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing list: %v", err)
	}
	deep := strings.Repeat("keep:"+list+"@", 20) + "digits"
	_, err = Open(deep, Options{})
	wantFormatError(t, err, "too many lists")
}

func TestSpecs(t *testing.T) {
	dir := t.TempDir()
	odd := write1(t, filepath.Join(dir, "a#b?c.csv"), []byte("x,y\n1,2\n"))
	if ds := must(Open(odd, Options{}))(t); ds.Len() != 1 {
		t.Errorf("path with # and ?")
	}
	if ds := must(Open("csv:"+odd+"?task=regression", Options{}))(t); ds.Len() != 1 || ds.Classes() != nil {
		t.Errorf("settings after a path with ?: %v", ds.Classes())
	}
	for spec, want := range map[string]string{
		"":                        "empty data specification",
		"digit":                   `did you mean "digits"`,
		"imagefolder":             "imagefolder:PATH",
		"imgfolder:photos":        `did you mean "imagefolder"`,
		"digits#val":              "train, test, all",
		"digits:path":             "has no path",
		"shapes?sise=3":           `did you mean "size"`,
		"shapes?size=3":           "from 16 to 1024",
		"shapes?size=%zz":         "bad settings",
		"csv:":                    "no path",
		"csv:" + odd + "#train":   "has no splits",
		"tar:shards-{009..0}.tar": "from a number to a higher one",
	} {
		_, err := Open(spec, Options{})
		wantFormatError(t, err, want)
	}
	packed := write1(t, filepath.Join(dir, "a.tar.gz"), []byte("\x1f\x8b\x08"))
	if _, err := Open(packed, Options{}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("%v is not ErrUnsupported", err)
	}
	for _, f := range Formats() {
		if f.Name == "" || f.Doc == "" || f.Source == "" || f.open == nil {
			t.Errorf("format %q is incomplete", f.Name)
		}
	}
	s := must(ParseSpec("shapes?size=32&n=9#test"))(t)
	if s.String() != "shapes?n=9&size=32#test" {
		t.Errorf("spec prints as %q", s)
	}
}

// A large file is read row by row, with the same examples.
func TestIDXInPlace(t *testing.T) {
	dir := t.TempDir()
	x := append([]byte{0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2}, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
	write1(t, filepath.Join(dir, "train-images-idx3-ubyte"), x)
	write1(t, filepath.Join(dir, "train-labels-idx1-ubyte"), []byte{0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1})
	open := func() Dataset {
		ds, err := Open("idx:"+dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return ds
	}
	kept := open()
	defer func(n int64) { keptArray = n }(keptArray)
	keptArray = 4
	late := open()
	if late.(*memory).late == nil || kept.(*memory).late != nil {
		t.Fatal("which is read row by row?")
	}
	for i := range kept.Len() {
		want, err1 := kept.Example(i)
		got, err2 := late.Example(i)
		if err := errors.Join(err1, err2); err != nil || !tensor.Equal(got.X, want.X) || got.Label != want.Label || got.ID != want.ID ||
			got.Picture != want.Picture {
			t.Errorf("example %d: %v, want %v: %v", i, got, want, err)
		}
	}
	write1(t, filepath.Join(dir, "train-images-idx3-ubyte"), append(x, 1))
	if _, err := Open("idx:"+dir, Options{}); err == nil || !strings.Contains(err.Error(), "header claims 12 bytes, have 13") {
		t.Error(err)
	}
}
