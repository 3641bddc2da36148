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
	text   texts
	n      int
	about  int       // rows that there may be, 0 while it is not known
	looks  bool      // features are looked at and not kept
	x      []float32 // [n,features]
	inputs []inputValues
	groups []*words // by column
	labels []*words
	ids    []string
	paths  []string
	masks  []string
	kept   []int64 // of a typed table: numbers of the rows that were taken, nil while none is left out
}

func newTableRows(t *table, l tableLayout, o Options) *tableRows {
	return &tableRows{t: t, l: l, o: o, text: texts{held: t.held}, inputs: make([]inputValues, len(l.inputs)),
		groups: columns(len(l.groups)), labels: columns(len(l.labels))}
}

// take keeps what is needed of a row.
func (r *tableRows) take(row []string) (err error) {
	t, o := r.t, r.o
	if n := len(r.l.features); cap(r.x)-len(r.x) < n && !r.looks {
		x, err := regular.Grow(r.x, max(n, n*(r.about-r.n)), t.held.grow)
		if err != nil && r.about > r.n {
			x, err = regular.Grow(r.x, n, t.held.grow)
		}
		if r.x = x; err != nil {
			return err
		}
	}
	for _, c := range r.l.features {
		v, err := t.filled(row, c, r.gaps, o)
		if err != nil {
			return err
		}
		if f := float32(v); v == math.Trunc(v) && float64(f) != v && f-f == 0 {
			t.rounded[c] = true
		}
		if r.looks {
			continue
		}
		r.x = append(r.x, float32(v))
	}
	for k, in := range r.l.inputs {
		for _, c := range in.columns {
			if in.text {
				err = r.keep(&r.inputs[k].words, row[c])
			} else {
				err = r.inputs[k].add(t, row, c, r.gaps, o)
			}
			if err != nil {
				return err
			}
		}
	}
	for k, c := range r.l.groups {
		if err := r.groups[k].add(row[c], &r.text, r.about); err != nil {
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
		p, err := t.file(row, f.column, o.Root)
		if err != nil {
			return err
		}
		if err := r.keep(f.to, p); err != nil {
			return err
		}
	}
	if r.l.id >= 0 {
		if err := r.keep(&r.ids, row[r.l.id]); err != nil {
			return err
		}
	}
	for k, c := range r.l.labels {
		if row[c] == "" && o.Task != "multilabel" {
			return malformed(t.path, t.place(c), t.unlabelled(), "no label")
		}
		if err := r.labels[k].add(row[c], &r.text, r.about); err != nil {
			return err
		}
	}
	if err := r.number(); err != nil {
		return err
	}
	if r.n++; r.n == guessed && t.typed == nil {
		r.guess()
	}
	return nil
}

// number keeps the number of a row of a typed table, once one before it was left out.
func (r *tableRows) number() (err error) {
	if r.t.typed == nil || r.kept == nil && r.t.line == r.n {
		return nil
	}
	for i := len(r.kept); i < r.n; i++ {
		if r.kept, err = push(r.t.held, r.kept, int64(i)); err != nil {
			return err
		}
	}
	r.kept, err = push(r.t.held, r.kept, int64(r.t.line))
	return err
}

// guessed is the number of rows after which it is guessed how many there are.
const guessed = 4096

// guess tells from the size of the rows so far how many there may be.
func (r *tableRows) guess() {
	if read := r.t.source.row; read > 0 {
		r.about = int(float64(r.t.size) / float64(read) * guessed * 1.02)
	}
}

// keep adds a copy of a field to a list.
func (r *tableRows) keep(list *[]string, s string) error {
	s, err := r.text.copy(s)
	if err != nil {
		return err
	}
	return put(list, s, r.t.held, r.about)
}

// columns is n columns without rows.
func columns(n int) []*words {
	list := make([]*words, n)
	for i := range list {
		list[i] = &words{}
	}
	return list
}
