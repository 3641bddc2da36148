package data

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

// utf16Of is s as UTF-16.
func utf16Of(s string, order binary.AppendByteOrder) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

// TestCSVOfSpreadsheets writes one table in the ways of spreadsheets and statistics programs and expects the same numbers and classes.
func TestCSVOfSpreadsheets(t *testing.T) {
	values := [][2]float32{{1.25, -0.5}, {0.75, 3}, {-2.5, 1e-3}, {12.5, 7.125}}
	class := []string{"für", "wider", "für", "wider"}
	table := func(sep, mark, end string) string {
		var b strings.Builder
		b.WriteString("Länge" + sep + "Höhe" + sep + "class" + end)
		for i, v := range values {
			b.WriteString(strings.ReplaceAll(fmt.Sprintf("%.4f %.4f", v[0], v[1]), ".", mark) + " " + class[i] + end)
		}
		return strings.ReplaceAll(b.String(), " ", sep)
	}
	latin := func(s string) string { return must(charmap.Windows1252.NewEncoder().String(s))(t) }
	const crlf = "\r\n"
	point := table(";", ".", "\n")
	for name, text := range map[string]string{
		"decimal comma, semicolons": table(";", ",", crlf),
		"decimal comma, tabs":       table("\t", ",", crlf),
		"decimal comma, bars":       table("|", ",", "\n"),
		"decimal comma, blanks":     table("  ", ",", "\n"),
		"sep=":                      "sep=;" + crlf + table(";", ",", crlf),
		"sep= quoted":               "\"sep=|\"\n" + table("|", ".", "\n"),
		"sep= unusual":              "SEP=~\n" + table("~", ".", "\n"),
		"sep= tab":                  "sep=\t\r\n" + table("\t", ".", crlf),
		"sep= and mark":             "\uFEFFsep=;" + crlf + table(";", ",", crlf),
		"utf-16 le":                 string(utf16Of("\uFEFF"+table("\t", ",", crlf), binary.LittleEndian)),
		"utf-16 be":                 string(utf16Of("\uFEFF"+table(";", ".", "\n"), binary.BigEndian)),
		"utf-16 le without mark":    string(utf16Of(table("\t", ".", crlf), binary.LittleEndian)),
		"utf-16 be without mark":    string(utf16Of(table(";", ",", crlf), binary.BigEndian)),
		"windows-1252":              latin(table(";", ",", crlf)),
		"macintosh":                 table(",", ".", "\r"),
		"macintosh, quotes":         strings.ReplaceAll(table(",", ".", "\r"), "Höhe", "\"Höhe, in\rcm\""),
		"blank lines at the end":    point + "\n\r\n  \n",
		"blank lines between":       strings.ReplaceAll(point, "\n", "\n\n"),
		"rows of separators":        point + ";;\n;;\n",
		"separators at the end":     strings.ReplaceAll(point, "\n", ";;;\n"),
		"only below the header":     strings.Replace(strings.ReplaceAll(point, "\n", ";\n"), ";\n", "\n", 1),
		"header with quoted ;":      strings.ReplaceAll(table(",", ".", "\n"), "Länge", "\"Länge; in cm; außen\""),
		"header with quoted ,":      strings.ReplaceAll(point, "Länge", "\"Länge, in cm, außen, oben\""),
		"comment sign":              "# " + point,
		"row names of R": "\"Länge\" \"Höhe\" \"class\"\n\"1\" 1.25 -.5 \"für\"\n\"2\" .75 3 \"wider\"\n\"3\" -2.5 1e-3 " +
			"\"für\"\n\"4\" 12.5 7.125 \"wider\"\n",
	} {
		for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
			ds, err := readCSV("t.csv", r, 0, Options{})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				break
			}
			if ds.Len() != 4 || !slices.Equal(ds.Classes(), []string{"für", "wider"}) {
				t.Errorf("%s: %d examples of %q", name, ds.Len(), ds.Classes())
				break
			}
			for i, v := range values {
				e := must(ds.Example(i))(t)
				if !slices.Equal(e.X.F32(), v[:]) || e.Label != i%2 {
					t.Errorf("%s: row %d is %v, label %d", name, i, e.X.F32(), e.Label)
				}
			}
		}
	}
}
