// Package shown makes text that came with a file, a model or a data set safe to print: names of tensors, labels, paths. Such text may hold
// anything: sequences that move the cursor, overrides of the direction of writing, line breaks that make a second message of it.
package shown

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// most is how many characters of a name are shown; of longer ones the beginning and the end.
const most, end = 120, 30

// Name is s as one word of a line: what is not to be printed is escaped as Go does, and the middle of a long name is left out.
func Name(s string) string {
	if n := utf8.RuneCountInString(s); n > most {
		r := []rune(s[:min(len(s), 4*most)])
		tail := s[max(0, len(s)-4*end):]
		t := []rune(tail)
		s = string(r[:most-end]) + "…" + string(t[max(0, len(t)-end):])
	}
	return escape(s, false)
}

// Text is s with its line breaks and tabs as they are, and the rest of what is not to be printed escaped.
func Text(s string) string { return escape(s, true) }

// escape escapes what Safe says no to.
func escape(s string, lines bool) string {
	safe := func(r rune) bool { return Safe(r) || lines && (r == '\n' || r == '\t') }
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !safe(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case safe(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

// Safe reports whether r can be printed inside a line: it is no control character, no line break, and nothing that changes the direction of
// writing or hides.
func Safe(r rune) bool {
	switch {
	case r == 0x200C || r == 0x200D: // joiners, which words of some scripts and emoji have
		return true
	case unicode.Is(unicode.C, r), r == 0x2028, r == 0x2029: // control, format, private use, surrogates
		return false
	}
	return true
}
