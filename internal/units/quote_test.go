package units

import (
	"os/exec"
	"strings"
	"testing"
)

var words = []string{
	"plain", "a b", "it's", "a#b", "#a", "what?", "x&y", "$HOME", "`id`", "é ü", "日本", "a=b", "=a", "~", "*.png", "[a]", "{a,b}", "!x",
	`back\slash`, `"quoted"`, "", "-o", "a;b", "a|b",
	"(a)", "<a>", "tab\there", "line\nend", "\x1b[31mred", "bad \xff byte", "it's\x01", "keep:p/keep.txt@shapes?n=5&noise=0.1#train",
	"zero\u200bwidth",
}

func TestQuote(t *testing.T) {
	for word, want := range map[string]string{
		"plain": "plain", "keep:k/keep.txt": "keep:k/keep.txt", "a b": "'a b'", "it's": `'it'\''s'`, "photos#1": "'photos#1'", "é": "é",
		"":    "''",
		"a=b": "a=b", "a\nb": `$'a\012b'`, "\x1b'": `$'\033\''`,
	} {
		if got := Quote(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
	for _, w := range words {
		if strings.ContainsAny(Quote(w), "\x1b\n\t\x01") || strings.IndexByte(Quote(w), 0xFF) >= 0 {
			t.Errorf("%q: %q carries control characters", w, Quote(w))
		}
	}
}

// TestQuoteInShells has shells read the words.
func TestQuoteInShells(t *testing.T) {
	for _, sh := range []string{"bash", "zsh", "sh"} {
		path, err := exec.LookPath(sh)
		if err != nil {
			continue
		}
		for _, w := range words {
			q := Quote(w)
			if sh == "sh" && strings.HasPrefix(q, "$'") {
				continue // not in every sh
			}
			out, err := exec.Command(path, "-c", "printf %s x && printf %s "+q).Output()
			if err != nil || string(out) != "x"+w {
				t.Errorf("%s reads %s as %q, not %q: %v", sh, q, out, w, err)
			}
		}
	}
}
