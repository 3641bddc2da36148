package data

import (
	"math"

	"github.com/gtk-onnx/gtk/internal/regular"
)

// tableRows is what is kept of the rows of a table.
type tableRows struct {
	t      *table
	l      tableLayout
	o      Options
	gaps   *gaps
	root   string // of files
	text   texts
	n      int
	x      []float32 // [n,features]
	inputs []inputValues
	groups [][]string // values per column, of n rows each; labels too
	labels [][]string
	ids    []string
	paths  []string
	masks  []string
}

func newTableRows(t *table, l tableLayout, o Options, g *gaps, root string) *tableRows {
	return &tableRows{t: t, l: l, o: o, gaps: g, root: root, text: texts{held: t.held}, inputs: make([]inputValues, len(l.inputs)),
		groups: make([][]string, len(l.groups)), labels: make([][]string, len(l.labels))}
}

// take keeps what is needed of a row.
func (r *tableRows) take(row []string) (err error) {
	t, o := r.t, r.o
	if r.x, err = regular.Grow(r.x, len(r.l.features), t.held.grow); err != nil {
		return err
	}
	for _, c := range r.l.features {
		v, err := t.filled(row, c, r.gaps, o)
		if err != nil {
			return err
		}
		if f := float32(v); v == math.Trunc(v) && float64(f) != v && f-f == 0 {
			t.rounded[c] = true
		}
		r.x = append(r.x, float32(v))
	}
	for k, in := range r.l.inputs {
		for _, c := range in.columns {
			if err := r.inputs[k].add(t, row, c, r.gaps, o); err != nil {
				return err
			}
		}
	}
	for k, c := range r.l.groups {
		if err := r.keep(&r.groups[k], row[c], r.text.share); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		column int
		to     *[]string
	}{{r.l.file, &r.paths}, {r.l.mask, &r.masks}} {
		if f.column < 0 {
			continue
		}
		p, err := t.file(row, f.column, r.root)
		if err != nil {
			return err
		}
		if err := r.keep(f.to, p, r.text.copy); err != nil {
			return err
		}
	}
	if r.l.id >= 0 {
		if err := r.keep(&r.ids, row[r.l.id], r.text.copy); err != nil {
			return err
		}
	}
	for k, c := range r.l.labels {
		if row[c] == "" && o.Task != "multilabel" {
			return malformed(t.path, t.place(c), t.unlabelled(), "no label")
		}
		if err := r.keep(&r.labels[k], row[c], r.text.share); err != nil {
			return err
		}
	}
	r.n++
	return nil
}

// keep adds a copy of a field to a list.
func (r *tableRows) keep(list *[]string, s string, as func(string) (string, error)) error {
	s, err := as(s)
	if err != nil {
		return err
	}
	*list, err = push(r.t.held, *list, s)
	return err
}
