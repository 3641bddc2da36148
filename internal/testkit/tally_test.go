package testkit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTally(t *testing.T) {
	path := filepath.Join(t.TempDir(), "testdata", "passes.txt")
	count := func(column string, n map[string]int) *Tally {
		y := NewTally(column)
		for row, k := range n {
			y.Row(row)
			if k > 0 {
				y.Add(row, column, k)
			}
		}
		return y
	}
	check := func(y *Tally) *recorder {
		return record(func(t testing.TB) { y.Check(t, path, "about\nit", "do this") })
	}
	first := count("suite", map[string]int{"Relu-1": 3, "Conv-1": 0})
	if r := check(first); !r.fatal || !strings.Contains(r.log, "do this") {
		t.Errorf("without a table: %q", r.log)
	}
	*update = true
	check(first)
	check(count("cases", map[string]int{"Relu-1": 2, "Conv-1": 1}))
	*update = false
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := "# about\n# it\nrow     suite  cases\nConv-1      -      1\nRelu-1      3      2\n"; string(text) != want {
		t.Fatalf("table is\n%swant\n%s", text, want)
	}
	if r := check(first); r.failed {
		t.Error(r.log)
	}
	for _, c := range []struct {
		what string
		y    *Tally
		want string
	}{
		{"a lost check", count("suite", map[string]int{"Relu-1": 2, "Conv-1": 0}), "Relu-1: suite is 2, the table has 3"},
		{"all of them lost", count("suite", map[string]int{"Relu-1": 0, "Conv-1": 0}), "Relu-1: suite is 0, the table has 3"},
		{"a new one", count("suite", map[string]int{"Relu-1": 3, "Conv-1": 1}), "Conv-1: suite is 1, the table has 0"},
		{"a row lost", count("suite", map[string]int{"Relu-1": 3}), "Conv-1 is in the table and is gone"},
		{"a new row", count("suite", map[string]int{"Relu-1": 3, "Conv-1": 0, "Gelu-1": 0}), "Gelu-1 is not in the table"},
		{"a new column", count("second", map[string]int{"Relu-1": 0, "Conv-1": 0}), "no column second"},
	} {
		if r := check(c.y); !r.failed || !strings.Contains(r.log, c.want) || !strings.Contains(r.log, "do this") {
			t.Errorf("%s: %q", c.what, r.log)
		}
	}
	for _, bad := range []string{"row a\nx 1 2\n", "row a\nx one\n", "row a\nx 1\nx 1\n"} {
		if err := os.WriteFile(path, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if r := check(first); !r.fatal {
			t.Errorf("table %q was read", bad)
		}
	}
}
