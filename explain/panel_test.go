package explain

import (
	"image"
	"image/color"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/font/gofont/gomono"
)

// dot is a picture of w×h with one pixel of colour in its corner.
func dot(w, h int, c color.NRGBA) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	img.SetNRGBA(0, 0, c)
	return img
}

// count is how many pixels of img have the colour c.
func count(img *image.NRGBA, c color.NRGBA) (n int) {
	for i := 0; i < len(img.Pix); i += 4 {
		if img.Pix[i] == c.R && img.Pix[i+1] == c.G && img.Pix[i+2] == c.B && img.Pix[i+3] == c.A {
			n++
		}
	}
	return n
}

func TestPanel(t *testing.T) {
	mark := color.NRGBA{1, 200, 3, 255}
	strip := image.NewUniform(color.NRGBA{9, 9, 200, 255})
	p := Panel{
		Columns: []PanelHead{{Title: "Input"}, {"NormGrad of a very long name that does not fit into one line",
			"a/layer/of/a/very/long/name/that/is/shortened"}},
		Rows: [][]PanelCell{
			{{Image: dot(16, 12, mark), Title: "cat.png", Caption: "tabby, tabby cat", Detail: "91.3 %"}, {Image: dot(16, 12, mark)}},
			{{Image: dot(1000, 10, color.NRGBA{})}, {Image: dot(500, 10, mark), Exact: true}},
			{{Caption: "no picture"}},
		},
		Legends: []PanelLegend{{image.NewPaletted(image.Rect(0, 0, 256, 1), color.Palette{strip.C}), "low", "high"}},
	}
	out, err := p.Draw()
	if err != nil {
		t.Fatal(err)
	}
	// 16 pixels are enlarged by 14: two corners of 14 by 14, and one pixel of the picture that is left as it is.
	if n := count(out, mark); n != 2*14*14+1 {
		t.Errorf("%d pixels of the corners, want %d", n, 2*14*14+1)
	}
	if n := count(out, color.NRGBA{9, 9, 200, 255}); n != panelStrip*11 {
		t.Errorf("the legend has %d pixels, want %d", n, panelStrip*11)
	}
	if w := out.Bounds().Dx(); w != 2*panelMargin+panelLarge+panelGap+500 {
		t.Errorf("the sheet is %d wide: 1000 pixels are not reduced to %d, or 500 not left", w, panelLarge)
	}
	again, err := p.Draw()
	if err != nil || !slices.Equal(out.Pix, again.Pix) {
		t.Errorf("the same sheet differs: %v", err)
	}
	if _, err := (Panel{Columns: make([]PanelHead, 1), Rows: [][]PanelCell{{{}, {}}}}).Draw(); err == nil {
		t.Error("a row longer than the columns was drawn")
	}
	tall := PanelCell{Image: image.NewNRGBA(image.Rect(0, 0, 1, maxPanel)), Exact: true}
	if _, err := (Panel{Columns: make([]PanelHead, 1), Rows: [][]PanelCell{{tall}}}).Draw(); err == nil {
		t.Error("a panel over the limit was drawn")
	}
}

