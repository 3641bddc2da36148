package shown

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestQuoteLineNamesCut(t *testing.T) {
	for got, want := range map[string]string{
		Quote("conv1"):                          `"conv1"`,
		Quote("a\"b\n\\"):                       `"a\"b\n\\"`,
		Quote("é\u202e"):                        `"é\u202e"`,
		Line("a\nb\tc", 9):                      `a\nb\tc`,
		Line("0123456789", 8):                   "012345…89",
		Names([]string{"a\n", "b"}, 3):          `a\n, b`,
		Names([]string{"a", "b", "c"}, 2):       "a, b, c",
		Quoted([]string{"a", "b", "c", "d"}, 2): `"a", "b" … and 2 more`,
		Names(strings.Split(strings.Repeat("x,", 99999), ","), 1): "x … and 99,999 more",
		Cut("short", 10): "short",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	long := "begin" + strings.Repeat("é犬", 9999) + "end"
	for _, limit := range []int{20, 100, 2401} {
		if got := Cut(long, limit); len(got) > limit || !utf8.ValidString(got) || !strings.HasPrefix(got, "begin") ||
			!strings.HasSuffix(got, "end") {
			t.Errorf("cut to %d: %q", limit, got)
		}
	}
}
