package job

import (
	"cmp"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// RunsConfig says which runs are listed.
type RunsConfig struct {
	Dirs []string // folders of runs, and folders with such in them at any depth
	Sort string   // name (""), metric (best first), loss or time (latest first)
}

// RunsReport is a list of runs.
type RunsReport struct {
	Schema string       `json:"schema"`
	Runs   []*RunFolder `json:"runs"`
	Notes  []string     `json:"notes,omitempty"` // folders that could not be read
}

// RunSorts are the orders of RunsConfig.Sort.
var RunSorts = []string{"name", "metric", "loss", "time"}

const (
	mostRuns    = 10000 // in a list
	deepestRun  = 8     // folders below the one that is given
	mostEntries = 1 << 20
)

// Runs lists the runs in folders. A folder of a run that cannot be read is a note, unless it was named itself.
func Runs(c RunsConfig, rep Reporter) (*RunsReport, error) {
	rep = orQuiet(rep)
	if len(c.Dirs) == 0 {
		c.Dirs = []string{"."}
	}
	if c.Sort != "" && !slices.Contains(RunSorts, c.Sort) {
		return nil, usagef("--sort %q: want one of %s", c.Sort, strings.Join(RunSorts, ", "))
	}
	r := &RunsReport{Schema: "gtk.runs/1", Runs: []*RunFolder{}}
	if err := r.find(c.Dirs); err != nil {
		return nil, err
	}
	for _, n := range r.Notes {
		rep.Note(n)
	}
	if len(r.Runs) == 0 {
		return nil, badInput(fmt.Errorf("there is no run in %s: gtk finetune -o FOLDER makes one, gtk sweep many", strings.Join(c.Dirs, ", ")))
	}
	r.sort(c.Sort)
	return r, nil
}

// find reads the runs in dirs, those in one folder by the order of their names.
func (r *RunsReport) find(dirs []string) error {
	for _, dir := range dirs {
		if IsRun(dir) {
			run, err := ReadRun(dir)
			if err != nil {
				return err
			}
			r.Runs = append(r.Runs, run)
			continue
		}
		st, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if !st.IsDir() {
			return badInput(fmt.Errorf("%s is a file: name the folder of a run, or one with runs in it", dir))
		}
		entries := 0
		err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			rel, _ := filepath.Rel(dir, path)
			switch {
			case err != nil && path == dir:
				return err
			case err != nil:
				r.Notes = append(r.Notes, err.Error())
				return fs.SkipDir
			case !d.IsDir():
				if entries++; entries > mostEntries {
					return badInput(fmt.Errorf("%s has more than %d files in it: name a folder nearer to the runs", dir, mostEntries))
				}
				return nil
			case path != dir && strings.HasPrefix(d.Name(), "."), strings.Count(rel, string(filepath.Separator)) >= deepestRun:
				return fs.SkipDir
			case !IsRun(path):
				return nil
			}
			if len(r.Runs) >= mostRuns {
				return badInput(fmt.Errorf("%s has more than %d runs in it: name a folder with fewer", dir, mostRuns))
			}
			run, err := ReadRun(path)
			if err != nil {
				r.Notes = append(r.Notes, err.Error())
				return fs.SkipDir
			}
			if run.Name = rel; len(dirs) > 1 {
				run.Name = path
			}
			r.Runs = append(r.Runs, run)
			return fs.SkipDir
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sort puts the runs in order; those that do not have what they are compared by come last.
func (r *RunsReport) sort(by string) {
	switch by {
	case "metric":
		sortByMetric(r.Runs)
	case "loss":
		slices.SortStableFunc(r.Runs, func(a, b *RunFolder) int { return finiteFirst(a.loss(), b.loss(), true) })
	case "time":
		slices.SortStableFunc(r.Runs, func(a, b *RunFolder) int { return b.Changed.Compare(a.Changed) })
	}
}

// sortByMetric puts the best runs first. Runs with other metrics are put together by the names of those.
func sortByMetric(runs []*RunFolder) {
	slices.SortStableFunc(runs, func(a, b *RunFolder) int {
		if a.Metric != b.Metric {
			if a.Metric == "" || b.Metric == "" {
				return cmp.Compare(b.Metric, a.Metric)
			}
			return cmp.Compare(a.Metric, b.Metric)
		}
		return cmp.Or(finiteFirst(a.score(), b.score(), a.Lower), finiteFirst(a.bestLoss(), b.bestLoss(), true))
	})
}

// finiteFirst compares a and b, the better one first and what is not a number last.
func finiteFirst(a, b float64, lower bool) int {
	switch {
	case a != a && b != b:
		return 0
	case a != a:
		return 1
	case b != b:
		return -1
	case lower:
		return cmp.Compare(a, b)
	}
	return cmp.Compare(b, a)
}

// score is the metric of the best epoch.
func (r *RunFolder) score() float64 {
	if r.Best == nil {
		return math.NaN()
	}
	return float64(r.Best.Value)
}

func (r *RunFolder) bestLoss() float64 {
	if r.Best == nil {
		return math.NaN()
	}
	return float64(r.Best.Loss)
}

// loss is the last one of the validation, of the training where there is none.
func (r *RunFolder) loss() float64 {
	if r.Last != nil {
		return float64(r.Last.Loss)
	}
	return float64(r.TrainLoss)
}
