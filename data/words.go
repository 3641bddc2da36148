package data

import (
	"iter"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/regular"
)

// words is a column of texts. As long as few of them differ, rows are numbers of them.
type words struct {
	list  []string // the different texts, or those of all rows
	codes []uint32 // of rows; nil when list has all
	of    map[string]uint32
	all   bool // list has all rows
}

// mostShared is how many different texts a column may have whose rows are numbers.
const mostShared = 1 << 16

func (w *words) len() int {
	if w.all {
		return len(w.list)
	}
	return len(w.codes)
}

func (w *words) at(i int) string {
	if w.all {
		return w.list[i]
	}
	return w.list[w.codes[i]]
}

// rows yields the texts by row.
func (w *words) rows() iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for i := range w.len() {
			if !yield(i, w.at(i)) {
				return
			}
		}
	}
}

// some yields every different text at least once, in the order in which they come first.
func (w *words) some() iter.Seq[string] { return slices.Values(w.list) }

// index is the first row whose text is like that; -1 for none.
func (w *words) index(like func(string) bool) int {
	for i, s := range w.rows() {
		if like(s) {
			return i
		}
	}
	return -1
}

// any reports whether a text is like that.
func (w *words) any(like func(string) bool) bool { return slices.ContainsFunc(w.list, like) }

// each is w with every text changed.
func (w *words) each(change func(string) string) *words {
	out := &words{list: make([]string, len(w.list)), codes: w.codes, all: w.all}
	for i, s := range w.list {
		out.list[i] = change(s)
	}
	return out
}

// add appends a copy of s. There will be about rows of them.
func (w *words) add(s string, k *texts, rows int) error {
	if !w.all {
		c, ok := w.of[s]
		if !ok && len(w.list) == mostShared {
			if err := w.spread(k, rows); err != nil {
				return err
			}
			return w.add(s, k, rows)
		}
		if !ok {
			s, err := k.copy(s)
			if err != nil {
				return err
			}
			if w.of == nil {
				w.of = map[string]uint32{}
			}
			c = uint32(len(w.list))
			w.of[s], w.list = c, append(w.list, s)
		}
		return put(&w.codes, c, k.held, rows)
	}
	s, err := k.copy(s)
	if err != nil {
		return err
	}
	return put(&w.list, s, k.held, rows)
}

// spread gives every row a text of its own.
func (w *words) spread(k *texts, rows int) error {
	list, err := regular.Grow([]string(nil), max(rows, len(w.codes)), k.held.grow)
	if err != nil {
		return err
	}
	for _, s := range w.rows() {
		list = append(list, s)
	}
	*w = words{list: list, all: true}
	return nil
}

// put appends v to a list, within the account. There will be about rows values in it: it grows to that at once, where memory allows.
func put[E any](list *[]E, v E, held *ledger, rows int) (err error) {
	if n := len(*list); n == cap(*list) {
		more := max(1, rows-n)
		if *list, err = regular.Grow(*list, more, held.grow); err != nil && more > 1 {
			*list, err = regular.Grow(*list, 1, held.grow)
		}
		if err != nil {
			return err
		}
	}
	*list = append(*list, v)
	return nil
}

// texts copies fields of a table, many into one piece of memory.
type texts struct {
	block strings.Builder
	held  *ledger
}

// copy is a copy of s.
func (k *texts) copy(s string) (string, error) {
	if k.block.Cap()-k.block.Len() < len(s) {
		size := max(1<<12, len(s))
		if k.block.Cap() > 0 {
			size = max(1<<16, len(s))
		}
		if err := k.held.add(int64(size)); err != nil {
			return "", err
		}
		k.block = strings.Builder{}
		k.block.Grow(size)
	}
	at := k.block.Len()
	k.block.WriteString(s)
	return k.block.String()[at:], nil
}
