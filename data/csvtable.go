package data

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// lookAhead is the number of rows that are read before columns are assigned.
const lookAhead = 64

// table is a csv file as it is read: the header and the rows, of which the first ones are known.
type table struct {
	path      string
	columns   []string // names; "0", "1", … without header
	header    bool
	index     []int // columns of row numbers, as pandas writes them: no features
	line      int   // of the row that was read last
	text      *text
	rows      *csv.Reader
	source    *rowReader // of rows
	size      int64      // of the file, about; 0 where it is not known
	limits    Limits
	held      *ledger
	sample    []tableRow  // the first data rows
	given     int         // rows of sample that were given out
	skipped   int         // rows without any value, behind which none came yet
	empty     int         // rows without any value in the midst of others
	mark      byte        // of decimals: '.' or ',', 0 while unknown
	classes   []string    // from the preamble of scikit-learn's files
	said      []string    // notes
	flags     []*flagPair // by column: true and false, or nil
	flagged   []bool      // by column: they were read as 0 and 1
	rounded   []bool      // by column: whole numbers were read that float32 does not hold
	guessed   bool        // nothing but its place says which column is the label
	below     int         // comments below the table
	before    int         // lines that were taken off before rows
	commented bool        // the header stood in a comment

	typed *typed // columns of another format; nil for csv
}

// tableRow is one row and the line where it begins.
type tableRow struct {
	fields []string
	line   int
}

// newTable finds encoding, separator and header, and reads the first rows.
func newTable(path string, r io.Reader, o Options) (*table, error) {
	t := &table{path: path, limits: o.Limits, held: &ledger{what: "the table " + path}}
	switch o.Decimal {
	case "":
	case ".", ",":
		t.mark = o.Decimal[0]
	default:
		return nil, malformed(path, "", "need a comma or a point", "decimal mark %q", o.Decimal)
	}
	t.text = newText(&limitedReader{r: r, left: o.Limits.bytes()})
	sep := t.text.sepLine()
	if sep != 0 {
		t.before++
	}
	comments, err := t.text.comments()
	if err != nil {
		return nil, t.broken(err)
	}
	head, err := t.text.Peek(textHead)
	if len(head) == 0 && len(comments) == 0 {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, t.broken(err)
		}
		return nil, malformed(path, "", "need at least one row", "empty file")
	}
	if what, remedy := noTable(head); what != "" {
		return nil, malformed(path, "", remedy, "%s, no table", what)
	}
	if i := bytes.IndexByte(head, 0); i >= 0 {
		return nil, malformed(path, fmt.Sprintf("offset %d", i), "need a text file: save the table as csv", "not a text: a zero byte")
	}
	if sep == 0 {
		if sep = separator(head); len(head) == 0 {
			sep = separator([]byte(strings.Join(comments, "\n")))
		}
	} else if sep == '"' || sep == '\r' || sep == '\n' || !utf8.ValidRune(sep) {
		return nil, malformed(path, "line 1", "write sep=; or another separator", "separator %q", sep)
	}
	comments, rows := divide(comments, head, sep)
	t.before += len(comments)
	t.source = &rowReader{Reader: io.MultiReader(strings.NewReader(rows), t.text), separator: []byte(string(sep))}
	t.rows = csv.NewReader(t.source)
	t.rows.Comma = sep
	t.rows.FieldsPerRecord = -1
	t.rows.TrimLeadingSpace = t.rows.Comma != '\t'
	t.rows.LazyQuotes = t.rows.Comma == ' '
	for size := int64(0); len(t.sample) < lookAhead+1 && (size < maxSample || len(t.sample) < 2); size = t.source.row {
		row, err := t.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		t.sample = append(t.sample, tableRow{row, t.line})
	}
	t.above(comments)
	if len(t.sample) == 0 {
		return nil, malformed(path, "", "need at least one row", "no rows")
	}
	return t, t.open(o.Header)
}

// open names the columns.
func (t *table) open(header string) error {
	first := t.sample[0]
	switch header {
	case "":
		if t.preamble(first.fields) {
			t.sample = t.sample[1:]
		} else {
			t.header = t.commented || t.isHeader()
		}
	case "true":
		t.header = true
	case "false":
	default:
		return malformed(t.path, "", "need true or false", "header %q", header)
	}
	if t.header {
		t.columns, t.sample = slices.Clone(first.fields), t.sample[1:]
		if t.commented {
			t.columns[0] = strings.TrimSpace(strings.TrimPrefix(t.columns[0], "#")) // numpy.savetxt
		}
		t.rowNames()
	} else {
		for i := range t.sample[0].fields {
			t.columns = append(t.columns, strconv.Itoa(i))
		}
	}
	for n := len(t.columns); n > 1 && (!t.header || t.columns[n-1] == "") && t.vacant(n-1); n-- { // Excel's empty columns
		t.columns = t.columns[:n-1]
	}
	t.sample = slices.DeleteFunc(t.sample, func(r tableRow) bool { return t.isComment(r.fields) })
	for i := range t.sample {
		t.sample[i].fields = t.cut(t.sample[i].fields)
	}
	if name, i := repeated(t.columns); i >= 0 {
		return malformed(t.path, fmt.Sprintf("line %d, column %d", first.line, i), "rename one of them", "two columns are named %q",
			clip(name))
	}
	if t.mark == 0 {
		t.mark = t.decimals()
	}
	t.findFlags()
	return t.findIndex()
}

