package job

import (
	"encoding/csv"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// labelsOfLines reads one name a line. Where all lines begin with a number and these are 0 to K−1, they are the numbers of the classes.
func labelsOfLines(text string) ([]string, error) {
	var labels []string
	names := map[int]string{}
	counted := true // all lines are a number and a name
	first := -1
	for line := range strings.Lines(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")) {
		line = strings.TrimSpace(line)
		if id, name, ok := strings.Cut(line, " "); ok && isWordNetID(id) {
			line = strings.TrimSpace(name)
		}
		labels = append(labels, line)
		n, name, ok := numberedLine(line)
		if !ok {
			counted = false
			continue
		}
		if _, twice := names[n]; twice {
			counted = false
		}
		if names[n] = name; first < 0 || n < first {
			first = n
		}
	}
	if !counted {
		return labels, nil
	}
	if first == 1 && len(names) > 1 {
		if _, ok := names[len(names)]; ok {
			return nil, fmt.Errorf("the lines are numbered 1 to %d; classes are counted from 0: number them so, or leave the numbers out",
				len(names))
		}
	}
	if byNumber, err := numbered(names); err == nil {
		return byNumber, nil
	}
	return labels, nil // such as names of years
}

// numberedLine is the number and the name of "0 cat", "0: cat", "0. cat", "0,cat" or "0 tab cat".
func numberedLine(line string) (n int, name string, ok bool) {
	digits := len(line) - len(strings.TrimLeft(line, "0123456789"))
	rest := line[digits:]
	n, err := strconv.Atoi(line[:digits])
	if err != nil || rest == "" || !strings.ContainsRune(" \t:.,;=)", rune(rest[0])) {
		return 0, "", false
	}
	name = strings.TrimSpace(strings.TrimLeft(rest, " \t:.,;=)"))
	return n, name, name != ""
}

// isWordNetID reports whether s is n and eight digits.
func isWordNetID(s string) bool {
	if len(s) != 9 || s[0] != 'n' {
		return false
	}
	return strings.Trim(s[1:], "0123456789") == ""
}

// isTable reports whether path is called as a csv is.
func isTable(path string) bool {
	ext := strings.ToLower(filepath.Ext(path))
	return ext == ".csv" || ext == ".tsv"
}

// nameColumns and numberColumns are usual headings.
var (
	nameColumns   = []string{"name", "label", "class", "class_name", "classname", "display_name", "category", "title"}
	numberColumns = []string{"id", "index", "idx", "number", "class_id", "class_index", "label_id", "category_id"}
)

// labelsOfTable reads a csv: names in a column, numbers in another or the order of the rows.
func labelsOfTable(text string) ([]string, error) {
	r := csv.NewReader(strings.NewReader(text))
	first, _, _ := strings.Cut(text, "\n")
	for _, sep := range ",;\t" {
		if strings.ContainsRune(first, sep) {
			r.Comma = sep
			break
		}
	}
	r.TrimLeadingSpace = true
	rows, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	head := make([]string, len(rows[0]))
	for i, h := range rows[0] {
		head[i] = strings.ToLower(strings.TrimSpace(h))
	}
	named := func(usual []string) int {
		for _, u := range usual {
			if i := slices.Index(head, u); i >= 0 {
				return i
			}
		}
		return -1
	}
	name, number := named(nameColumns), named(numberColumns)
	headed := name >= 0 || number >= 0
	for c := range head { // a column of 0 to K−1 is that of the numbers, below a heading of another name or none
		switch {
		case number >= 0 || c == name:
		case headed && counts(rows[1:], c), counts(rows, c):
			number = c
		case !headed && counts(rows[1:], c):
			number, headed = c, true
		}
	}
	if headed {
		rows = rows[1:]
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("the table has no rows")
	}
	if left := len(head) - b2i(number >= 0); name < 0 && left == 1 {
		name = (number + 1) % len(head) // the other one
	} else if name < 0 && left == 2 && number < 0 && isWordNetID(strings.TrimSpace(rows[0][0])) {
		name = 1
	}
	if name < 0 {
		return nil, fmt.Errorf("which column has the names of the classes is not clear from %q: call it name", strings.Join(head, ","))
	}
	names := map[int]string{}
	for i, row := range rows {
		n := i
		if number >= 0 {
			if n, err = strconv.Atoi(strings.TrimSpace(row[number])); err != nil {
				return nil, fmt.Errorf("row %d: %q is not the number of a class", i, row[number])
			}
			if _, twice := names[n]; twice {
				return nil, fmt.Errorf("the number %d comes twice", n)
			}
		}
		names[n] = strings.TrimSpace(row[name])
	}
	return numbered(names)
}

// counts reports whether column c has the numbers 0 to K−1, each once.
func counts(rows [][]string, c int) bool {
	seen := map[int]string{}
	for _, r := range rows {
		n, err := strconv.Atoi(strings.TrimSpace(r[c]))
		if err != nil {
			return false
		}
		seen[n] = ""
	}
	_, err := numbered(seen)
	return err == nil && len(rows) > 0 && len(seen) == len(rows)
}
