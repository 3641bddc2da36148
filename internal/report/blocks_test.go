package report

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// one renders a single block.
func one(t *testing.T, b Block) string {
	t.Helper()
	r := New("t", "")
	r.Section("", "").Add(b)
	s := render(t, r)
	for _, bad := range []string{"ZgotmplZ", "NaN", "%!"} {
		if strings.Contains(s, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	return s[strings.Index(s, "<section"):]
}

// TestInk: whatever the colour and its opacity, text on it is read in both looks of the page.
func TestInk(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		c := color.NRGBA{uint8(rng.IntN(256)), uint8(rng.IntN(256)), uint8(rng.IntN(256)), uint8(rng.IntN(256))}
		for _, paper := range []color.NRGBA{lightPaper, darkPaper} {
			on := over(c, paper)
			if r := contrast(on, Ink(on)); r < 4.5 {
				t.Fatalf("%v on %v: contrast %.1f", c, paper, r)
			}
		}
	}
	if r := contrast(lightPaper, color.NRGBA{A: 255}); math.Abs(r-21) > 1e-9 {
		t.Errorf("the contrast of white and black is %g, want 21", r)
	}
}

func TestTokens(t *testing.T) {
	orange, navy := color.NRGBA{242, 125, 26, 255}, color.NRGBA{0, 0, 90, 255}
	s := one(t, Tokens{Tokens: []Token{
		{Text: "<b>old</b>", Color: orange, Title: "+0.9"}, {Text: " "}, {Text: "line\n", Color: color.NRGBA{242, 125, 26, 20}},
		{Text: "\x00\x7f"}, {Text: ""}, {Text: "dark", Color: navy}, {Text: "猫\xff"},
	}})
	for _, want := range []string{
		`<span class="d" style="background:#f27d1aff" title="&#43;0.9">&lt;b&gt;old&lt;/b&gt;</span>`, `<span> </span>`,
		`<span class="nl" style="background:#f27d1a14">line</span><br>`,
		"<span>␀␡</span>", `<span class="none"></span>`, `<span class="l" style="background:#00005aff">dark</span>`,
		"<span>猫\uFFFD</span>",
	} {
		if want = strings.ReplaceAll(want, "ff\"", "\""); !strings.Contains(s, want) {
			t.Errorf("the page lacks %s in\n%s", want, s)
		}
	}
	if text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(one(t, Tokens{Tokens: []Token{{Text: "the"}, {Text: "cat"}}, Apart: true}),
		""); !strings.Contains(text, "the cat") {
		t.Errorf("words run together: %q", text)
	}
}

func TestBars(t *testing.T) {
	s := one(t, Bars{For: color.NRGBA{1, 2, 3, 255}, Against: color.NRGBA{4, 5, 6, 255}, Bars: []Bar{
		{Name: "age <years>", Value: "54", Amount: "+0.6", Share: 0.6}, {Name: strings.Repeat("long", 30), Amount: "−0.2", Share: -0.2},
		{Name: "none"},
	}})
	for _, want := range []string{
		"age &lt;years&gt;", `style="--for:#010203;--against:#040506"`, `style="left:25.00%;width:75.00%"`,
		`class="against" style="left:0.00%;width:25.00%"`,
		`<b style="left:25.00%">`, `title="` + strings.Repeat("long", 30) + `"`, "…",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("the page lacks %s in\n%s", want, s)
		}
	}
	if s := one(t, Bars{}); strings.Contains(s, "barrow") {
		t.Error("a chart without bars has some")
	}
	if s := one(t, Bars{Bars: []Bar{{Name: "a"}}}); !strings.Contains(s, "left:0.00%;width:0.00%") {
		t.Errorf("a bar of nothing: %s", s)
	}
}

