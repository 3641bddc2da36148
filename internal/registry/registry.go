// Package registry is a table from names to values of one kind (operators, rules, methods, scorers, readers) with a sorted
// listing and, for a name that is not there, the names that were probably meant.
package registry

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// Entry is one row of a table.
type Entry[T any] struct {
	Name   string
	Value  T
	Doc    string // one line, for listings
	Source string // URL of what defines it: a paper, a specification
}

// Table maps names to values. The zero value with a Kind is ready; fill it while the program initialises: after that
// any number of goroutines may read it.
type Table[T any] struct {
	Kind    string // what the values are, in the singular, for messages: "optimiser"
	entries map[string]Entry[T]
}

// Register adds a value. It panics when the name is empty or taken, which is an error of the program.
func (t *Table[T]) Register(name string, value T, doc, source string) {
	if name == "" {
		panic(fmt.Sprintf("registry: a %s without a name", t.Kind))
	}
	if _, ok := t.entries[name]; ok {
		panic(fmt.Sprintf("registry: %s %q registered twice", t.Kind, name))
	}
	if t.entries == nil {
		t.entries = map[string]Entry[T]{}
	}
	t.entries[name] = Entry[T]{name, value, doc, source}
}

// Lookup is the value of a name, or an *UnknownError.
func (t *Table[T]) Lookup(name string) (T, error) {
	e, err := t.Entry(name)
	return e.Value, err
}

// Entry is the row of a name, or an *UnknownError.
func (t *Table[T]) Entry(name string) (Entry[T], error) {
	if e, ok := t.entries[name]; ok {
		return e, nil
	}
	return Entry[T]{}, &UnknownError{Kind: t.Kind, Name: name, Known: t.Names()}
}

// Names is every name, sorted.
func (t *Table[T]) Names() []string { return slices.Sorted(maps.Keys(t.entries)) }

// Entries is every row, sorted by name.
func (t *Table[T]) Entries() []Entry[T] {
	rows := make([]Entry[T], 0, len(t.entries))
	for _, n := range t.Names() {
		rows = append(rows, t.entries[n])
	}
	return rows
}

// All goes over names and values, sorted by name.
func (t *Table[T]) All() iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for _, e := range t.Entries() {
			if !yield(e.Name, e.Value) {
				return
			}
		}
	}
}

// Len is the number of rows.
func (t *Table[T]) Len() int { return len(t.entries) }

// UnknownError is the error of a name that a table does not have.
type UnknownError struct {
	Kind, Name string
	Known      []string // sorted
}

// Error names what was probably meant, or everything that is known when nothing is near.
func (e *UnknownError) Error() string {
	const shown = 60
	name := e.Name
	if r := []rune(name); len(r) > shown {
		name = string(r[:shown]) + "…"
	}
	msg := fmt.Sprintf("unknown %s %q", e.Kind, name)
	switch near := Suggest(e.Name, e.Known); {
	case len(near) > 0:
		return msg + "; did you mean " + quoted(near) + "?"
	case len(e.Known) == 0:
		return msg + "; there are none"
	case len(e.Known) > 40:
		return fmt.Sprintf("%s; none of the %d known is near", msg, len(e.Known))
	}
	return msg + "; known: " + strings.Join(e.Known, ", ")
}

func quoted(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = fmt.Sprintf("%q", n)
	}
	if n := len(q); n > 1 {
		return strings.Join(q[:n-1], ", ") + " or " + q[n-1]
	}
	return q[0]
}
