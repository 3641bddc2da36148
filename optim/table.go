package optim

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

type table[T any] struct {
	kind string
	name func(T) string
	rows map[string]T
}

var rules = table[Info]{"rule", func(i Info) string { return i.Name }, map[string]Info{}}
var schedules = table[ScheduleInfo]{"schedule", func(i ScheduleInfo) string { return i.Name }, map[string]ScheduleInfo{}}

func (t *table[T]) add(row T) { t.rows[t.name(row)] = row }

func (t *table[T]) get(name string) (T, error) {
	row, ok := t.rows[name]
	if !ok {
		return row, fmt.Errorf("optim: no %s %q; there are %s", t.kind, name, strings.Join(slices.Sorted(maps.Keys(t.rows)), ", "))
	}
	return row, nil
}

func (t *table[T]) all() iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, k := range slices.Sorted(maps.Keys(t.rows)) {
			if !yield(t.rows[k]) {
				return
			}
		}
	}
}

// Rules yields all registered rules, by name.
func Rules() iter.Seq[Info] { return rules.all() }

// Lookup is the registered rule of that name.
func Lookup(name string) (Info, error) { return rules.get(name) }

// Schedules yields all registered schedules, by name.
func Schedules() iter.Seq[ScheduleInfo] { return schedules.all() }

// LookupSchedule is the registered schedule of that name.
func LookupSchedule(name string) (ScheduleInfo, error) { return schedules.get(name) }
