package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"github.com/gtk-onnx/gtk/internal/lazy"
	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/internal/whole"
)

// sweepFile is the name of what the folder of a sweep says of it.
const sweepFile = "sweep.json"

func (c *SweepConfig) save(r *SweepReport) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return WriteFile(filepath.Join(c.Out, sweepFile), writerOf(append(b, '\n')))
}

func writerOf(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

// IsSweep reports whether dir is the folder of a sweep.
func IsSweep(dir string) bool {
	_, err := regular.Read(filepath.Join(dir, sweepFile), maxRunFile)
	return err == nil
}

// continued takes over what the folder says of an earlier part of the sweep r.
func (c *SweepConfig) continued(r *SweepReport) error {
	path := filepath.Join(c.Out, sweepFile)
	b, err := regular.Read(path, maxRunFile)
	switch {
	case errors.Is(err, fs.ErrNotExist) && c.Resume:
		return usagef("--resume %s: there is no %s in it, it is not the folder of a gtk sweep", c.Out, sweepFile)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !c.Resume:
		return nil // MayFill has asked for --force
	}
	var old SweepReport
	if err := json.Unmarshal(b, &old); err != nil || old.Schema != r.Schema {
		return badInput(fmt.Errorf("%s: it is damaged, or no %s: %v", path, r.Schema, err))
	}
	if err := r.same(&old); err != nil {
		return err
	}
	// Trials are known by their names and values. Those of later rungs follow from the earlier ones, and are found again.
	for _, t := range r.Trials {
		t.takeOver(old.Trials)
	}
	r.Lower = old.Lower
	if r.Metric == "" {
		r.Metric = old.Metric
	}
	r.earlier = old.Trials
	return nil
}

// trialName is the form of the names of trials.
var trialName = lazy.Regexp(`^(rung[0-9]+[/\\])?[0-9]{3,5}$`)

// clear takes the trials of an old sweep away, those that its sweep.json names.
func (c *SweepConfig) clear() error {
	b, err := regular.Read(filepath.Join(c.Out, sweepFile), maxRunFile)
	if err != nil {
		return nil // there is none; what is there besides is told by the trials
	}
	var old SweepReport
	if json.Unmarshal(b, &old) != nil {
		return nil
	}
	for _, t := range old.Trials {
		if dir := filepath.Join(c.Out, t.Name); trialName().MatchString(t.Name) && IsRun(dir) {
			if err := whole.RemoveFolder(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// takeOver takes what an earlier part of the sweep knows of t.
func (t *TrialReport) takeOver(old []*TrialReport) {
	for _, o := range old {
		if o.Name == t.Name && slices.Equal(o.Values, t.Values) && o.Epochs == t.Epochs {
			*t = *o
		}
	}
}

// same refuses to go on with a sweep of other flags. There may be more trials.
func (r *SweepReport) same(old *SweepReport) error {
	differ := func(what, was, is string) error {
		return usagef("--resume %s: the sweep there is another one: %s was %q, is %q. Give the same flags, or none, or another -o",
			r.Out, what, was, is)
	}
	switch {
	case old.Search != r.Search:
		return differ("--search", old.Search, r.Search)
	case old.Seed != r.Seed:
		return differ("--seed", fmt.Sprint(old.Seed), fmt.Sprint(r.Seed))
	case !slices.Equal(old.Over, r.Over):
		return differ("--over", fmt.Sprint(old.Over), fmt.Sprint(r.Over))
	}
	all := maps.Clone(old.Base)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, r.Base)
	for _, n := range slices.Sorted(maps.Keys(all)) {
		if old.Base[n] != r.Base[n] {
			return differ("--"+n, old.Base[n], r.Base[n])
		}
	}
	return nil
}
