package job

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// CompareConfig says which runs are compared.
type CompareConfig struct {
	Dirs  []string // folders of runs, and folders with such in them
	Sort  string   // of RunSorts; "" keeps the order in which they are given
	Out   string   // FILE.html for a page; "" for none
	Force bool     // replace what is there
}

// CompareReport is runs side by side.
type CompareReport struct {
	Schema  string         `json:"schema"`
	Runs    []*RunFolder   `json:"runs"`
	Differs []RunSetting   `json:"differs"` // settings that are not the same in all
	Same    map[string]any `json:"same"`    // those that are
	Out     string         `json:"out,omitempty"`
	Notes   []string       `json:"notes,omitempty"`
}

// RunSetting is one setting in each of the runs, in their order; "" where it is not set.
type RunSetting struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// CompareRuns puts runs side by side: their numbers, curves and what differs in how they were made.
func CompareRuns(c CompareConfig, rep Reporter) (*CompareReport, error) {
	rep = orQuiet(rep)
	if len(c.Dirs) == 0 {
		return nil, usagef("gtk runs compare: the folders of the runs are missing")
	}
	if c.Out != "" && !strings.EqualFold(filepath.Ext(c.Out), ".html") {
		return nil, usagef("-o %s: want the name of a page, FILE.html", c.Out)
	}
	release, err := claim(nil, output{flag: "--out", path: c.Out, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	all, err := Runs(RunsConfig{Dirs: c.Dirs, Sort: c.Sort}, rep)
	if err != nil {
		return nil, err
	}
	if len(all.Runs) < 2 {
		return nil, usagef("gtk runs compare: there is one run in %s, and nothing to compare it with", strings.Join(c.Dirs, ", "))
	}
	r := compared(all.Runs)
	for _, n := range r.Notes {
		rep.Note(n)
	}
	r.Notes = append(all.Notes, r.Notes...)
	if c.Out == "" {
		return r, nil
	}
	r.Out = c.Out
	return r, WriteFile(c.Out, r.page().Write)
}

// compared puts runs side by side.
func compared(runs []*RunFolder) *CompareReport {
	r := &CompareReport{Schema: "gtk.compare/1", Runs: runs, Differs: []RunSetting{}, Same: map[string]any{}}
	r.unlike()
	names := map[string]bool{}
	for _, x := range runs {
		for n := range x.Settings {
			names[n] = true
		}
	}
	for _, n := range slices.Sorted(maps.Keys(names)) {
		s := RunSetting{Name: n}
		for _, x := range runs {
			s.Values = append(s.Values, x.Settings[n])
		}
		if slices.ContainsFunc(s.Values, func(v string) bool { return v != s.Values[0] }) {
			r.Differs = append(r.Differs, s)
		} else {
			r.Same[n] = s.Values[0]
		}
	}
	for _, x := range []struct {
		what string
		of   func(*RunFolder) string
		why  string
	}{
		{"metric", func(r *RunFolder) string { return r.Metric }, "they are compared by different metrics (%s)"},
		{"loss", func(r *RunFolder) string { return r.Loss }, "their losses are of different kinds (%s): compare metrics instead"},
		{"val", (*RunFolder).measured, "they are measured on different data (%s): a difference may be that of the data"},
	} {
		var kinds []string
		for _, y := range runs {
			if v := x.of(y); v != "" && !slices.Contains(kinds, v) {
				kinds = append(kinds, v)
			}
		}
		if len(kinds) > 1 {
			r.Notes = append(r.Notes, fmt.Sprintf(x.why, strings.Join(kinds[:min(len(kinds), 4)], "; ")))
		}
	}
	return r
}

// unlike gives runs of one name, as those of different folders may have, their paths for names.
func (r *CompareReport) unlike() {
	seen := map[string]int{}
	for _, x := range r.Runs {
		seen[x.Name]++
	}
	for _, x := range r.Runs {
		if seen[x.Name] > 1 {
			x.Name = x.Path
		}
	}
}

// measured are the validation data, "" for none.
func (r *RunFolder) measured() string {
	switch s := r.Settings["val-split"]; {
	case r.Val != "":
		return r.Val
	case s != "" && s != "0":
		share, _, _ := strings.Cut(s, ",")
		return fmt.Sprintf("%s of %s, seed %s", share, r.Data, r.Settings["seed"])
	}
	return ""
}

// metricNames are the metrics of the validation that any of the runs has, the ones to compare by first.
func metricNames(runs []*RunFolder) []string {
	var names []string
	add := func(n string) {
		if n != "" && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	for _, r := range runs {
		add(r.Metric)
	}
	for _, r := range runs {
		for _, q := range r.History {
			if q.Val == nil {
				continue
			}
			for _, n := range slices.Sorted(maps.Keys(q.Val.Metrics)) {
				add(n)
			}
		}
	}
	return names
}
