package data

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(Format{
		Name: "csv", Doc: "a table of numeric features, or a list of picture files, with labels or targets; .gz or not",
		Source: "https://www.rfc-editor.org/rfc/rfc4180",
		query:  []string{"label", "file", "root", "groups", "header", "task"},
		is:     func(path string, info fs.FileInfo) bool { return !info.IsDir() && hasExt(path, ".csv", ".tsv") },
		open:   openCSV,
	})
}

// maxColumns bounds the width of a table.
const maxColumns = 1 << 16

// table is a csv file as it is read: the header and what each column is.
type table struct {
	path    string
	columns []string // names; "0", "1", … without header
	header  bool
	line    int // of the row that was read last
	rows    *csv.Reader
	first   []string // first data row, read ahead
	pending []string // the row after it, where the search for a header has read it
	ahead   int      // line of pending
	begun   bool     // first was given out
	opening int      // line of first
	classes []string // from the preamble of scikit-learn's files
}

// openCSV reads a table. The separator (comma, semicolon, tab, | or space) and the header are detected.
//
// Columns: the label (Options.LabelColumn, else a column named label, class, target or y, else the last one); a file column
// (Options.FileColumn, else one named file, filename, path or image) turns the table into a list of pictures;
// a column named id gives the ids; columns that are text in the first row and those of Options.GroupBy are groups;
// all others are features, X float32 [F].
//
// Labels that are text are classes, sorted. Integers of at most 100 different values are classes when they are 0..K−1 (as they are) or
// at most half as many as rows (in numeric order). All other labels are targets, Y float32 [1]. Give Options.Classes where
// one list must hold for several files: a file that lacks a class would count the others differently.
// Settings: ?label= &file= &root= &groups=A,B &header=true|false &task=classification|regression.
func openCSV(spec Spec, o Options, _ int) (Dataset, error) {
	for k, v := range spec.Query {
		switch s := v[0]; k {
		case "label":
			o.LabelColumn = s
		case "file":
			o.FileColumn = s
		case "root":
			o.Root = s
		case "groups":
			o.GroupBy = strings.Split(s, ",")
		case "header":
			o.Header = s
		case "task":
			o.Task = s
		}
	}
	f, err := openMaybeGzip(spec.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readCSV(spec.Path, f, o)
}

func readCSV(path string, r io.Reader, o Options) (Dataset, error) {
	if o.Task != "" && o.Task != "classification" && o.Task != "regression" {
		return nil, malformed(path, "", didYouMean(o.Task, []string{"classification", "regression"}), "no task %q", o.Task)
	}
	limited := &limitedReader{r: r, left: o.Limits.bytes()}
	t, err := newTable(path, limited, o.Header)
	if err != nil {
		return nil, err
	}
	l, err := t.layout(o)
	if err != nil {
		return nil, err
	}
	return t.read(l, o)
}

// limitedReader fails with errTooLarge after so many bytes.
type limitedReader struct {
	r    io.Reader
	left int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLarge
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// separator guesses the separator of a line.
func separator(line string) rune {
	best, count := ',', 0
	for _, c := range ",;\t|" {
		if n := strings.Count(line, string(c)); n > count {
			best, count = c, n
		}
	}
	if count == 0 && strings.Contains(strings.TrimSpace(line), " ") {
		return ' '
	}
	return best
}

// newTable detects separator and header.
func newTable(path string, r io.Reader, header string) (*table, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	if bom, _ := b.Peek(3); string(bom) == "\uFEFF" {
		_, _ = b.Discard(3) // they are in the buffer
	}
	head, err := b.Peek(1 << 14)
	if len(head) == 0 {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, &FormatError{Path: path, Problem: "cannot read the table", Err: err, Remedy: "fetch the file again"}
		}
		return nil, malformed(path, "", "need at least one row", "empty file")
	}
	line, _, _ := strings.Cut(string(head), "\n")
	t := &table{path: path, rows: csv.NewReader(b)}
	t.rows.Comma = separator(line)
	t.rows.FieldsPerRecord = -1
	t.rows.TrimLeadingSpace = t.rows.Comma != '\t'
	t.rows.LazyQuotes = t.rows.Comma == ' '
	row, err := t.next()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, malformed(path, "", "need at least one row", "no rows")
		}
		return nil, err
	}
	t.opening = t.line
	switch header {
	case "":
		second, err := t.next()
		switch {
		case errors.Is(err, io.EOF):
			t.header = isHeader(row, nil)
		case err != nil:
			return nil, err
		case t.preamble(row, second):
			row = second
		case isHeader(row, second):
			t.header, t.first = true, second
		default:
			t.pending = second
		}
	case "true":
		t.header = true
	case "false":
	default:
		return nil, malformed(path, "", "need true or false", "header %q", header)
	}
	if len(row) > maxColumns {
		return nil, malformed(path, "line 1", "split the table", "%d columns, at most %d", len(row), maxColumns)
	}
	if t.header {
		t.columns = slices.Clone(row)
		if name, i := repeated(t.columns); i >= 0 {
			return nil, malformed(path, fmt.Sprintf("line 1, column %d", i), "rename one of them", "two columns are named %q", clip(name))
		}
	} else {
		t.first = row
		for i := range row {
			t.columns = append(t.columns, strconv.Itoa(i))
		}
	}
	return t, nil
}