// preamble recognises the first row of scikit-learn's bundled tables: rows, features, class names.
func (t *table) preamble(row []string) bool {
	if len(row) < 3 || len(t.sample) < 2 {
		return false
	}
	second := t.sample[1].fields
	_, errN := strconv.Atoi(row[0])
	features, errF := strconv.Atoi(row[1])
	if errN != nil || errF != nil || features+1 != len(second) || slices.ContainsFunc(row[2:], isNumber) ||
		len(row) == len(second) && !isNumber(second[len(second)-1]) {
		return false
	}
	t.classes = slices.Clone(row[2:])
	return true
}

// usualNames are what columns with a meaning are called.
var usualNames = []string{"id", "file", "filename", "path", "image", "mask", "label", "class", "target", "y"}

// isHeader reports whether the first row names the columns: in one column it is a text above a number, or there is no number in it, other
// than numbers of columns, and a usual name that does not come again.
func (t *table) isHeader() bool {
	row, rest := t.sample[0].fields, t.sample[1:]
	number := func(s string) bool {
		_, truth := flagPairs[0].of(s)
		return isNumber(s) || decimalComma(s) || truth
	}
	counts, usual := true, false
	for i, s := range row {
		if !number(s) && !missing(s) {
			for _, r := range rest {
				if i < len(r.fields) && !missing(r.fields[i]) {
					if number(r.fields[i]) {
						return true
					}
					break
				}
			}
		}
		counts = counts && (!number(s) || s == strconv.Itoa(i))
		again := func(r tableRow) bool { return i < len(r.fields) && strings.EqualFold(r.fields[i], s) }
		usual = usual || slices.Contains(usualNames, strings.ToLower(s)) && !slices.ContainsFunc(rest, again)
	}
	return counts && usual
}

// rowNames completes a header that is one name shorter than every row, as R writes it: the first column has no name.
func (t *table) rowNames() {
	shorter := func(r tableRow) bool { return len(r.fields) == len(t.columns)+1 && r.fields[len(t.columns)] != "" }
	if len(t.sample) > 0 && !slices.ContainsFunc(t.sample, func(r tableRow) bool { return !shorter(r) }) {
		t.columns = slices.Insert(t.columns, 0, "")
	}
}

// vacant reports whether column i has no value in the rows that are known.
func (t *table) vacant(i int) bool {
	return !slices.ContainsFunc(t.sample, func(r tableRow) bool { return i < len(r.fields) && r.fields[i] != "" })
}

// cut takes empty fields beyond the last column off a row: separators at the end of the line.
func (t *table) cut(row []string) []string {
	for len(row) > len(t.columns) && row[len(row)-1] == "" {
		row = row[:len(row)-1]
	}
	return row
}

// next is the next row; io.EOF at the end. With spaces as separator, repeated ones count once. Rows without any value are skipped.
func (t *table) next() ([]string, error) {
	for {
		row, err := t.rows.Read()
		if err != nil {
			return nil, t.broken(err)
		}
		t.source.next(t.rows.InputOffset())
		t.line, _ = t.rows.FieldPos(0)
		if t.line += t.before; len(row) > maxColumns {
			return nil, t.tooWide(len(row))
		}
		if t.rows.Comma == ' ' {
			row = slices.DeleteFunc(row, func(s string) bool { return s == "" })
		}
		vacant := true
		for i := range row {
			row[i] = plainField(row[i])
			vacant = vacant && row[i] == ""
		}
		if t.isComment(row) {
			continue
		}
		if vacant && (len(row) > 1 || len(t.columns) != 1) {
			t.skipped++
			continue
		}
		t.empty, t.skipped = t.empty+t.skipped, 0
		if t.columns != nil {
			row = t.cut(row)
		}
		return row, nil
	}
}

// tooWide is the error of a row of more than maxColumns fields.
func (t *table) tooWide(fields int) error {
	return malformed(t.path, fmt.Sprintf("line %d", t.line), "split the table", "%d columns, at most %d", fields, maxColumns)
}

// isComment reports whether a row is a comment among rows of more columns, and counts it.
func (t *table) isComment(row []string) bool {
	is := len(row) == 1 && len(t.columns) > 1 && strings.HasPrefix(row[0], "#")
	if is {
		t.below++
	}
	return is
}

// plainField is a field without blanks around it and without the end mark of DOS, its minus a hyphen.
func plainField(s string) string {
	s = strings.TrimSpace(strings.TrimSuffix(s, "\x1a"))
	if rest, ok := strings.CutPrefix(s, "\u2212"); ok && len(rest) > 0 &&
		(rest[0] >= '0' && rest[0] <= '9' || rest[0] == '.' || rest[0] == ',') {
		return "-" + rest
	}
	return s
}

