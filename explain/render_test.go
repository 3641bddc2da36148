package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// ramp is a map 0, 1/(n-1), …, 1.
func ramp(n int) []float32 {
	m := make([]float32, n)
	for i := range m {
		m[i] = float32(i) / float32(n-1)
	}
	return m
}

func TestPNGPixels(t *testing.T) {
	dir := t.TempDir()
	r := DefaultRender()
	r.Colormap, _ = LookupColormap("turbo")
	r.Overlay = OverlayOptions{Alpha: 1, FullBlend: true}
	base := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	m := Map{Method: "gradcam", Base: "gradcam", Layer: "l/1", Raw: tensor.From(ramp(6), 1, 2, 3), H: 2, W: 3, Heat: ramp(6), Up: ramp(6)}
	w := Writer{Dir: dir, PNG: true, NPY: true, JSON: true, Render: r}
	item := Item{Name: "a/b.png", Base: base, Result: Image{Maps: []Map{m}, Top: []Prediction{{Class: 3, Prob: 1}}}}
	files, err := w.Write(item)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "b.gradcam.l_1.png"); len(files) != 1 || files[0].PNG != want {
		t.Fatalf("wrote %+v, want %s", files, want)
	}
	f, err := os.Open(files[0].PNG)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	var tables map[string][][3]uint8
	readGzipJSON(t, "testdata/colormaps.json.gz", &tables)
	// The picture is enlarged by a whole factor.
	f3 := minPicture / 3
	if b := img.Bounds(); b.Dx() != 3*f3 || b.Dy() != 2*f3 {
		t.Fatalf("the picture is %v, want %dx%d", b, 3*f3, 2*f3)
	}
	for i := range 6 {
		want := tables["turbo"][min(i*256/5, 255)]
		for _, at := range []image.Point{{i % 3 * f3, i / 3 * f3}, {i%3*f3 + f3 - 1, i/3*f3 + f3 - 1}} {
			if got := color.NRGBAModel.Convert(img.At(at.X, at.Y)).(color.NRGBA); got != (color.NRGBA{want[0], want[1], want[2], 255}) {
				t.Errorf("pixel %d is %v at %v, want %v", i, got, at, want)
			}
		}
	}
	raw, err := os.Open(files[0].NPY)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if got, err := tensor.ReadNPY(raw); err != nil || !tensor.Equal(got, m.Raw) {
		t.Errorf("the raw map came back as %v, %v", got, err)
	}
	b, err := os.ReadFile(files[0].JSON)
	if err != nil {
		t.Fatal(err)
	}
	var d mapFile
	if err := json.Unmarshal(b, &d); err != nil || d.Max != 1 || d.Layer != "l/1" || d.Method != "gradcam" {
		t.Errorf("JSON file %s: %v", b, err)
	}
	again := Writer{Dir: dir, PNG: true, Render: r}
	if _, err := again.Write(item); !errors.Is(err, fs.ErrExist) {
		t.Errorf("writing twice: %v, want an error that the file exists", err)
	}
	first, err := os.ReadFile(files[0].PNG)
	if err != nil {
		t.Fatal(err)
	}
	again = Writer{Dir: dir, PNG: true, Render: r, Force: true}
	if _, err := again.Write(item); err != nil {
		t.Errorf("writing twice with force: %v", err)
	}
	if second, err := os.ReadFile(files[0].PNG); err != nil || !bytes.Equal(first, second) {
		t.Errorf("the same picture has other bytes: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files stay: %v", left)
	}
}