// preamble recognises the first row of scikit-learn's bundled tables: rows, features, class names.
func (t *table) preamble(row, second []string) bool {
	if len(row) < 3 || len(row) == len(second) && !isNumber(second[len(second)-1]) {
		return false
	}
	_, errN := strconv.Atoi(row[0])
	features, errF := strconv.Atoi(row[1])
	if errN != nil || errF != nil || features+1 != len(second) || slices.ContainsFunc(row[2:], isNumber) {
		return false
	}
	t.classes = slices.Clone(row[2:])
	return true
}

// next is the next row; io.EOF at the end. With spaces as separator, repeated ones count once.
func (t *table) next() ([]string, error) {
	row, err := t.rows.Read()
	if err == nil {
		t.line, _ = t.rows.FieldPos(0)
		if t.rows.Comma == ' ' {
			row = slices.DeleteFunc(row, func(s string) bool { return s == "" })
		}
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		return row, nil
	}
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, io.EOF
	}
	var p *csv.ParseError
	if errors.As(err, &p) {
		return nil, &FormatError{Path: t.path, Place: fmt.Sprintf("line %d, column %d", p.Line, p.Column), Problem: "malformed row", Err: p.Err, Remedy: "check the quotes of this row"}
	}
	if errors.Is(err, errTooLarge) {
		return nil, malformed(t.path, "", "raise the limit or split the table", "over the limit of bytes")
	}
	return nil, &FormatError{Path: t.path, Place: fmt.Sprintf("after line %d", t.line), Problem: "cannot read further", Err: err, Remedy: "the file is damaged or cut short; fetch it again"}
}

// following is the next data row, those that were read ahead first.
func (t *table) following() ([]string, error) {
	line := t.line
	switch {
	case !t.begun && t.first != nil:
		t.begun = true
		if t.pending != nil {
			t.ahead, t.line = line, t.opening
		}
		return t.first, nil
	case t.pending != nil:
		row := t.pending
		t.pending, t.line = nil, t.ahead
		return row, nil
	}
	return t.next()
}