// broken is an error of reading as one of the format; io.EOF stays.
func (t *table) broken(err error) error {
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	var p *csv.ParseError
	if no := refused(t.path, "", t.limits, err); no != nil {
		return no
	}
	place := fmt.Sprintf("after line %d", t.line)
	switch {
	case errors.As(err, &p):
		return &FormatError{Path: t.path, Place: fmt.Sprintf("line %d, column %d", t.before+p.Line, p.Column), Problem: "malformed row",
			Err: p.Err, Remedy: "check the quotes of this row"}
	case errors.Is(err, errLongRow):
		return &FormatError{Path: t.path, Place: place, Err: errLongRow,
			Remedy: "check the quotes of this row: one that does not end takes in all that follows"}
	case errors.Is(err, errFields), errors.Is(err, errComments):
		return &FormatError{Path: t.path, Place: place, Err: err, Remedy: "is it a table? if so, split it"}
	case errors.Is(err, errEncoding):
		return &FormatError{Path: t.path, Place: place, Err: errEncoding, Remedy: "save the table as UTF-8"}
	}
	return &FormatError{Path: t.path, Place: place, Problem: "cannot read further", Err: err,
		Remedy: "the file is damaged or cut short; fetch it again"}
}

// following is the next data row, those that were read ahead first; io.EOF at the end. All rows have all columns.
func (t *table) following() ([]string, error) {
	var row []string
	if t.given < len(t.sample) {
		row, t.line = t.sample[t.given].fields, t.sample[t.given].line
		t.given++
	} else if t.typed != nil {
		return t.typed.next(t)
	} else {
		var err error
		if row, err = t.next(); err != nil {
			return nil, err
		}
	}
	if len(row) != len(t.columns) {
		remedy := "every row needs the same number of columns"
		if len(row) == 1 || len(t.columns) == 1 {
			remedy += fmt.Sprintf("; the separator was taken for %q: a first line sep=; names another one", t.rows.Comma)
		}
		return nil, malformed(t.path, fmt.Sprintf("line %d", t.line), remedy, "%d columns where the table has %d", len(row),
			len(t.columns))
	}
	return row, nil
}

// place is where column c of the current row stands.
func (t *table) place(c int) string {
	if t.typed != nil {
		return fmt.Sprintf("row %d, column %s", t.line, clip(t.columns[c]))
	}
	return fmt.Sprintf("line %d, column %s", t.line, clip(t.columns[c]))
}

// notes is what is to be said of the table once it is read.
func (t *table) notes() []string {
	all := slices.Concat(t.text.notes(), t.said, t.valueNotes())
	if t.mark == ',' {
		all = append(all, "numbers are written with a decimal comma")
	}
	if t.empty > 0 {
		all = append(all, fmt.Sprintf("rows without any value are left out: %d", t.empty))
	}
	if t.below > 0 {
		all = append(all, fmt.Sprintf("%d comments among the rows are left out", t.below))
	}
	return all
}

// columnNamed is the index of the column that a name or a 0-based number means.
func (t *table) columnNamed(what, name string) (int, error) {
	if i := slices.Index(t.columns, name); i >= 0 {
		return i, nil
	}
	if i, err := strconv.Atoi(name); err == nil && i >= -len(t.columns) && i < len(t.columns) {
		return (i + len(t.columns)) % len(t.columns), nil
	}
	if s := strings.TrimSpace(strings.TrimPrefix(name, "#")); s != name { // as the header is read
		return t.columnNamed(what, s)
	}
	remedy := didYouMean(name, t.columns)
	if !t.header {
		remedy = fmt.Sprintf("the table has no header; columns are 0 to %d", len(t.columns)-1)
	}
	return 0, malformed(t.path, "", remedy, "no %s column %q", what, name)
}

// columnsNamed is the columns that a list of names means; a single column may have commas in its name.
func (t *table) columnsNamed(what string, names []string) ([]int, error) {
	var list []int
	for _, n := range names {
		i, err := t.columnNamed(what, n)
		if err == nil {
			list = append(list, i)
			continue
		}
		if !strings.Contains(n, ",") {
			return nil, err
		}
		parts, err := t.columnsNamed(what, splitNames(n))
		if err != nil {
			return nil, err
		}
		list = append(list, parts...)
	}
	for k, i := range list {
		if slices.Contains(list[:k], i) {
			return nil, malformed(t.path, "", "name each column once", "%s column %q comes twice", what, clip(t.columns[i]))
		}
	}
	return list, nil
}

// splitNames divides a list at its commas; a name with commas stands between quotes.
func splitNames(s string) []string {
	r := csv.NewReader(strings.NewReader(s))
	r.TrimLeadingSpace = true
	if names, err := r.Read(); err == nil && len(names) > 1 {
		return names
	}
	return strings.Split(s, ",")
}

// columnOf is the first column with one of the usual names, -1 for none.
func (t *table) columnOf(usual ...string) int {
	if t.header {
		for _, u := range usual {
			if i := slices.IndexFunc(t.columns, func(c string) bool { return strings.EqualFold(c, u) }); i >= 0 {
				return i
			}
		}
	}
	return -1
}