func TestOverlay(t *testing.T) {
	base := image.NewNRGBA(image.Rect(5, 5, 7, 6)) // bounds need not begin at 0
	base.SetNRGBA(5, 5, color.NRGBA{200, 100, 0, 255})
	base.SetNRGBA(6, 5, color.NRGBA{10, 20, 30, 255})
	gray, _ := LookupColormap("gray")
	signed, _ := LookupColormap("seismic")
	m := []float32{0, 1}
	red, blue := signed.At(1), signed.At(0)
	for name, tc := range map[string]struct {
		c    *Colormap
		m    []float32
		o    OverlayOptions
		want [2]color.NRGBA
	}{
		"picture":       {gray, m, OverlayOptions{Alpha: 0}, [2]color.NRGBA{{200, 100, 0, 255}, {10, 20, 30, 255}}},
		"cold is clear": {gray, m, OverlayOptions{Alpha: 0.5}, [2]color.NRGBA{{200, 100, 0, 255}, {133, 138, 143, 255}}},
		"warm":          {gray, []float32{warm / 2, warm}, OverlayOptions{Alpha: 1}, [2]color.NRGBA{{148, 98, 48, 255}, {192, 192, 192, 255}}},
		"middle":        {signed, []float32{0.5, 1}, OverlayOptions{Alpha: 1}, [2]color.NRGBA{{200, 100, 0, 255}, red}},
		"against":       {signed, []float32{0.5, 0}, OverlayOptions{Alpha: 1, AlphaFromMap: true}, [2]color.NRGBA{{200, 100, 0, 255}, blue}},
		"half":          {gray, m, OverlayOptions{Alpha: 0.5, FullBlend: true}, [2]color.NRGBA{{100, 50, 0, 255}, {133, 138, 143, 255}}},
		"map":           {gray, m, OverlayOptions{Alpha: 1, FullBlend: true}, [2]color.NRGBA{{0, 0, 0, 255}, {255, 255, 255, 255}}},
		"grey base":     {gray, m, OverlayOptions{GrayBase: true}, [2]color.NRGBA{{100, 100, 100, 255}, {20, 20, 20, 255}}},
		"in proportion": {gray, []float32{0.25, 1}, OverlayOptions{Alpha: 1, AlphaFromMap: true}, [2]color.NRGBA{{166, 91, 16, 255},
			{255, 255, 255, 255}}},
		"nothing to see": {gray, []float32{float32(math.NaN()), 0}, OverlayOptions{Alpha: 1}, [2]color.NRGBA{{200, 100, 0, 255},
			{10, 20, 30, 255}}},
	} {
		out, err := Overlay(base, tc.m, 1, 2, tc.c, tc.o)
		if err != nil {
			t.Fatal(err)
		}
		for x, want := range tc.want {
			if got := out.NRGBAAt(x, 0); got != want {
				t.Errorf("%s: pixel %d is %v, want %v", name, x, got, want)
			}
		}
	}
	c := gray
	if _, err := Overlay(base, m, 2, 1, c, OverlayOptions{}); err == nil {
		t.Error("a map of another size was laid over the picture")
	}
}