func letters(t *testing.T) *lettering {
	t.Helper()
	l, err := newLettering(nil, panelText, false)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestWrap(t *testing.T) {
	l := letters(t)
	for _, s := range []string{
		"", "gradcam", "Smooth Grad-CAM++, 8 samples", "bald eagle, American eagle, Haliaeetus leucocephalus", strings.Repeat("a", 80),
		"model/stage_3/block_11/attention/output/dense/BiasAdd:0", "東京タワーは東京都港区芝公園にある総合電波塔である", "Ǽ é ü Ж Ω ↑",
	} {
		for _, rows := range []int{1, 2, 4} {
			lines := l.wrap(s, 112, rows)
			if len(lines) > rows {
				t.Errorf("%q: %d lines, want %d at most", s, len(lines), rows)
			}
			for _, line := range lines {
				if w := l.width(line); w > 112 {
					t.Errorf("%q: the line %q is %d wide", s, line, w)
				}
			}
			whole := strings.Join(strings.Fields(strings.Join(lines, "")), "")
			if want := strings.Join(strings.Fields(s), ""); whole != want && !strings.Contains(whole, "…") {
				t.Errorf("%q became %q without an ellipsis", s, lines)
			}
		}
	}
	if got := l.wrap("bald eagle, American eagle, Haliaeetus leucocephalus", 224, 4); !slices.Equal(got,
		[]string{"bald eagle, American eagle,", "Haliaeetus leucocephalus"}) {
		t.Errorf("lines %q", got)
	}
}

func TestMiddle(t *testing.T) {
	for _, tc := range []struct {
		s    string
		n    int
		want string
	}{
		{"cat.jpeg", 8, "cat.jpeg"},
		{"a_very_long_file_name.jpeg", 11, "a_ver….jpeg"},
		{"наименование", 5, "на…ие"},
		{"abc", 1, "…"},
		{"", 0, ""},
	} {
		if got := short(tc.s, tc.n); got != tc.want {
			t.Errorf("%q in %d: %q, want %q", tc.s, tc.n, got, tc.want)
		}
	}
}

// TestLetters follows what is drawn for a rune: its glyph, the letter without its accents, or its code point.
func TestLetters(t *testing.T) {
	l := letters(t)
	for s, want := range map[string]string{
		"tabby":             "tabby",
		"e\u0301té":         "été",           // composed
		"Ж Ω ½ € … “ ↑":     "Ж Ω ½ € … “ ↑", // the fonts of Go have these
		"ệ":                 "e",             // and lack this one
		"ﬀ１２":               "ff12",          // compatibility forms
		"a\tb\nc":           "a b c",
		"a\u200bb\u202ec\a": "abc", // nothing to see
	} {
		got := ""
		for _, c := range l.letters(s) {
			if c.face == noFace {
				t.Errorf("%q: no glyph for %q", s, c.r)
			}
			got += string(c.r)
		}
		if got != want {
			t.Errorf("%q is drawn as %q, want %q", s, got, want)
		}
	}
	for _, r := range "猫ع🐱" {
		if got := l.letters(string(r)); len(got) != 1 || got[0] != (letter{r, noFace}) {
			t.Errorf("%q is drawn as %v, want its code point", r, got)
		}
	}
	if got := l.letters("\xff"); len(got) != 1 {
		t.Errorf("a byte that is no UTF-8 is drawn as %v", got)
	}
	// The frame is as wide as is said, and different for different letters.
	draw := func(s string) *image.NRGBA {
		out := newPaper(60, l.line)
		l.write(out, 0, 0, s, panelInk)
		return out
	}
	cat, bird := draw("猫"), draw("🐱")
	if n := count(cat, panelInk); n < 30 {
		t.Errorf("the code point of 猫 has %d dark pixels", n)
	}
	if slices.Equal(cat.Pix, draw("狗").Pix) || slices.Equal(cat.Pix, bird.Pix) {
		t.Error("two letters without a glyph look the same")
	}
	for x := l.width("猫"); x < 60; x++ {
		for y := range l.line {
			if cat.NRGBAAt(x, y) != panelPaper {
				t.Fatalf("the frame reaches pixel %d, beyond its width %d", x, l.width("猫"))
			}
		}
	}
}

func TestParseFonts(t *testing.T) {
	if _, err := ParseFonts([]byte("no font")); err == nil || !strings.Contains(err.Error(), "font") {
		t.Errorf("rubbish was read as a font: %v", err)
	}
	fonts, err := ParseFonts(gomono.TTF)
	if err != nil || len(fonts) != 1 {
		t.Fatalf("%d fonts, %v", len(fonts), err)
	}
	// A further font writes only what the first lacks.
	l, err := newLettering(fonts, panelText, false)
	if err != nil || l.find('a') != 0 || l.find('猫') != noFace {
		t.Errorf("a is in font %d, 猫 in %d: %v", l.find('a'), l.find('猫'), err)
	}
	l.fonts[0], l.faces[0], l.known = l.fonts[1], l.faces[1], map[rune]int{}
	if w := l.width("i"); w != l.width("w") {
		t.Errorf("letters of a fixed-width font are %d and %d wide", w, l.width("w"))
	}
}
