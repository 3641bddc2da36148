// Package shown makes text that came with a file, a model or a data set safe to print: names of tensors, labels, paths. Such text may hold
// anything: sequences that move the cursor, overrides of the direction of writing, line breaks that make a second message of it.
package shown

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// most is how many characters of a name are shown; of longer ones the beginning and the end.
const most, end = 120, 30

// Name is s as one word of a line: what is not to be printed is escaped as Go does, and the middle of a long name is left out.
func Name(s string) string { return escape(cut(s, most, end), false) }

// Quote is Name in double quotes, with those inside escaped.
func Quote(s string) string {
	s = cut(s, most, end)
	if q := escape(s, false); q == s && !strings.ContainsAny(s, `"\`) {
		return `"` + s + `"`
	}
	return strconv.Quote(s)
}

// Text is s with its line breaks and tabs as they are, and the rest of what is not to be printed escaped.
func Text(s string) string { return escape(s, true) }

// Line is s as it stands in a line, line breaks and tabs escaped too. Of one of more than limit characters the middle is left out.
func Line(s string, limit int) string { return escape(cut(s, limit, limit/4), false) }

// Cut is s without its middle, where it has more than limit bytes; a quarter of what is left is its end.
func Cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	const gap = " … "
	limit = max(0, limit-len(gap))
	tail := len(s) - limit/4
	for tail < len(s) && !utf8.RuneStart(s[tail]) {
		tail++
	}
	head := limit - limit/4
	for head > 0 && !utf8.RuneStart(s[head]) {
		head--
	}
	return s[:head] + gap + s[tail:]
}

// Names are names one after the other with commas, each as by Name. Of more than limit the number of the others is told.
func Names(names []string, limit int) string { return list(names, limit, Name) }

// Quoted is Names with each name as by Quote.
func Quoted(names []string, limit int) string { return list(names, limit, Quote) }

func list(names []string, limit int, one func(string) string) string {
	var out []string
	for i, n := range names {
		if i == limit && i+1 < len(names) {
			return strings.Join(out, ", ") + " … and " + grouped(len(names)-i) + " more"
		}
		out = append(out, one(n))
	}
	return strings.Join(out, ", ")
}

// grouped is n with commas between thousands.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// cut leaves the middle out of a string of more than limit characters, of which last are its end.
func cut(s string, limit, last int) string {
	if len(s) <= limit || utf8.RuneCountInString(s) <= limit {
		return s
	}
	head, n := 0, 0
	for n < limit-last {
		_, w := utf8.DecodeRuneInString(s[head:])
		head, n = head+w, n+1
	}
	tail := len(s)
	for range last {
		_, w := utf8.DecodeLastRuneInString(s[:tail])
		tail -= w
	}
	return s[:head] + "…" + s[tail:]
}

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
	case r >= ' ' && r <= '~':
		return true
	case r == 0x200C || r == 0x200D: // joiners, which words of some scripts and emoji have
		return true
	case unicode.Is(unicode.C, r), r == 0x2028, r == 0x2029: // control, format, private use, surrogates
		return false
	}
	return true
}
