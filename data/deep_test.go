package data

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/tiff"

	"github.com/gtk-onnx/gtk/tensor"
)

func tiffOf(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := tiff.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// deepGrey is a picture of h×w with the values f(i).
func deepGrey(h, w int, f func(i int) uint16) *image.Gray16 {
	m := image.NewGray16(image.Rect(0, 0, w, h))
	for i := range h * w {
		m.SetGray16(i%w, i/w, color.Gray16{Y: f(i)})
	}
	return m
}

func TestResizeOfDeepPicturesEqualsPillow(t *testing.T) {
	var cases []struct {
		H, W, OH, OW int
		Src, Dst     []uint16
	}
	if err := json.Unmarshal(must(os.ReadFile("testdata/resize16_pillow.json"))(t), &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		x := tensor.From(c.Src, 1, c.H, c.W)
		got := must(Preprocess{ImageSize: [2]int{c.OH, c.OW}, Crop: "none"}.Picture(x))(t)
		if !slices.Equal(tensor.Data[uint16](got), c.Dst) {
			t.Errorf("%dx%d to %dx%d: %v, Pillow has %v", c.H, c.W, c.OH, c.OW, tensor.Data[uint16](got), c.Dst)
		}
	}
}

// TestDeepPictures follows 12 bits in 16 through everything that pictures go through: 64 values stay 64.
func TestDeepPictures(t *testing.T) {
	dir := t.TempDir()
	m := deepGrey(8, 8, func(i int) uint16 { return uint16(64 * i) })
	write1(t, filepath.Join(dir, "a", "x.png"), pngOf(m))
	write1(t, filepath.Join(dir, "b", "x.tif"), tiffOf(t, m))
	write1(t, filepath.Join(dir, "b", "y.pgm"), []byte("P2 8 8 65535\n"+strings.Repeat("1 2 3 4 5 6 7 8 ", 8)))
	ds := must(Open(dir, Options{}))(t)
	distinct := func(x *tensor.Tensor) int {
		return len(slices.Compact(slices.Sorted(slices.Values(x.Float64s()))))
	}
	p := Preprocess{ImageSize: [2]int{8, 8}, Channels: "rgb"}
	cached, rest := Cache(ds, p, 1<<20)
	for _, c := range []struct {
		ds Dataset
		p  *Preprocess
		a  Augment
	}{{ds, &p, Augment{}}, {cached, &rest, Augment{}}, {cached, &rest, Augment{}}, {ds, &p, augmented(t, "flip")},
		{ds, nil, augmented(t, "flip")}, {ds, &Preprocess{Channels: "gray", Layout: "nhwc"}, Augment{}}} {
		for b, err := range Batches(t.Context(), c.ds, Sequential(2), 1, BatchOptions{Preprocess: c.p, Augment: c.a}) {
			if err != nil {
				t.Fatal(err)
			}
			if distinct(b.X) != 64 {
				t.Errorf("%v %v, %s: %d distinct values of %v", c.p, c.a, b.IDs, distinct(b.X), b.X)
			}
		}
	}
	x := must(p.Apply(must(ds.Example(0))(t).X))(t)
	if got, want := x.F32()[63], float32(63.*64/65535); got != want {
		t.Errorf("largest value %v, want %v", got, want)
	}
	full := deepGrey(1, 2, func(i int) uint16 { return uint16(65535 * i) })
	if x := must((Preprocess{}).ApplyImage(full))(t); x.F32()[0] != 0 || x.F32()[1] != 1 {
		t.Errorf("black and white are %v", x.F32())
	}
	q := Preprocess{Scale: 257. / 4095}
	if err := q.Set("scale", "257/4095"); err != nil || must(q.Apply(tensor.From([]uint16{0, 4095}, 1, 1, 2)))(t).F32()[1] != 1 {
		t.Errorf("the scale of the note: %v", err)
	}
	_ = must(ds.Example(2))(t)
	mention(t, Notes(must(Subset(ds, []int{0}))(t)), "largest value", "4032", "12 bits", "a/x.png", "--scale 257/4095")

	if sheet := must(ContactSheet(ds, 2, 32))(t); sheet.Bounds().Empty() {
		t.Error("no sheet")
	} else if r, _, _, _ := sheet.At(110+4+31, 4+31).RGBA(); r>>8 != 252 {
		t.Errorf("the brightest pixel of a thumbnail is %d", r>>8)
	}
	out := filepath.Join(t.TempDir(), "out")
	if err := WriteImageFolder(out, &memory{dtype: tensor.Uint16, shape: []int{1, 8, 8}, picture: true, n: 1,
		raw: must(ds.Example(0))(t).X.Bytes(), prefix: "x"}, false); err != nil {
		t.Fatal(err)
	}
	if back, _, err := loadRaster(new(turn), filepath.Join(out, "x0.png"), Limits{}); err != nil ||
		!tensor.Equal(back.x, must(ds.Example(0))(t).X) {
		t.Errorf("written and read back: %v, %v", back.x, err)
	}
	in := must(LoadInput(filepath.Join(dir, "a", "x.png"), Preprocess{}, Options{}))(t)
	if g, ok := in.Shown.(*image.Gray); !ok || g.GrayAt(7, 7).Y != 252 || distinct(in.X) != 64 || len(in.Notes) != 1 {
		t.Errorf("shown %T, notes %q", in.Shown, in.Notes)
	}
}

// tiffTagged is a TIFF file of one row of values with more tags.
func tiffTagged(values []byte, tags map[uint16]uint16) []byte {
	all := map[uint16]uint16{256: 2, 257: 1, 258: uint16(4 * len(values)), 259: 1, 262: 1, 273: 8, 277: 1, 278: 1,
		279: uint16(len(values))}
	for k, v := range tags {
		all[k] = v
	}
	b := append([]byte("II*\x00\x00\x00\x00\x00"), values...)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(all)))
	for k := range uint16(1000) {
		if v, ok := all[k]; ok {
			b = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(b, k), 3)
			b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, 1), uint32(v))
		}
	}
	return append(b, 0, 0, 0, 0)
}

