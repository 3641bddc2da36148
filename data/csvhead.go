package data

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/lazy"
)

// comments takes the lines off the front of a text that begin with #, and the blank lines among them.
func (t *text) comments() (lines []string, err error) {
	left := maxRow
	for {
		head, _ := t.Peek(textHead) // an error comes again below
		if s := bytes.TrimLeft(head, " \t\r\n"); len(s) == 0 || s[0] != '#' {
			return lines, nil
		}
		line, err := t.line(left)
		if left -= len(line) + 16; left < 0 { // 16 for its place in the list
			return nil, errComments
		}
		lines = append(lines, strings.TrimRight(line, "\r\n"))
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
	}
}

// above finds the header among what stands above the table: the last comment where it has a name for each column and the rows have no
// header of their own, as numpy.savetxt writes it. The other comments are left out, and so are titles: rows of one field above others.
func (t *table) above(comments []string) {
	var left []int // lines
	for k, c := range comments {
		if strings.TrimSpace(c) != "" {
			left = append(left, t.before-len(comments)+k+1)
		}
	}
	for len(comments) > 0 && strings.TrimSpace(comments[len(comments)-1]) == "" {
		comments = comments[:len(comments)-1]
	}
	if len(comments) > 0 {
		header := fieldsOf(comments[len(comments)-1], t.rows.Comma)
		if len(t.sample) > 0 && len(header) == len(t.sample[0].fields) && !slices.ContainsFunc(header, isNumber) && !t.isHeader() {
			line := left[len(left)-1]
			t.sample = slices.Insert(t.sample, 0, tableRow{header, line})
			t.commented, left = true, left[:len(left)-1]
		}
	}
	if !t.commented {
		titles := t.titles()
		for _, r := range t.sample[:titles] {
			left = append(left, r.line)
		}
		t.sample = t.sample[titles:]
	}
	if len(left) > 0 {
		t.said = append(t.said, fmt.Sprintf("%s above the table: left out", theLines(left)))
	}
}

// noTable says what a text is that is often stored in the place of a table, and what to do; "" for others.
func noTable(head []byte) (what, remedy string) {
	s := strings.ToLower(string(bytes.TrimLeft(head[:min(len(head), 200)], " \t\r\n")))
	for _, k := range []struct{ prefix, what, remedy string }{
		{"version https://git-lfs", "a pointer of Git LFS", "git lfs pull fetches the file"},
		{"<!doctype html", "a web page", "fetch the file again"},
		{"<html", "a web page", "fetch the file again"},
		{"<?xml", "an XML file", "save the table as csv"},
		{"pk\x03\x04", "a zip archive, as Excel writes them", "save the sheet as csv, or unpack the archive"},
		{"{\"", "a JSON file", "save the table as csv"},
		{"[{", "a JSON file", "save the table as csv"},
	} {
		if strings.HasPrefix(s, k.prefix) {
			return k.what, k.remedy
		}
	}
	return "", ""
}

// divide gives the last lines back that are no comments but rows: they have as many fields as the first line of the table, and numbers.
func divide(lines []string, table []byte, sep rune) (comments []string, rows string) {
	if len(lines) == 0 {
		return nil, ""
	}
	first, _, _ := bytes.Cut(bytes.TrimLeft(table, "\r\n"), []byte("\n"))
	columns := len(fieldsOf(string(first), sep))
	if len(table) == 0 {
		columns = len(fieldsOf(lines[len(lines)-1], sep))
	}
	like := func(line string) bool {
		f := fieldsOf(line, sep)
		return len(f) == columns && slices.ContainsFunc(f[min(1, len(f)):], isNumber)
	}
	k := len(lines)
	for k > 0 && like(lines[k-1]) {
		k--
	}
	if len(lines)-k == 1 && len(table) > 0 { // one line may have as many by chance
		k++
	}
	if k == len(lines) {
		return lines, ""
	}
	return lines[:k], strings.Join(lines[k:], "\n") + "\n"
}

// fieldsOf is the fields of one line.
func fieldsOf(line string, sep rune) []string {
	line = strings.TrimSpace(line)
	r := csv.NewReader(strings.NewReader(line))
	r.Comma, r.LazyQuotes, r.TrimLeadingSpace = sep, true, sep != '\t'
	row, err := r.Read()
	if err != nil {
		row = strings.Split(line, string(sep))
	}
	if sep == ' ' {
		row = slices.DeleteFunc(row, func(s string) bool { return s == "" || s == "#" })
	}
	for i := range row {
		row[i] = strings.TrimSpace(row[i])
	}
	return row
}

// titles is the number of rows with at most one value above a table of more columns.
func (t *table) titles() int {
	filled := func(r tableRow) (n int) {
		for _, s := range r.fields {
			if s != "" {
				n++
			}
		}
		return n
	}
	for k, r := range t.sample {
		if filled(r) <= 1 {
			continue
		}
		rest := t.sample[k:]
		alike := 0
		for _, q := range rest {
			if len(q.fields) == len(r.fields) {
				alike++
			}
		}
		if k > 0 && k < 10 && len(rest) > 1 && alike == len(rest) && filled(r) > 2 {
			return k
		}
		return 0
	}
	return 0
}

// theLines is "line 1" or "lines 1 to 3", numbers from one on.
func theLines(lines []int) string {
	first, last := lines[0], lines[len(lines)-1]
	switch {
	case len(lines) == 1:
		return "line " + strconv.Itoa(first)
	case last-first == len(lines)-1:
		return fmt.Sprintf("lines %d to %d", first, last)
	}
	return fmt.Sprintf("%d lines from line %d on", len(lines), first)
}

var (
	// pandasName is the name that pandas gives a column without a name.
	pandasName = lazy.Regexp(`^Unnamed: \d+(\.\d+)*$`)
	// idName is a name of which id is a word: PassengerId, customerID, row_id, but not humid.
	idName = lazy.Regexp(`(^|[ _.-])[iI][dD]$|[a-z]I[dD]$`)
	// rowName is what columns are called that count.
	rowName = lazy.Regexp(`^(?i)(index|level_0|row|row[ _]?(number|num|no|nr|index)|nr|no|number|s\.?no\.?|#)$`)
)

// findIndex finds the columns that number or name the rows: the first one where it has no name, those that pandas calls Unnamed, a first
// column index, row number or the like that counts, and a first column that is called an id, in which no value comes twice.
func (t *table) findIndex() error {
	if !t.header || len(t.sample) == 0 {
		return nil
	}
	for i, name := range t.columns {
		whole, counting, text, twice := true, true, true, false
		seen := map[string]bool{}
		for k, r := range t.sample {
			if i >= len(r.fields) {
				continue
			}
			s := r.fields[i]
			v, err := strconv.Atoi(s)
			whole = whole && err == nil
			start, _ := strconv.Atoi(t.sample[0].fields[min(i, len(t.sample[0].fields)-1)])
			counting = counting && err == nil && (start == 0 || start == 1) && v == start+k
			text = text && !t.isNumber(s)
			twice = twice || seen[s] || s == ""
			seen[s] = true
		}
		first := i == len(t.index)
		switch {
		case i == 0 && name == "" && !whole && !text:
			return malformed(t.path, fmt.Sprintf("line %d", t.sample[0].line), "name it in the header, or remove it",
				"the first column has no name and is no row number: %q", clip(t.sample[0].fields[0]))
		case i == 0 && name == "", whole && pandasName().MatchString(name), first && counting && rowName().MatchString(name),
			first && !twice && (whole || text) && idName().MatchString(name) && !strings.EqualFold(name, "id"):
			t.index = append(t.index, i)
		}
	}
	return nil
}
