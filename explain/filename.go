package explain

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxPart is how long one part of a file name may be, in bytes. Three parts and what follows them fit into the 255 bytes of a name.
const maxPart = 64

// FileName joins parts with dots to a file name without an extension. Letters of all scripts stay; what a file system of Unix, macOS or
// Windows refuses becomes _: separators, : * ? " < > |, control characters and bytes that are no UTF-8. Dots and spaces at the ends of a
// part go, a name that Windows keeps for devices gets a _, and long parts lose their middle.
func FileName(parts ...string) string {
	var clean []string
	for _, p := range parts {
		s := strings.Map(func(r rune) rune {
			if unicode.IsControl(r) || strings.ContainsRune(`/\:*?"<>|`, r) {
				return '_'
			}
			return r
		}, norm.NFC.String(strings.ToValidUTF8(p, "_")))
		if len(s) > maxPart {
			s = middle(s, "_", func(t string) bool { return len(t) <= maxPart })
		}
		if s = strings.Trim(s, ". "); s == "" {
			s = "_"
		}
		clean = append(clean, s)
	}
	if device(clean[0]) {
		clean[0] = "_" + clean[0]
	}
	return strings.Join(clean, ".")
}

// device reports whether Windows takes a file of that name, with any extension, for a device.
//
// Source: https://learn.microsoft.com/windows/win32/fileio/naming-a-file
func device(s string) bool {
	s, _, _ = strings.Cut(strings.ToUpper(s), ".")
	switch s = strings.TrimSpace(s); s {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	if len(s) < 4 || s[:3] != "COM" && s[:3] != "LPT" {
		return false
	}
	n, size := utf8.DecodeRuneInString(s[3:])
	return len(s) == 3+size && strings.ContainsRune("0123456789¹²³", n)
}

// stem is the part of file names for an image: its file name without folder and extension, with a number when that was used before.
func (w *Writer) stem(name string) string {
	s := filepath.Base(filepath.ToSlash(name))
	if cut := strings.TrimSuffix(s, filepath.Ext(s)); cut != "" && extension(filepath.Ext(s)) {
		s = cut
	}
	return w.unique(FileName(s))
}

// extension reports whether s, which begins with a dot, is the end of a file name and not of a number or a sentence.
func extension(s string) bool {
	if len(s) < 2 || len(s) > 6 || s[1] >= '0' && s[1] <= '9' {
		return false
	}
	return strings.IndexFunc(s[1:], func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) }) < 0
}

// unique is s, with a number appended when it was given out before, also in other capitals.
func (w *Writer) unique(s string) string {
	if w.used == nil {
		w.used = map[string]bool{}
	}
	name := s
	for i := 2; w.used[strings.ToLower(name)]; i++ {
		name = fmt.Sprintf("%s-%d", s, i)
	}
	w.used[strings.ToLower(name)] = true
	return name
}