// TestTIFFsWithoutMeaning are files whose numbers the decoder would take for what they are not.
func TestTIFFsWithoutMeaning(t *testing.T) {
	if x := FromImage(must(DecodeImage("x.tif", tiffTagged([]byte{1, 2, 3, 4}, nil), Limits{}))(t)); !slices.Equal(tensor.Data[uint16](x),
		[]uint16{0x201, 0x403}) {
		t.Fatalf("%v %v", x, x.Bytes())
	}
	for want, file := range map[string][]byte{
		"floating-point": tiffTagged([]byte{1, 2, 3, 4, 5, 6, 7, 8}, map[uint16]uint16{339: 3}),
		"floating":       tiffTagged([]byte{1, 2, 3, 4}, map[uint16]uint16{339: 3}), // 16 bits
		"signed":         tiffTagged([]byte{1, 2, 3, 4}, map[uint16]uint16{339: 2}),
		"plane":          tiffTagged([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, map[uint16]uint16{277: 3, 284: 2, 258: 16, 262: 2}),
		"unsupported":    tiffTagged([]byte{1, 2, 3, 4}, map[uint16]uint16{262: 8}),
	} {
		_, err := DecodeImage("scan.tif", file, Limits{})
		wantFormatError(t, err, "scan.tif", want, "convert it to a png")
	}
}

func TestAlpha(t *testing.T) {
	dir := t.TempDir()
	m := flat(2, 1, color.NRGBA{100, 50, 200, 255})
	m.SetNRGBA(1, 0, color.NRGBA{240, 30, 10, 0})
	file := write1(t, filepath.Join(dir, "a.png"), pngOf(m))
	write1(t, filepath.Join(dir, "b.png"), greyPNG)
	for alpha, want := range map[string]byte{"": 240, "drop": 240, "white": 255, "black": 0} {
		for _, open := range []func() (Dataset, error){
			func() (Dataset, error) { return Open(dir, Options{Alpha: alpha}) },
			func() (Dataset, error) { return Open(dir+"?alpha="+alpha, Options{Alpha: "white"}) },
		} {
			if ds := must(open())(t); must(ds.Example(0))(t).X.Bytes()[1] != want || Suggested(ds).Alpha != alpha {
				t.Errorf("alpha %q: %v", alpha, must(ds.Example(0))(t).X.Bytes())
			} else if alpha == "" {
				mention(t, Notes(ds), "1 picture has transparent pixels (a.png)", "convert(\"RGB\")", "white")
			} else if len(Notes(ds)) > 0 {
				t.Errorf("alpha %s is noted: %q", alpha, Notes(ds))
			}
		}
		in := must(LoadInput(file, Preprocess{Scale: 1, Alpha: alpha}, Options{}))(t)
		if in.X.F32()[1] != float32(want) || (len(in.Notes) == 1) != (alpha == "") {
			t.Errorf("alpha %q of one file: %v, %q", alpha, in.X.F32(), in.Notes)
		}
	}
	_, err := Open(dir, Options{Alpha: "pink"})
	wantFormatError(t, err, "pink", "white")
	var p Preprocess
	if err := p.Set("transparent", "White"); err != nil || must(ParsePreprocess(p.String()))(t).Alpha != "white" ||
		p.Set("transparent", "pink") == nil {
		t.Errorf("setting: %v %v", p, err)
	}
}

// TestAnimationsGiveTheFirstFrame also where the frame is a part of its canvas.
func TestAnimationsGiveTheFirstFrame(t *testing.T) {
	file := must(os.ReadFile(filepath.Join("testdata", "pictures", "rgba.webp")))(t)
	want, _, err := loadRaster(new(turn), filepath.Join("testdata", "pictures", "rgba.webp"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var still []byte
	for name, b := range webpChunks(file) {
		if name == "VP8L" {
			still = simpleWebP(name, b, nil, 0, 0)[12:]
		}
	}
	frame := append([]byte{1, 0, 0, 2, 0, 0, 5, 0, 0, 3, 0, 0, 9, 0, 0, 0}, still...) // 6×4 at 2,4
	body := func(w, h byte) []byte {
		b := append([]byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x12\x00\x00\x00"), w-1, 0, 0, h-1, 0, 0)
		b = append(b, "ANIM\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
		b = append(append(b, "ANMF"...), byte(len(frame)), byte(len(frame)>>8), 0, 0)
		return append(b, frame...)
	}
	r, seen, err := decodeRaster(new(turn), "x", body(10, 9), Limits{})
	if err != nil || !slices.Contains(seen, animated) || !r.x.Shape().Equal(tensor.Shape{3, 9, 10}) {
		t.Fatalf("%v %v %v", r.x, seen, err)
	}
	for c := range 3 {
		for y := range 9 {
			for x := range 10 {
				level, alpha := byte(0), byte(0)
				if in := image.Pt(x-2, y-4); in.In(image.Rect(0, 0, 6, 4)) {
					level, alpha = want.x.Bytes()[(c*4+in.Y)*6+in.X], want.alpha.Bytes()[in.Y*6+in.X]
				}
				if r.x.Bytes()[(c*9+y)*10+x] != level || r.alpha.Bytes()[y*10+x] != alpha {
					t.Fatalf("pixel %d,%d,%d", c, y, x)
				}
			}
		}
	}
	_, err = DecodeImage("x.webp", body(7, 9), Limits{})
	wantFormatError(t, err, "x.webp", "canvas")
	_, err = DecodeImage("x.webp", body(10, 9), Limits{Pixels: 80})
	wantFormatError(t, err, "10×9", "limit")
	ds := must(Open(filepath.Join("testdata", "pictures"), Options{}))(t)
	for i := range ds.Len() {
		_ = must(ds.Example(i))(t)
	}
	mention(t, Notes(ds), "4 files hold several pictures (the first is animated.gif)", "the first one is used")
}

// TestOriginal takes the box that preprocessing shows out of the original: it is what is shown.
func TestOriginal(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 90, 60))
	for i := range m.Pix {
		m.Pix[i] = uint8(i * 7)
		if i%4 == 3 {
			m.Pix[i] = 255
		}
	}
	dir := t.TempDir()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	in := must(LoadInput(write1(t, filepath.Join(dir, "x.png"), b.Bytes()), Preprocess{ImageSize: [2]int{60, 60}}, Options{}))(t)
	r := in.Box
	if in.Original.Bounds().Size() != image.Pt(90, 60) || r.Size() != in.Shown.Bounds().Size() {
		t.Fatalf("original %v, box %v, shown %v", in.Original.Bounds(), r, in.Shown.Bounds())
	}
	for y := range 60 {
		for x := range 60 {
			if in.Original.At(r.Min.X+x, r.Min.Y+y) != in.Shown.At(x, y) {
				t.Fatalf("pixel %d,%d", x, y)
			}
		}
	}
}

func TestNetpbmRefusals(t *testing.T) {
	for file, want := range map[string]string{
		"P5 2 2 255\nabc":         "3 bytes of samples, need 4",
		"P5 2 2 70000\nabcdefgh":  "1 to 65535",
		"P5 2 2 0\nabcd":          "1 to 65535",
		"P2 2 1 9\n3 10\n":        "value 10",
		"P2 2 1 9\n3 x\n":         "number is missing",
		"P1 2 1\n12":              "bit is missing",
		"P6 99999 99999 255\nabc": "limit",
		"P6 0 3 255\nabc":         "pixels",
		"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 9\nMAXVAL 255\nENDHDR\nabcdefghi": "9 channels",
		"P7\nWIDTH 1":  "cut short",
		"P5 2\n# only": "number is missing",
	} {
		_, err := DecodeImage("x.pnm", []byte(file), Limits{})
		wantFormatError(t, err, "x.pnm", want)
	}
	x := FromImage(must(DecodeImage("x.pam", []byte("P7\n# note\nWIDTH 2\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE "+
		"RGB_ALPHA\nENDHDR\nabcdefgh"), Limits{}))(t))
	if !slices.Equal(x.Bytes(), []byte("aebfcg")) {
		t.Errorf("%v %q", x, x.Bytes())
	}
}