func TestSignals(t *testing.T) {
	nan := math.NaN()
	s := one(t, Signals{XLabel: "hour", Signals: []Signal{
		{Name: "load <MW>", Values: []float64{0, 1, nan, 3, 4, 5}, Bands: []float64{1, 0, -0.5}},
		{Name: "flat", Values: []float64{2, 2, 2, 2, 2, 2}, Bands: []float64{0, nan, 0}},
	}})
	if n := strings.Count(s, "<polyline"); n != 3 { // broken once
		t.Errorf("%d lines, want 3", n)
	}
	if n := strings.Count(s, "fill-opacity"); n != 2 {
		t.Errorf("%d bands, want 2", n)
	}
	for _, want := range []string{"load &lt;MW&gt;", "<title>0 to 1: &#43;1.00</title>", "<title>4 to 5: -0.50</title>", ">hour<"} {
		if !strings.Contains(s, want) {
			t.Errorf("the page lacks %s in\n%s", want, s)
		}
	}
	if s := one(t, Signals{Signals: []Signal{{Values: []float64{nan, 7}}}}); strings.Count(s, "<polyline") != 1 {
		t.Error("a single value is not drawn")
	}
	one(t, Signals{})
	one(t, Signals{Signals: []Signal{{Name: "nothing"}}})
	r := New("t", "")
	r.Section("", "").Add(Signals{Signals: []Signal{{Values: []float64{1}}, {Values: []float64{1, 2}}}})
	if err := r.Write(&bytes.Buffer{}); err == nil {
		t.Error("signals of two lengths were drawn")
	}
}

// TestWindow: maps lie in a part of the picture.
func TestWindow(t *testing.T) {
	base := picture(200, 100, func(x, y int) color.NRGBA { return color.NRGBA{uint8(x), uint8(y), 0, 255} })
	heat := picture(8, 8, func(x, y int) color.NRGBA { return color.NRGBA{255, 0, 0, 255} })
	m := Maps{Base: base, Alone: true, Columns: []string{"Grad-CAM"}, Details: []string{"relu3"},
		Rows: []MapRow{{Maps: []Map{{Image: heat}}}}}
	if s := one(t, m); strings.Contains(s, `class="window"`) || strings.Contains(s, ">picture</div>") {
		t.Error("a map of the whole picture has a window, or the picture a column")
	}
	m.Window = image.Rect(50, -10, 150, 110)
	if s := one(t, m); !strings.Contains(s, `style="left:25.000%;top:-10.000%;width:50.000%;height:120.000%"`) {
		t.Errorf("no window of a quarter to three: %s", s)
	}
	m.Rows[0].Maps = append(m.Rows[0].Maps, Map{})
	r := New("t", "")
	r.Section("", "").Add(m)
	if err := r.Write(&bytes.Buffer{}); err == nil {
		t.Error("more maps than columns were drawn")
	}
}

// TestPhotographs: large ones are stored as JPEG, others and all with few colours without loss.
func TestPhotographs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	noisy := picture(300, 200, func(x, y int) color.NRGBA {
		return color.NRGBA{uint8(x/2 + rng.IntN(20)), uint8(y + rng.IntN(20)), uint8(128 + rng.IntN(20)), 255}
	})
	clear := picture(300, 200, func(x, y int) color.NRGBA { return color.NRGBA{uint8(x / 2), uint8(y), uint8(rng.IntN(256)), uint8(x)} })
	few := image.NewPaletted(image.Rect(0, 0, 400, 400), color.Palette{color.Black, color.White, color.NRGBA{255, 0, 0, 255}})
	for i := range few.Pix {
		few.Pix[i] = uint8(rng.IntN(3))
	}
	for kind, imgs := range map[string][]image.Image{"jpeg": {noisy}, "png": {clear, few, image.NewNRGBA(image.Rect(0, 0, 2, 2))}} {
		for i, img := range imgs {
			uri, err := dataURI(img)
			if err != nil || !strings.HasPrefix(string(uri), fmt.Sprintf("data:image/%s;base64,", kind)) {
				t.Errorf("%s %d is stored as %.20s: %v", kind, i, uri, err)
			}
		}
	}
	s := one(t, Columns{Figure{Image: noisy, Alt: "a", Beneath: true}, Maps{Base: noisy, Columns: []string{"m"}}})
	if n := strings.Count(s, `class="canvas bg1"`); n != 1 {
		t.Errorf("the figure is not the picture beneath: %d", n)
	}
}
