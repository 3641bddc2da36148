package shown

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestName(t *testing.T) {
	for in, want := range map[string]string{
		"conv1/weight":          "conv1/weight",
		"Bär 犬 😀 👩‍🔬":           "Bär 犬 😀 👩‍🔬",
		"\x1b[31mred":           `\x1b[31mred`,
		"a\nb\tc\r":             `a\nb\tc\r`,
		"\u202eevil\u2066":      `\u202eevil\u2066`,
		"\x9b31m" + "\u009b31m": `\x9b31m\u009b31m`,
		"\u2028":                `\u2028`,
		"\xff\uFFFD":            `\xff` + "\uFFFD",
		"\U000E0041":            `\U000e0041`,
		"":                      "",
	} {
		if got := Name(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
	long := Name("begin" + strings.Repeat("é", 100000) + "end")
	if n := utf8.RuneCountInString(long); n > most+1 || !strings.HasPrefix(long, "begin") || !strings.HasSuffix(long, "end") {
		t.Errorf("%d characters: %s", n, long)
	}
	if long := Name(strings.Repeat("\xff", 1000)); len(long) > 4*(most+3) {
		t.Errorf("%d bytes", len(long))
	}
	if got := Text("a\n\tb\x1b"); got != "a\n\tb"+`\x1b` {
		t.Errorf("%q", got)
	}
}
