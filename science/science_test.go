package science

import (
	"context"
	"math"
	"os"
	"strings"
	"testing"
)

// Every experiment has its page, which the command of its name made.
func TestPages(t *testing.T) {
	for _, r := range Recipes().Entries() {
		b, err := os.ReadFile("../docs/science/" + r.Name + ".md")
		if err != nil {
			t.Errorf("%v: make it with gtk science %s -o docs/science", err, r.Name)
			continue
		}
		page := string(b)
		for _, want := range []string{"# " + r.Value.Title + "\n", r.Value.Question, "`gtk science " + r.Name, r.Value.Paper} {
			if !strings.Contains(page, want) {
				t.Errorf("docs/science/%s.md does not have %q: make it anew", r.Name, want)
			}
		}
		if r.Value.Seeds < 3 {
			t.Errorf("%s: %d seeds are few", r.Name, r.Value.Seeds)
		}
	}
}

// The interval of 1, 2, 3, 4 by hand: mean 2.5, deviation 1.29099, t 3.1824.
func TestInterval(t *testing.T) {
	m, half := Interval([]float64{1, 2, 3, 4})
	if m != 2.5 || math.Abs(half-3.1824*1.2909944487/2) > 1e-6 {
		t.Errorf("%g ± %g", m, half)
	}
	for n, want := range map[int]float64{1: 12.706, 10: 2.228, 11: 2.201, 20: 2.086, 30: 2.042, 1000: 1.962} {
		if got := t975(n); math.Abs(got-want) > 2e-3 {
			t.Errorf("t of %d degrees is %g, want %g", n, got, want)
		}
	}
	if Differs([]float64{1, 2, 3}, []float64{0, 1.1, 1.9}) != 1 || Differs([]float64{1, 2}, []float64{2, 1}) != 0 {
		t.Error("which differ")
	}
	if c := Percent(1, []float64{0.5, 0.7}); c.Text != "60.0 ± 127.1" {
		t.Errorf("%q", c.Text)
	}
}

func TestMarkdown(t *testing.T) {
	l := &Lab{page: &Page{Name: "x", Title: "T", Question: "Q?", Paper: "https://example.org", Command: "gtk science x", Threads: 1, Seeds: 2}}
	tab := Table{Title: "one", Columns: []string{"a", "b"}}
	tab.Row(Word("p|q"), Mean(1, []float64{1, 1}))
	l.Table(tab)
	l.Say("It is %d.", 3)
	if got, want := string(l.page.Markdown()),
		"# T\n\nQ?\n\nPaper: <https://example.org>. Written by `gtk science x` in 0 s on , one thread. "+
			"2 seeds; ± is half of a 95 % interval over them (Student's t).\n\n**one**\n\n| a | b |\n|---|---|\n| p\\|q | 1.0 ± 0.0 |\n\nIt is "+
			"3.\n"; got != want {
		t.Errorf("%q", got)
	}
}

func TestRunRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		seeds int
		want  string
	}{{"difgrad", 0, "diffgrad"}, {"diffgrad", 1, "2 to 1000"}, {"diffgrad", -3, "2 to 1000"}} {
		if _, err := Run(context.Background(), c.name, Config{Seeds: c.seeds}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %d: %v", c.name, c.seeds, err)
		}
	}
}
