package data

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/lazy"
	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(Format{
		Name: "csv",
		Doc: "a table of numeric features, or a list of picture files with labels, targets or masks; of Excel, pandas, R or NumPy, " +
			".gz or not",
		Source: "https://www.rfc-editor.org/rfc/rfc4180",
		query:  []string{"label", "file", "mask", "root", "groups", "header", "task", "decimal", "missing"},
		is:     func(path string, info fs.FileInfo) bool { return !info.IsDir() && hasExt(path, ".csv", ".tsv") },
		open:   openCSV,
	})
}

// openCSV reads a table. Encoding (UTF-8, UTF-16, else Windows-1252), line ends, separator (comma, semicolon, tab, | or space, or the line
// sep=X), decimal mark and header are detected.
//
// Columns: the label (Options.LabelColumn, else a column named label, class, target or y, else the last one) or several labels or targets
// (Options.LabelColumns); a file column (Options.FileColumn, else one named file, filename, path or image) turns the table into a list of
// pictures, with a file of the class of each pixel in the column mask; a column named id gives the ids; columns that hold text and those
// of Options.GroupBy are groups; all others are features, X float32 [F], or by Options.Inputs arrays of their own, int64 [C] where all
// values are whole, else float32 [C]. True and false, yes and no are 1 and 0. Numbers of rows are no features: those that pandas or R
// write, and a first column called an id in which none comes twice. Lines that begin with # and titles above the table are left out.
//
// Labels that are text are classes, sorted. Whole numbers of at most 100 different values are classes when they are 0..K−1 (as they are)
// or at most half as many as rows (in numeric order); −100 stands for no label. All other labels are targets, Y float32 [1]. Several
// columns are Y [K]: 0 and 1 as int64, else float32. Give Options.Classes where one list must hold for several files: a file that lacks a
// class would count the others differently. Options.Task decides otherwise; see setSoft for fractions. Missing values are errors, unless
// Options.Missing says what becomes of them. Settings: ?label= &file= &mask= &root= &groups=A,B &header=true|false &task= &decimal=,|.
// &missing=drop|mean|zero.
func openCSV(spec Spec, o Options, _ int) (Dataset, error) {
	o = o.with(spec)
	f, err := openMaybeGzip(spec.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readCSV(spec.Path, f, f.size, o)
}

// readCSV reads a table of about so many bytes.
func readCSV(path string, r io.Reader, size int64, o Options) (Dataset, error) {
	if err := o.checkTask(path); err != nil {
		return nil, err
	}
	t, err := newTable(path, r, o)
	if err != nil {
		return nil, err
	}
	t.size = size
	l, err := t.layout(o)
	if err != nil {
		return nil, err
	}
	return t.read(l, o)
}

// read takes all rows.
func (t *table) read(l tableLayout, o Options) (Dataset, error) {
	m := &memory{path: t.path}
	if o.Root == "" {
		o.Root = filepath.Dir(t.path)
	}
	rows := newTableRows(t, l, o)
	if err := rows.all(m); err != nil {
		return nil, err
	}
	if l.file >= 0 {
		return newImageList(m, o.Root, rows.paths, rows.masks, o)
	}
	return m, nil
}

// all takes all rows and makes the data set of them.
func (r *tableRows) all(m *memory) (err error) {
	t, l, o := r.t, r.l, r.o
	if r.gaps, err = newGaps(t, l.labels, o.Missing); err != nil {
		return err
	}
	defer tie(t.held, m)
	for _, g := range l.groups {
		m.columns = append(m.columns, t.columns[g])
	}
	for _, c := range l.features {
		m.features = append(m.features, t.columns[c])
	}
	for {
		row, err := t.following()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if r.gaps.drop(row, l, o) {
			continue
		}
		if err := r.take(row); err != nil {
			return t.kept(err)
		}
	}
	m.n, m.groups, m.ids = r.n, r.groups, r.ids
	if err := t.held.add(4 * int64(m.n)); err != nil { // class numbers
		return t.kept(err)
	}
	if len(l.features) > 0 && !r.looks {
		if err := r.gaps.means(t, r.x, l.features); err != nil {
			return err
		}
		m.dtype, m.shape, m.raw = tensor.Float32, tensor.Shape{len(l.features)}, tensor.From(r.x, len(r.x)).Bytes()
	}
	for k, in := range l.inputs {
		if !in.text {
			if err := r.gaps.means(t, r.inputs[k].real, in.columns); err != nil {
				return err
			}
		}
		m.setField(in.name, r.inputs[k].tensor(m.n, len(in.columns)))
	}
	if err := t.identify(m, l, r.paths); err != nil {
		return err
	}
	if len(l.labels) > 0 {
		if err := t.setLabels(m, l.labels, r.labels, o); err != nil {
			return err
		}
	}
	m.notes = slices.Concat(t.notes(), r.gaps.notes(t, m.n), m.notes)
	if m.n == 0 && r.gaps.rows > 0 {
		return malformed(t.path, "", "use ?missing=mean or zero, or remove the columns without values",
			"all %d rows have missing values", r.gaps.rows)
	}
	return nil
}

// kept is an error of keeping a row, with the file where it is one of memory.
func (t *table) kept(err error) error {
	if no := refused(t.path, "", t.limits, err); no != nil {
		return no
	}
	return err
}

// identify checks that the ids differ: those of the id column, else the files, else row numbers, which are dropped when they come again.
func (t *table) identify(m *memory, l tableLayout, paths []string) error {
	if m.ids == nil {
		m.ids = paths
	}
	id, i := repeated(m.ids)
	numbers := slices.Contains(l.numbers, l.id)
	if i >= 0 && !numbers {
		return malformed(t.path, fmt.Sprintf("row %d", i), "ids and files must differ", "%q comes twice", clip(id))
	}
	if i >= 0 {
		m.ids = nil
	}
	for _, c := range l.numbers {
		use := "left out"
		switch {
		case c == l.id && i >= 0:
			use = fmt.Sprintf("left out, since %q comes twice", clip(id))
		case c == l.id:
			use = "the ids of the rows"
		}
		name := fmt.Sprintf("the column %q", t.columns[c])
		if t.columns[c] == "" {
			name = "the first column, which has no name,"
		}
		t.said = append(t.said, fmt.Sprintf("%s numbers the rows: %s, no feature", name, use))
	}
	return nil
}

// drive is the start of an absolute path of Windows.
var drive = lazy.Regexp(`^[A-Za-z]:[\\/]`)

// file is the path in column c of a row, with slashes. Backslashes are those of Windows unless a file has them in its name.
func (t *table) file(row []string, c int, root string) (string, error) {
	p := row[c]
	if strings.Contains(p, `\`) && !exists(filepath.Join(root, p)) {
		p = strings.ReplaceAll(p, `\`, "/")
	}
	if !filepath.IsLocal(filepath.FromSlash(p)) || drive().MatchString(p) {
		return "", malformed(t.path, t.place(c), "paths are relative to the root folder and stay below it", "path %q leaves the folder",
			clip(row[c]))
	}
	return p, nil
}

// inputValues is the values of one named input: whole numbers as long as all are.
type inputValues struct {
	whole []int64
	real  []float32 // takes over at the first fraction
	words []string  // of columns of text
}

// add takes the value in column c of a row.
func (v *inputValues) add(t *table, row []string, c int, g *gaps, o Options) error {
	if i, err := strconv.ParseInt(row[c], 10, 64); err == nil && v.real == nil {
		g.seen(c, float64(i))
		v.whole, err = push(t.held, v.whole, i)
		return err
	}
	f, err := t.filled(row, c, g, o)
	if err != nil {
		return err
	}
	if v.real == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		v.whole, err = push(t.held, v.whole, int64(f))
		return err
	}
	if v.real == nil {
		if v.real, err = regular.Grow(v.real, len(v.whole)+1, t.held.grow); err != nil {
			return err
		}
		for _, w := range v.whole {
			v.real = append(v.real, float32(w))
		}
		v.whole = nil
	}
	v.real, err = push(t.held, v.real, float32(f))
	return err
}

// tensor is the values [n,columns].
func (v *inputValues) tensor(n, columns int) *tensor.Tensor {
	switch {
	case v.words != nil:
		return tensor.FromStrings(v.words, n, columns)
	case v.real != nil:
		return tensor.From(v.real, n, columns)
	}
	return tensor.From(v.whole, n, columns)
}

// nan is the value of what is missing, where that is allowed.
var nan = math.NaN()