// isHeader reports whether row names the columns of a table whose next row is second: a column is text above a number,
// or all is text with a usual name in it.
func isHeader(row, second []string) bool {
	for i, s := range row {
		if i < len(second) && !isNumber(s) && isNumber(second[i]) {
			return true
		}
	}
	usual := []string{"id", "file", "filename", "path", "image", "label", "class", "target", "y"}
	return !slices.ContainsFunc(row, isNumber) && slices.ContainsFunc(row, func(s string) bool { return slices.Contains(usual, strings.ToLower(s)) })
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// columnNamed is the index of the column that a name or a 0-based number means.
func (t *table) columnNamed(what, name string) (int, error) {
	if i := slices.Index(t.columns, name); i >= 0 {
		return i, nil
	}
	if i, err := strconv.Atoi(name); err == nil && i >= -len(t.columns) && i < len(t.columns) {
		return (i + len(t.columns)) % len(t.columns), nil
	}
	names := t.columns
	remedy := didYouMean(name, names)
	if !t.header {
		remedy = fmt.Sprintf("the table has no header; columns are 0 to %d", len(names)-1)
	}
	return 0, malformed(t.path, "", remedy, "no %s column %q", what, name)
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

// tableLayout says what each column is; -1 is none.
type tableLayout struct {
	label, file, id  int
	features, groups []int
}

// layout assigns the columns by options, names and the first row.
func (t *table) layout(o Options) (l tableLayout, err error) {
	l.id = t.columnOf("id")
	l.file = t.columnOf("file", "filename", "path", "image")
	if o.FileColumn != "" {
		if l.file, err = t.columnNamed("file", o.FileColumn); err != nil {
			return l, err
		}
	}
	l.label = t.columnOf("label", "class", "target", "y")
	switch {
	case o.LabelColumn == "none":
		l.label = -1
	case o.LabelColumn != "":
		if l.label, err = t.columnNamed("label", o.LabelColumn); err != nil {
			return l, err
		}
	case l.label < 0 && l.file < 0 && len(t.columns) > 1:
		l.label = len(t.columns) - 1
	}
	if l.id == l.label || l.id == l.file {
		l.id = -1
	}
	isGroup := map[int]bool{}
	for _, g := range o.GroupBy {
		i, err := t.columnNamed("group", g)
		if err != nil {
			return l, err
		}
		isGroup[i] = true
	}
	for i := range t.columns {
		text := i < len(t.first) && !isNumber(t.first[i]) && t.first[i] != ""
		switch {
		case isGroup[i] || i != l.label && i != l.file && i != l.id && (text || l.file >= 0):
			l.groups = append(l.groups, i)
		case i != l.label && i != l.file && i != l.id:
			l.features = append(l.features, i)
		}
	}
	if l.file < 0 && len(l.features) == 0 {
		return l, malformed(t.path, "", "name the label column, or the column of picture files", "no numeric feature columns among %s", clip(strings.Join(t.columns, ", ")))
	}
	return l, nil
}

// read takes all rows.
func (t *table) read(l tableLayout, o Options) (Dataset, error) {
	m := &memory{path: t.path, dtype: tensor.Float32, shape: tensor.Shape{len(l.features)}}
	var x []float32
	var labels, paths []string
	intern := map[string]string{}
	keep := func(s string) string {
		if k, ok := intern[s]; ok {
			return k
		}
		s = strings.Clone(s)
		intern[s] = s
		return s
	}
	for _, g := range l.groups {
		m.columns = append(m.columns, t.columns[g])
	}
	m.groups = make([][]string, len(l.groups))
	for {
		row, err := t.following()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		place := fmt.Sprintf("line %d", t.line)
		if len(row) != len(t.columns) {
			return nil, malformed(t.path, place, "every row needs the same number of columns", "%d columns where the table has %d", len(row), len(t.columns))
		}
		for _, c := range l.features {
			v, err := t.number(row, c, o)
			if err != nil {
				return nil, err
			}
			x = append(x, float32(v))
		}
		for k, c := range l.groups {
			m.groups[k] = append(m.groups[k], keep(row[c]))
		}
		if l.file >= 0 {
			p := filepath.FromSlash(row[l.file])
			if !filepath.IsLocal(p) {
				return nil, malformed(t.path, fmt.Sprintf("%s, column %s", place, t.columns[l.file]), "paths are relative to the root folder and stay below it", "path %q leaves the folder", clip(row[l.file]))
			}
			paths = append(paths, strings.Clone(row[l.file]))
		}
		if l.id >= 0 {
			m.ids = append(m.ids, strings.Clone(row[l.id]))
		}
		if l.label >= 0 {
			if row[l.label] == "" {
				return nil, malformed(t.path, fmt.Sprintf("%s, column %s", place, t.columns[l.label]), "remove the row or fill the label in", "no label")
			}
			labels = append(labels, keep(row[l.label]))
		}
		m.n++
	}
	m.raw = tensor.From(x, len(x)).Bytes()
	if m.ids == nil {
		m.ids = paths
	}
	if id, i := repeated(m.ids); i >= 0 {
		return nil, malformed(t.path, fmt.Sprintf("row %d", i), "ids and files must differ", "%q comes twice", clip(id))
	}
	if l.label >= 0 {
		if err := t.setLabels(m, labels, t.columns[l.label], o); err != nil {
			return nil, err
		}
	}
	if l.file >= 0 {
		root := o.Root
		if root == "" {
			root = filepath.Dir(t.path)
		}
		return &imageList{memory: m, root: root, paths: paths, limits: o.Limits}, nil
	}
	return m, nil
}

func (t *table) number(row []string, c int, o Options) (float64, error) {
	place := func() string { return fmt.Sprintf("line %d, column %s", t.line, clip(t.columns[c])) }
	if row[c] == "" {
		return 0, malformed(t.path, place(), "fill the value in or remove the row", "missing value")
	}
	v, err := strconv.ParseFloat(row[c], 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, malformed(t.path, place(), "the column is numeric in the first row; correct the value", "%q is not a number", clip(row[c]))
	}
	if f := float64(float32(v)); f-f != 0 && !o.AllowNonFinite {
		return 0, malformed(t.path, place(), "remove or replace the value", "%q is not a finite float32", clip(row[c]))
	}
	return v, nil
}

// setLabels decides between classes and targets.
func (t *table) setLabels(m *memory, labels []string, column string, o Options) error {
	distinct := map[string]int{}
	allInt, allNumber, low, high := true, true, math.MaxInt, math.MinInt
	for _, s := range labels {
		if _, ok := distinct[s]; ok {
			continue
		}
		distinct[s] = 0
		if v, err := strconv.Atoi(s); err == nil {
			low, high = min(low, v), max(high, v)
		} else {
			allInt = false
			allNumber = allNumber && isNumber(s)
		}
	}
	counting := low == 0 && high == len(distinct)-1
	classes := !allNumber || allInt && len(distinct) <= 100 && (counting || len(distinct) <= max(2, len(labels)/2))
	if o.Task != "" {
		classes = o.Task == "classification"
	}
	if o.Classes != nil && o.Task == "" && allInt {
		classes = true
	}
	if !classes {
		y := make([]float32, len(labels))
		for i, s := range labels {
			v, err := strconv.ParseFloat(s, 64)
			if f := float64(float32(v)); err != nil || f-f != 0 && !o.AllowNonFinite {
				return malformed(t.path, fmt.Sprintf("row %d, column %s", i, column), "targets are finite numbers", "target %q", clip(s))
			}
			y[i] = float32(v)
		}
		m.y = tensor.From(y, len(y), 1)
		return nil
	}
	m.labels = make([]int32, len(labels))
	if len(labels) == 0 {
		m.classes = o.Classes
		return nil
	}
	given := o.Classes
	if given == nil {
		given = t.classes
	}
	direct := allInt && low >= 0 && (given != nil && !slices.Contains(given, labels[0]) || given == nil && low == 0 && high < len(distinct)+(len(distinct)+1)/2)
	if direct {
		if given != nil && high >= len(given) {
			i := slices.Index(labels, strconv.Itoa(high))
			return malformed(t.path, fmt.Sprintf("row %d, column %s", i, column), "give the class list of this data", "label %d is out of range: %d classes are given", high, len(given))
		}
		for i, s := range labels {
			v, _ := strconv.Atoi(s) // allInt
			m.labels[i] = int32(v)
		}
		var err error
		m.classes, err = numberedClasses(t.path, high, given)
		return err
	}
	names := sortedLabels(distinct, allInt)
	if given != nil {
		for i, n := range names {
			c, err := classIndex(t.path, "column "+column, n, given)
			if err != nil {
				return err
			}
			distinct[names[i]] = c
		}
		m.classes = given
	} else {
		for i, n := range names {
			distinct[n] = i
		}
		m.classes = names
	}
	for i, s := range labels {
		m.labels[i] = int32(distinct[s])
	}
	return nil
}

func sortedLabels(set map[string]int, numeric bool) []string {
	names := make([]string, 0, len(set))
	for n := range set {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int {
		if numeric {
			x, _ := strconv.Atoi(a)
			y, _ := strconv.Atoi(b)
			if x != y {
				return x - y
			}
		}
		return strings.Compare(a, b)
	})
	return names
}

// imageList is a csv that names picture files.
type imageList struct {
	*memory
	root   string
	paths  []string
	limits Limits
}

func (l *imageList) File(i int) string { return filepath.Join(l.root, filepath.FromSlash(l.paths[i])) }

func (l *imageList) Example(i int) (Example, error) {
	e, err := l.memory.Example(i)
	if err != nil {
		return e, err
	}
	e.Picture = true
	e.X, err = loadPicture(l.File(i), l.limits)
	return e, err
}
