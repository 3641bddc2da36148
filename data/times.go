package data

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	account "github.com/gtk-onnx/gtk/internal/memory"

	"github.com/gtk-onnx/gtk/internal/units"
)

// Layouts of dates and of times of day, in the reference time of package time; day and month may have one digit.
var (
	dateLayouts = []string{
		"2006-1-2", "2006/1/2", "2006.1.2", "2.1.2006", "2/1/2006", "1/2/2006", "2-1-2006", "1-2-2006", "2/1/06", "1/2/06", "2.1.06",
		"2-Jan-2006", "2-Jan-06", "2 Jan 2006", "Jan 2, 2006", "2006-1", "2006/1", "1/2006", "Jan 2006", "Jan-06",
	}
	clockLayouts = []string{"15:04:05", "15:04", "3:04:05 PM", "3:04 PM", "3:04:05PM", "3:04PM"}
	zones        = []string{"", "Z07:00", " Z07:00", "Z0700", " -0700", " MST"}
)

// timeLayouts is the layouts of a moment in one field: dates, dates with a time of day, and times of day.
var timeLayouts = sync.OnceValue(func() []string {
	all := slices.Clone(dateLayouts)
	for _, d := range dateLayouts {
		for _, c := range clockLayouts {
			for _, between := range []string{" ", "T"} {
				for _, z := range zones {
					all = append(all, d+between+c+z)
				}
			}
		}
	}
	return append(all, clockLayouts...)
})

// layoutsOf is the layouts that read all values, nil for none.
func layoutsOf(values []string) []string {
	fit := timeLayouts()
	for _, s := range values {
		var still []string
		for _, l := range fit {
			if _, err := time.Parse(l, s); err == nil {
				still = append(still, l)
			}
		}
		if fit = still; len(fit) == 0 {
			return nil
		}
	}
	return fit
}

// isClock reports whether a layout is a time of day alone.
func isClock(layout string) bool { return slices.Contains(clockLayouts, layout) }

// timeName reports whether a column of numbers is called as times are.
func timeName(name string) bool {
	return slices.Contains([]string{"time", "timestamp", "date", "datetime", "epoch", "unix", "unixtime", "step", "ds"},
		strings.ToLower(name))
}

// timeAxis is when the rows of a series are.
type timeAxis struct {
	columns []int
	values  [][]string // by column and row
}

// add takes the times of a row.
func (a *timeAxis) add(row []string) {
	for k, c := range a.columns {
		a.values[k] = append(a.values[k], strings.Clone(row[c]))
	}
}

// ids is a name for each row, its fields joined; nil when there are none or they do not differ.
func (a *timeAxis) ids(n int) []string {
	if len(a.columns) == 0 {
		return nil
	}
	ids := account.Slice[string](n, listed)
	for i := range ids {
		parts := make([]string, len(a.columns))
		for k := range a.columns {
			parts[k] = a.values[k][i]
		}
		ids[i] = strings.Join(parts, " ")
	}
	if _, i := repeated(ids); i >= 0 {
		return nil
	}
	return ids
}

// moments is when the rows are, in nanoseconds or as the numbers they are; nil when that is not understood. Where day and month could be
// either, the reading in which time goes on wins.
func (a *timeAxis) moments() (at []float64, clock bool) {
	var total []float64
	clock = true
	for _, values := range a.values {
		best, isTime, ok := momentsOf(values)
		if !ok {
			return nil, false
		}
		clock = clock && isTime
		if total == nil {
			total = best
			continue
		}
		for i, v := range best {
			total[i] += v
		}
	}
	return total, clock
}

// momentsOf reads one column of times.
func momentsOf(values []string) (at []float64, isTime, ok bool) {
	read := func(parse func(string) (float64, error)) bool {
		at = make([]float64, len(values))
		for i, s := range values {
			v, err := parse(s)
			if err != nil {
				return false
			}
			at[i] = v
		}
		return true
	}
	if read(func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }) {
		return at, false, true
	}
	var first []float64
	for _, l := range layoutsOf(values[:min(len(values), lookAhead)]) {
		if !read(func(s string) (float64, error) {
			t, err := time.Parse(l, s)
			if isClock(l) {
				return float64(t.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC))), err
			}
			return float64(t.Unix())*1e9 + float64(t.Nanosecond()), err
		}) {
			continue
		}
		if slices.IsSorted(at) {
			return at, true, true
		}
		if first == nil {
			first = at
		}
	}
	return first, true, first != nil
}

// inOrder checks that time goes on from row to row. reverse says that it goes back throughout. Single steps back of an hour, as clocks
// are set in autumn, and few rows of the same time are noted; all else is several series, or none in order. place says where a row is.
func inOrder(path string, at []float64, clock bool, place func(row int) string) (reverse bool, notes []string, err error) {
	if len(at) < 2 {
		return false, nil, nil
	}
	steps := map[float64]int{}
	var back, same, far int
	first := -1
	for i := 1; i < len(at); i++ {
		d := at[i] - at[i-1]
		steps[d]++
		switch {
		case d == 0:
			same++
		case d < 0:
			if back++; first < 0 {
				first = i
			}
			if !clock || d < -float64(time.Hour) {
				far++
			}
		}
	}
	few := max(1, len(at)/100)
	switch {
	case back == len(at)-1:
		notes = append(notes, "the rows go back in time: they are read from the last to the first")
		reverse = true
	case far > 0 || back > few:
		return false, nil, malformed(path, place(first), "sort the rows by time, and keep each series in a file of its own",
			"time goes back at %s", units.Plural(back, "row"))
	case same > few:
		return false, nil, malformed(path, "",
			"keep each series in a file of its own, or name the columns that tell the time: ?time=DATE,HOUR",
			"%d of %d rows are of the same time as the row before", same, len(at))
	case back+same > 0:
		notes = append(notes, fmt.Sprintf("time stands still or goes back at %s, as when clocks are set", units.Plural(back+same, "row")))
	}
	usual, most := 0., 0
	for d, n := range steps {
		if n > most || n == most && d < usual {
			usual, most = d, n
		}
	}
	irregular := len(at) - 1 - most
	if month := 28 * 24 * float64(time.Hour); irregular > 0 && back+same == 0 && !(clock && usual >= month) && !reverse {
		step := strconv.FormatFloat(usual, 'g', -1, 64)
		if clock {
			step = time.Duration(usual).String()
		}
		notes = append(notes,
			fmt.Sprintf("%d of %d steps between rows differ from the usual %s: windows run across them", irregular, len(at)-1, step))
	}
	return reverse, notes, nil
}
