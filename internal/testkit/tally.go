package testkit

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Tally counts what the tests have checked, by row and column, to be compared with a table that is checked in: a check that is no longer
// done is a difference, and so is one that is new.
type Tally struct {
	columns []string
	count   map[string]map[string]int // by row and column
}

// NewTally is a tally whose columns are columns; the table in the file may have others, which are other tests' to count.
func NewTally(columns ...string) *Tally {
	return &Tally{columns, map[string]map[string]int{}}
}

// Row makes a row, so that it is in the table though nothing may be counted in it.
func (y *Tally) Row(row string) {
	if y.count[row] == nil {
		y.count[row] = map[string]int{}
	}
}

// Add counts n more in a row and column.
func (y *Tally) Add(row, column string, n int) {
	if !slices.Contains(y.columns, column) {
		panic("testkit: no column " + column)
	}
	y.Row(row)
	y.count[row][column] += n
}

// Count is what was counted in a row and column.
func (y *Tally) Count(row, column string) int { return y.count[row][column] }

// Check fails the test for every count that is not the one in the table at path, for rows that the table lacks, and for rows of the table
// that were not made. With the flag -update it writes its own columns instead; command is what the failure tells to run for that, and
// about is the comment that the table begins with.
func (y *Tally) Check(t testing.TB, path, about, command string) {
	t.Helper()
	columns, table, err := readTable(path)
	if *update {
		if err != nil && !os.IsNotExist(err) {
			t.Fatalf("testkit: %v", err)
		}
		if err := y.write(path, about, columns, table); err != nil {
			t.Fatalf("testkit: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatalf("testkit: %v (%s writes the table)", err, command)
		return
	}
	var diff []string
	for _, c := range y.columns {
		if !slices.Contains(columns, c) {
			diff = append(diff, fmt.Sprintf("no column %s in the table", c))
		}
	}
	for _, row := range slices.Sorted(maps.Keys(union(y.count, table))) {
		switch {
		case y.count[row] == nil:
			diff = append(diff, fmt.Sprintf("%s is in the table and is gone", row))
		case table[row] == nil:
			diff = append(diff, fmt.Sprintf("%s is not in the table", row))
		default:
			for _, c := range y.columns {
				if have, want := y.count[row][c], table[row][c]; have != want {
					diff = append(diff, fmt.Sprintf("%s: %s is %d, the table has %d", row, c, have, want))
				}
			}
		}
	}
	if len(diff) > 0 {
		t.Errorf("testkit: %s:\n\t%s\na smaller number is a check that was lost; if all of it is meant: %s", path,
			strings.Join(diff, "\n\t"),
			command)
	}
}

func union(a, b map[string]map[string]int) map[string]map[string]int {
	u := maps.Clone(a)
	maps.Copy(u, b)
	return u
}

// readTable reads a table: comments, a line that names the columns, and a line for each row. A count of zero is written as a dash.
func readTable(path string) (columns []string, table map[string]map[string]int, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	table = map[string]map[string]int{}
	for i, line := range strings.Split(string(text), "\n") {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0][0] == '#':
		case columns == nil:
			columns = f[1:]
		case len(f) != len(columns)+1 || table[f[0]] != nil:
			return nil, nil, fmt.Errorf("%s:%d: want a row that is not there yet, of %d columns", path, i+1, len(columns)+1)
		default:
			table[f[0]] = map[string]int{}
			for k, s := range f[1:] {
				if s == "-" {
					continue
				}
				if table[f[0]][columns[k]], err = strconv.Atoi(s); err != nil {
					return nil, nil, fmt.Errorf("%s:%d: %v", path, i+1, err)
				}
			}
		}
	}
	return columns, table, nil
}

// write writes the table with the columns of y replaced and the rows of y alone.
func (y *Tally) write(path, about string, columns []string, table map[string]map[string]int) error {
	for _, c := range y.columns {
		if !slices.Contains(columns, c) {
			columns = append(columns, c)
		}
	}
	wide := len("row")
	for row := range y.count {
		wide = max(wide, len(row))
	}
	var b strings.Builder
	for _, line := range strings.Split(about, "\n") {
		b.WriteString(strings.TrimSpace("# "+line) + "\n")
	}
	line := func(row string, cells []string) {
		fmt.Fprintf(&b, "%-*s", wide, row)
		for i, s := range cells {
			fmt.Fprintf(&b, "  %*s", len(columns[i]), s)
		}
		b.WriteString("\n")
	}
	line("row", columns)
	for _, row := range slices.Sorted(maps.Keys(y.count)) {
		var cells []string
		for _, c := range columns {
			n := table[row][c]
			if slices.Contains(y.columns, c) {
				n = y.count[row][c]
			}
			if n == 0 {
				cells = append(cells, "-")
			} else {
				cells = append(cells, strconv.Itoa(n))
			}
		}
		line(row, cells)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}