func TestPage(t *testing.T) {
	base := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	var maps []Map
	requests, err := Expand(Request{"normgrad", Options{"phase1": "all", "phase2": "all"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range append(requests, Request{"gradcam", nil}, Request{"gradient", nil}) {
		b, err := bind(r)
		if err != nil {
			t.Fatal(err)
		}
		m := Map{Method: b.label, Base: b.Name, Options: b.options, Layer: "relu<3>", Raw: tensor.From(ramp(6), 1, 2, 3), H: 2, W: 3,
			Heat: ramp(6), Up: ramp(6), Constant: b.Name == "gradcam"}
		if b.Place == AtInput {
			m.Layer = ""
		}
		maps = append(maps, m)
	}
	item := Item{Name: `<b>"cat".png`, Base: base, Result: Image{Maps: maps, Top: []Prediction{{Class: 0, Label: "tabby <cat>", Prob: 0.9}}}}
	page, err := DefaultRender().Page([]Item{item}, PageInfo{Title: "m.onnx", Warnings: []string{"w<1>"}})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := page.Write(&b); err != nil {
		t.Fatal(err)
	}
	s := b.String()
	for _, want := range []string{"tabby &lt;cat&gt;", "w&lt;1&gt;", "relu&lt;3&gt;", "conv3x3_depthwise", "filter_norm",
		"constant: nothing to show", "arxiv.org/abs/2004.02866"} {
		if !strings.Contains(s, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, bad := range []string{"<b>", "<cat>", "relu<3>", "ZgotmplZ"} {
		if strings.Contains(s, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	if n := strings.Count(s, `<img src="data:image/png;base64,`); n < 20+2+1 {
		t.Errorf("the page has %d pictures, want 23 or more", n)
	}
}

// TestLayer: a map in a page covers its picture as Overlay does, whatever the colours chosen.
func TestLayer(t *testing.T) {
	base := plain(image.Rect(0, 0, 16, 16), color.NRGBA{200, 100, 50, 255})
	for _, name := range Colormaps() {
		for _, o := range []OverlayOptions{{}, {FullBlend: true}, {AlphaFromMap: true}} {
			for _, signed := range []bool{false, true} {
				r := DefaultRender()
				r.Overlay, r.Overlay.Alpha = o, 1
				r.Colormap, _ = LookupColormap(name)
				r.Diverging = r.Colormap
				m := heated(16, 16, ramp(256))
				m.Signed, m.Constant = signed, true // so that Heat is shown as it is
				layer, want := r.Layer(m), image.NewNRGBA(base.Bounds())
				draw.Draw(want, want.Bounds(), base, image.Point{}, draw.Src)
				draw.Draw(want, want.Bounds(), layer, image.Point{}, draw.Over)
				got, err := r.Overlaid(base, m)
				if err != nil {
					t.Fatal(err)
				}
				for i, v := range got.Pix {
					if d := int(v) - int(want.Pix[i]); d < -2 || d > 2 { // opacity in 8 bits
						t.Fatalf("%s, %+v, signed %v: byte %d of the overlay is %d, of the layer %d", name, o, signed, i, v, want.Pix[i])
					}
				}
				cold := 0
				if signed {
					cold = 127
				}
				if _, _, _, a := layer.At(cold%16, cold/16).RGBA(); !o.FullBlend && a > 0x1ff {
					t.Errorf("%s, %+v, signed %v: the cold end has opacity %d", name, o, signed, a>>8)
				}
			}
		}
	}
}

func TestPicture(t *testing.T) {
	img, err := Picture(tensor.From([]float32{0, 1, 2, 4}, 1, 1, 2, 2), 0)
	if err != nil {
		t.Fatal(err)
	}
	if g := img.(*image.Gray); !slices.Equal(g.Pix, []uint8{0, 64, 128, 255}) {
		t.Errorf("grey picture %v", g.Pix)
	}
	if _, err := Picture(tensor.From([]float32{0}, 1), 0); err == nil {
		t.Error("a tensor of rank 1 became a picture")
	}
}

// TestHotPixelPicture: in the overlay and in the page, one hot pixel of a gradient leaves the rest to be seen; with Clip 0 it does not.
func TestHotPixelPicture(t *testing.T) {
	black := color.NRGBA{0, 0, 0, 255}
	m := Map{Method: "gradient", Base: "gradient", H: 20, W: 20, Up: make([]float32, 400)}
	for i := range m.Up {
		m.Up[i] = float32(i % 7)
	}
	m.Up[37] = 1e5
	m.Heat, _ = MinMax(m.Up)
	seen := func(r Render) (overlay, layer int) {
		img, err := r.Overlaid(plain(image.Rect(0, 0, 20, 20), black), m)
		if err != nil {
			t.Fatal(err)
		}
		l := r.Layer(m)
		for i := range 400 {
			if c := img.NRGBAAt(i%20, i/20); max(c.R, c.G, c.B) > 40 {
				overlay++
			}
			if _, _, _, a := l.At(i%20, i/20).RGBA(); a > 0x2000 {
				layer++
			}
		}
		return overlay, layer
	}
	r := DefaultRender()
	if a, b := seen(r); a < 200 || b < 200 {
		t.Errorf("%d and %d of 400 pixels are seen", a, b)
	}
	r.Clip = 0
	if a, b := seen(r); a != 1 || b != 1 {
		t.Errorf("without a cut %d and %d pixels are seen, want the hot one", a, b)
	}
}
