package report

import (
	"html/template"
	"image/color"
	"strings"
)

// Token is a piece of text on a colour, whose opacity counts.
type Token struct {
	Text  string
	Color color.NRGBA
	Title string // shown when pointed at
}

// Tokens is running text in pieces, which can be selected as text.
type Tokens struct {
	Tokens []Token
	Apart  bool // the pieces are words, with a gap between
}

// tokenView is a Token with the look of its text: Class has l where the ink on a light page is white, d where that on a dark page is
// black.
type tokenView struct {
	Text, Title, Class string
	Style              template.CSS
	Newline            bool
}

func (t Tokens) render(*page) (template.HTML, error) {
	var views []tokenView
	for _, k := range t.Tokens {
		v := tokenView{Text: shownText(k.Text), Title: k.Title, Newline: strings.HasSuffix(k.Text, "\n")}
		var class []string
		if k.Color.A > 0 {
			v.Style = "background:" + css(k.Color)
			if Ink(over(k.Color, lightPaper)) == white {
				class = append(class, "l")
			}
			if Ink(over(k.Color, darkPaper)) == black {
				class = append(class, "d")
			}
		}
		if k.Text == "" || v.Text == "" {
			class = append(class, "none")
		}
		if v.Newline {
			class = append(class, "nl")
		}
		v.Class = strings.Join(class, " ")
		views = append(views, v)
	}
	return execute("tokens", map[string]any{"Tokens": views, "Apart": t.Apart})
}

// shownText is s without the line break at its end, with signs for control characters that HTML does not have.
func shownText(s string) string {
	s = strings.TrimSuffix(strings.ToValidUTF8(s, "\uFFFD"), "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ' && r != '\t' && r != '\n':
			return 0x2400 + r
		case r == 0x7f:
			return 0x2421
		}
		return r
	}, s)
}
