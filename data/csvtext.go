package data

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// textHead is how much of a text is looked at to learn its encoding, line ends and separator.
const textHead = 1 << 16

// text is a file of characters as UTF-8 with line feeds, whatever it was written as.
type text struct {
	*bufio.Reader
	legacy *sniffer // decides between UTF-8 and Windows-1252
	utf16  bool
}

// newText recognises UTF-8 and UTF-16 with and without byte order mark; a file that is neither is Windows-1252, which contains Latin-1.
func newText(r io.Reader) *text {
	b := bufio.NewReaderSize(r, textHead)
	head, _ := b.Peek(textHead) // an error comes again when the text is read
	t := &text{legacy: &sniffer{}}
	var decode transform.Transformer = t.legacy
	switch order := utf16Order(head); {
	case bytes.HasPrefix(head, []byte("\xEF\xBB\xBF")):
		_, _ = b.Discard(3) // they are in the buffer
	case bytes.HasPrefix(head, []byte("\xFF\xFE")) || bytes.HasPrefix(head, []byte("\xFE\xFF")):
		t.utf16, decode = true, unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder()
	case order != nil:
		t.utf16, decode = true, unicode.UTF16(*order, unicode.IgnoreBOM).NewDecoder()
	}
	t.Reader = bufio.NewReaderSize(transform.NewReader(b, decode), textHead)
	if head, _ := t.Peek(textHead); carriageReturns(head) {
		t.Reader = bufio.NewReaderSize(transform.NewReader(t.Reader, lineFeeds{}), textHead)
	}
	return t
}

// notes says which encoding was found where it is not the usual one.
func (t *text) notes() []string {
	if t.legacy.mode == legacyText {
		return []string{"the file is not UTF-8: read as Windows-1252 (Latin-1)"}
	}
	return nil
}

// utf16Order finds UTF-16 without a byte order mark: every second byte of mostly European text is zero.
func utf16Order(head []byte) *unicode.Endianness {
	var zero [2]int
	for i, c := range head {
		if c == 0 {
			zero[i&1]++
		}
	}
	pairs := len(head) / 2
	switch {
	case pairs < 2:
	case zero[1] > pairs/2 && zero[0] <= pairs/50:
		return new(unicode.LittleEndian)
	case zero[0] > pairs/2 && zero[1] <= pairs/50:
		return new(unicode.BigEndian)
	}
	return nil
}

// errEncoding is the error of a text that is UTF-8 at first and then is not.
var errEncoding = errors.New("the text is UTF-8 in one place and is not in another")

const (
	plainText  = iota // only ASCII so far
	utf8Text          // the first other character was valid UTF-8
	legacyText        // and here it was not
)

// sniffer passes UTF-8 on and turns Windows-1252 into it; the first character that is not ASCII decides.
type sniffer struct{ mode int }

func (s *sniffer) Reset() {}

func (s *sniffer) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		if s.mode == legacyText {
			d, n, err := charmap.Windows1252.NewDecoder().Transform(dst[nDst:], src[nSrc:], atEOF)
			return nDst + d, nSrc + n, err
		}
		if src[nSrc] < utf8.RuneSelf {
			if nDst == len(dst) {
				return nDst, nSrc, transform.ErrShortDst
			}
			dst[nDst] = src[nSrc]
			nDst, nSrc = nDst+1, nSrc+1
			continue
		}
		if !atEOF && !utf8.FullRune(src[nSrc:]) {
			return nDst, nSrc, transform.ErrShortSrc
		}
		r, size := utf8.DecodeRune(src[nSrc:])
		bad := r == utf8.RuneError && size == 1
		switch {
		case bad && s.mode == utf8Text:
			return nDst, nSrc, errEncoding
		case bad:
			s.mode = legacyText
			continue
		case nDst+size > len(dst):
			return nDst, nSrc, transform.ErrShortDst
		}
		s.mode = utf8Text
		copy(dst[nDst:], src[nSrc:nSrc+size])
		nDst, nSrc = nDst+size, nSrc+size
	}
	return nDst, nSrc, nil
}

// carriageReturns reports whether the first line ends in a carriage return alone, as old Macintosh programs write.
func carriageReturns(head []byte) bool {
	quoted := false
	for i, c := range head {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '\n':
			return false
		case c == '\r':
			return i+1 == len(head) || head[i+1] != '\n'
		}
	}
	return false
}

// lineFeeds makes line feeds of carriage returns.
type lineFeeds struct{ transform.NopResetter }

func (lineFeeds) Transform(dst, src []byte, _ bool) (nDst, nSrc int, err error) {
	n := copy(dst, src)
	for i, c := range dst[:n] {
		if c == '\r' {
			dst[i] = '\n'
		}
	}
	if n < len(src) {
		err = transform.ErrShortDst
	}
	return n, n, err
}

// separators a table may have, the likelier first among equals.
const separators = ",;\t| "

// sepLine takes the line sep=X off the front of a text, with which Excel is told the separator; 0 when there is none.
func (t *text) sepLine() rune {
	head, _ := t.Peek(16)
	line, _, _ := bytes.Cut(head, []byte("\n"))
	s := strings.Trim(string(bytes.TrimRight(line, "\r")), `"`)
	if len(s) < 5 || !strings.EqualFold(s[:4], "sep=") {
		return 0
	}
	sep, size := utf8.DecodeRuneInString(s[4:])
	if len(s) != 4+size || sep == utf8.RuneError {
		return 0
	}
	_, _ = t.Discard(min(len(line)+1, len(head)))
	return sep
}

// unquotedLines is the whole lines at the start of a text, without what stands between quotes; the first line may be cut short.
func unquotedLines(head []byte, most int) [][]byte {
	var lines [][]byte
	var line []byte
	quoted := false
	for _, c := range head {
		switch {
		case c == '"':
			quoted = !quoted
			line = append(line, c)
		case quoted:
		case c == '\n':
			if len(bytes.TrimSpace(line)) > 0 {
				lines = append(lines, bytes.TrimRight(line, "\r"))
			}
			line = nil
			if len(lines) == most {
				return lines
			}
		default:
			line = append(line, c)
		}
	}
	if len(bytes.TrimSpace(line)) > 0 && (len(lines) == 0 || len(head) < textHead) {
		lines = append(lines, line)
	}
	return lines
}

// separator finds the separator of a table from its first lines: the one that divides most lines into the same number of fields, and
// among those the one that leaves most numbers.
func separator(head []byte) rune {
	lines := unquotedLines(head, 64)
	best, bestScore := ',', 0.0
	for _, c := range separators {
		times := map[int]int{} // lines by number of fields
		fields, numbers := 0, 0
		for i, l := range lines {
			list := bytes.Split(l, []byte(string(c)))
			if c == ' ' {
				list = bytes.Fields(l)
			}
			times[len(list)]++
			if i == 0 && len(lines) > 1 {
				continue // perhaps a header
			}
			fields += len(list)
			for _, f := range list {
				s := strings.TrimSpace(string(f))
				if isNumber(s) || c != ',' && (decimalComma(s) || thousands().MatchString(s)) {
					numbers++
				}
			}
		}
		agree := 0
		for n, lines := range times {
			if n > 1 {
				agree = max(agree, lines)
			}
		}
		share := float64(agree) / float64(max(1, len(lines)))
		score := share + float64(numbers)/float64(max(1, fields))
		if agree == 0 || c == ' ' && (share <= 0.5 || score <= bestScore+0.1) {
			continue // blanks stand in texts too
		}
		if score > bestScore {
			best, bestScore = c, score
		}
	}
	return best
}
