package explain

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/unicode/norm"
)

// Font is a TrueType or OpenType font.
type Font = opentype.Font

// ParseFonts reads a font file, or a collection of fonts (.ttc), for Render.Fonts.
func ParseFonts(file []byte) ([]*Font, error) {
	c, err := opentype.ParseCollection(file)
	if err != nil {
		return nil, fmt.Errorf("explain: font: %w", err)
	}
	var fonts []*Font
	for i := range c.NumFonts() {
		f, err := c.Font(i)
		if err != nil {
			return nil, fmt.Errorf("explain: font %d of the collection: %w", i, err)
		}
		fonts = append(fonts, f)
	}
	return fonts, nil
}

// goFonts are the fonts of the Go project: Latin, Greek and Cyrillic letters.
//
// Source: https://go.dev/blog/go-fonts
var goFonts = sync.OnceValue(func() (fonts [2]*Font) {
	for i, ttf := range [][]byte{goregular.TTF, gobold.TTF} {
		f, err := opentype.Parse(ttf)
		if err != nil {
			panic(fmt.Sprintf("explain: Go font: %v", err))
		}
		fonts[i] = f
	}
	return fonts
})

// lettering writes text of one size into pictures. It is not safe for concurrent use.
type lettering struct {
	fonts  []*Font
	faces  []font.Face // of the fonts; the first one that has a letter writes it
	size   int         // height of the letters in pixels
	ascent int         // of the base line under the top of a line
	line   int         // from one line to the next
	known  map[rune]int
}

// newLettering writes letters of that size in pixels in the fonts of Go, and in more what these lack.
func newLettering(more []*Font, size int, bold bool) (*lettering, error) {
	own := goFonts()
	l := &lettering{fonts: []*Font{own[0]}, size: size, ascent: size, line: size + size/3, known: map[rune]int{}}
	if bold {
		l.fonts[0] = own[1]
	}
	l.fonts = append(l.fonts, more...)
	for _, f := range l.fonts {
		face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: float64(size), DPI: 72})
		if err != nil {
			return nil, fmt.Errorf("explain: font: %w", err)
		}
		l.faces = append(l.faces, face)
	}
	return l, nil
}

// letter is a rune and the face that has it, or -1.
type letter struct {
	r    rune
	face int
}

const noFace = -1

// find is the first face that has r, or noFace.
func (l *lettering) find(r rune) int {
	if face, ok := l.known[r]; ok {
		return face
	}
	l.known[r] = noFace
	for i, f := range l.fonts {
		if g, err := f.GlyphIndex(nil, r); err == nil && g != 0 {
			l.known[r] = i
			break
		}
	}
	return l.known[r]
}

// letters are what is drawn of s: letters in the form that a font has, without accents where it has only the letter beneath.
func (l *lettering) letters(s string) []letter {
	var out []letter
	for _, r := range norm.NFC.String(strings.ToValidUTF8(s, "\uFFFD")) {
		switch {
		case unicode.IsSpace(r):
			out = append(out, letter{' ', 0})
		case unicode.IsControl(r):
		case l.find(r) != noFace:
			out = append(out, letter{r, l.find(r)})
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		default:
			out = append(out, l.replace(r)...)
		}
	}
	return out
}

// replace are the parts of r, which no font has, without marks, or r itself if they lack too.
func (l *lettering) replace(r rune) []letter {
	var parts []letter
	for _, p := range norm.NFKD.String(string(r)) {
		if unicode.Is(unicode.Mn, p) {
			continue
		}
		if l.find(p) == noFace {
			return []letter{{r, noFace}}
		}
		parts = append(parts, letter{p, l.find(p)})
	}
	return parts
}

func (l *lettering) advance(c letter) fixed.Int26_6 {
	if c.face == noFace {
		return fixed.I(codeWidth(c.r) + 2)
	}
	a, _ := l.faces[c.face].GlyphAdvance(c.r)
	return a
}

// width is that of s in pixels.
func (l *lettering) width(s string) int {
	var w fixed.Int26_6
	for _, c := range l.letters(s) {
		w += l.advance(c)
	}
	return w.Ceil()
}

// write draws s on one line with its top left corner at (x,y).
func (l *lettering) write(out draw.Image, x, y int, s string, ink color.Color) {
	dot := fixed.P(x, y+l.ascent)
	for _, c := range l.letters(s) {
		if c.face == noFace {
			drawCode(out, dot.X.Round()+1, y+(l.line-codeHeight)/2, c.r, ink)
		} else if box, mask, at, _, ok := l.faces[c.face].Glyph(dot, c.r); ok {
			draw.DrawMask(out, box, image.NewUniform(ink), image.Point{}, mask, at, draw.Over)
		}
		dot.X += l.advance(c)
	}
}

// fit is s if it is at most width wide, else s with an ellipsis for its middle.
func (l *lettering) fit(s string, width int) string {
	return middle(s, "…", func(t string) bool { return l.width(t) <= width })
}

// middle is s if it fits, else as much of its two ends as fits with dots between.
func middle(s, dots string, fits func(string) bool) string {
	if fits(s) {
		return s
	}
	r := []rune(s)
	cut := func(keep int) string { return string(r[:(keep+1)/2]) + dots + string(r[len(r)-keep/2:]) }
	lo, hi := 0, len(r)-1 // lo fits, or nothing does
	for lo < hi {
		if mid := (lo + hi + 1) / 2; fits(cut(mid)) {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return cut(lo)
}

// short is s in at most n runes, with an ellipsis for its middle.
func short(s string, n int) string {
	return middle(s, "…", func(t string) bool { return len([]rune(t)) <= n })
}

// wrap breaks s into at most rows lines of that width: after spaces and punctuation and between the letters of scripts without spaces
// where it can. What does not fit loses the middle of the last line.
func (l *lettering) wrap(s string, width, rows int) []string {
	var lines []string
	rest := []rune(strings.Join(strings.Fields(s), " "))
	for len(rest) > 0 {
		n := l.prefix(rest, width)
		if len(lines) == rows-1 || n == len(rest) {
			return append(lines, l.fit(strings.TrimSpace(string(rest)), width))
		}
		cut := n
		for k := n; k > n/3; k-- {
			if breaksAfter(rest[k-1]) || rest[k] == ' ' || unicode.In(rest[k], unicode.Han, unicode.Hiragana, unicode.Katakana) {
				cut = k
				break
			}
		}
		lines = append(lines, strings.TrimSpace(string(rest[:cut])))
		rest = []rune(strings.TrimSpace(string(rest[cut:])))
	}
	return lines
}

func breaksAfter(r rune) bool { return strings.ContainsRune(" -/.,;:_+", r) }

// prefix is how many runes of s fit into width, at least 1.
func (l *lettering) prefix(s []rune, width int) int {
	var w fixed.Int26_6
	for i, r := range s {
		for _, c := range l.letters(string(r)) {
			w += l.advance(c)
		}
		if w.Ceil() > width && i > 0 {
			return i
		}
	}
	return len(s)
}
