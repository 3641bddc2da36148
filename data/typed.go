package data

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/units"
)

// typed is the columns of a format that says what they hold, read as a table: texts stay texts, whatever they look like.
type typed struct {
	texts   []bool                   // by column
	classes map[int][]string         // by column: names of class numbers
	fed     string                   // what feeds the model beside the columns, as "pictures"; "" for none
	read    func() ([]string, error) // the next row, "" for what is missing; io.EOF at the end. It may be used again
	rows    int                      // that were read
}

// fed reports whether something else than columns of t feeds the model.
func (t *table) fed() bool { return t.typed != nil && t.typed.fed != "" }

// newTyped is a table of such columns, of which the first rows are read.
func newTyped(path string, names []string, in *typed, o Options) (*table, error) {
	t := &table{path: path, limits: o.Limits, held: &ledger{what: "the table " + path}, columns: names, header: true, mark: '.', typed: in,
		text: newText(strings.NewReader("")), source: &rowReader{}}
	if name, i := repeated(names); i >= 0 {
		return nil, malformed(path, "", "rename one of them", "two columns are named %q", clip(name))
	}
	for size := 0; len(t.sample) < lookAhead && size < maxSample; {
		row, err := in.next(t)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		row = append([]string(nil), row...)
		for i, s := range row {
			row[i] = strings.Clone(s)
			size += len(s) + 16
		}
		t.sample = append(t.sample, tableRow{row, t.line})
	}
	t.findFlags()
	return t, t.findIndex()
}

func (in *typed) next(t *table) ([]string, error) {
	row, err := in.read()
	if err == nil {
		t.line = in.rows
		in.rows++
	}
	return row, err
}

// setNamed takes class numbers of a column whose classes have names, negative ones for none.
func (t *table) setNamed(m *memory, column int, values *words, o Options) error {
	names := t.typed.classes[column]
	place := "column " + clip(t.columns[column])
	to := make([]int32, len(names))
	for i := range to {
		to[i] = int32(i)
	}
	m.classes = names
	if o.Classes != nil {
		m.classes = o.Classes
		for i, n := range names {
			c, err := classIndex(t.path, place, n, o.Classes)
			if to[i] = int32(c); err != nil {
				to[i] = -1
			}
		}
	}
	m.labels = make([]int32, m.n)
	for i, s := range values.rows() {
		v, err := strconv.Atoi(s)
		switch {
		case err != nil || v >= len(names):
			return malformed(t.path, fmt.Sprintf("row %d, %s", i, place), "the file names "+units.Plural(len(names), "class"),
				"class number %q", clip(s))
		case v < 0:
			m.labels[i] = -1
		case to[v] < 0:
			_, err := classIndex(t.path, fmt.Sprintf("row %d, %s", i, place), names[v], o.Classes)
			return err
		default:
			m.labels[i] = to[v]
		}
	}
	return m.checkBinary(place, o)
}
