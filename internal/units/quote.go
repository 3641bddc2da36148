package units

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Quote is a word of a command as a shell (POSIX, bash, zsh) takes it: as it is where nothing in it means anything to a shell, else in
// single quotes. Characters that are not printed become escapes of $'…', which newer shells know, so that no file name can steer a
// terminal.
func Quote(word string) string {
	plain, printed := word != "", true
	for i, r := range word {
		switch {
		case r == utf8.RuneError || !unicode.IsPrint(r):
			printed = false
		case unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_@%+:,./-", r):
		case r == '=' && i > 0: // zsh looks up =word
		default:
			plain = false
		}
	}
	switch {
	case !printed:
		return escaped(word)
	case plain:
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// escaped is $'…' with escapes for what is not printed.
func escaped(word string) string {
	var b strings.Builder
	b.WriteString("$'")
	for i := 0; i < len(word); {
		r, n := utf8.DecodeRuneInString(word[i:])
		switch {
		case r == utf8.RuneError && n == 1 || !unicode.IsPrint(r):
			for _, c := range []byte(word[i : i+n]) {
				fmt.Fprintf(&b, `\%03o`, c)
			}
		case r == '\'' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteString(word[i : i+n])
		}
		i += n
	}
	return b.String() + "'"
}
