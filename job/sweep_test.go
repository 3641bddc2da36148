package job

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/train"
)

func TestParseSweepAxis(t *testing.T) {
	for in, want := range map[string]SweepAxis{
		"lr=1e-3,0.01":              {Name: "lr", Values: []string{"1e-3", "0.01"}},
		"--augment=|flip,crop=4":    {Name: "augment", Values: []string{"", "flip,crop=4"}},
		"lr=1e-4..1e-1:log":         {Name: "lr", Lo: 1e-4, Hi: 0.1, Log: true},
		"batch-size=8..64":          {Name: "batch-size", Lo: 8, Hi: 64, Whole: true},
		"beta1=0.0..1.0:steps=3":    {Name: "beta1", Lo: 0, Hi: 1, Steps: 3},
		"data=../a|../b":            {Name: "data", Values: []string{"../a", "../b"}},
		"no-decay-1d= true , false": {Name: "no-decay-1d", Values: []string{"true", "false"}},
	} {
		got, err := ParseSweepAxis(in)
		if err != nil || got.Name != want.Name || !slices.Equal(got.Values, want.Values) || got.Lo != want.Lo || got.Hi != want.Hi ||
			got.Log != want.Log || got.Whole != want.Whole || got.Steps != want.Steps {
			t.Errorf("%q is %+v (%v), want %+v", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "lr", "=1", "lr=1..", "lr=2..1", "lr=0..1:log", "lr=1..2:steps=1", "lr=1..2:square", "lr=1,1",
		"data=../a",
		"lr=NaN..1", "lr=0..Inf"} {
		if a, err := ParseSweepAxis(bad); err == nil {
			t.Errorf("%q is %+v, want an error", bad, a)
		}
	}
}

func axesOf(t *testing.T, over ...string) []SweepAxis {
	t.Helper()
	var out []SweepAxis
	for _, o := range over {
		a, err := ParseSweepAxis(o)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

func TestSweepGrid(t *testing.T) {
	all, err := sweepGrid(axesOf(t, "lr=1e-4..1e-1:log:steps=4", "o=a,b"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range all {
		got = append(got, sweepName(v))
	}
	want := "lr 0.0001, o a|lr 0.0001, o b|lr 0.001, o a|lr 0.001, o b|lr 0.01, o a|lr 0.01, o b|lr 0.1, o a|lr 0.1, o b"
	if strings.Join(got, "|") != want {
		t.Errorf("got %s\nwant %s", strings.Join(got, "|"), want)
	}
	if _, err := sweepGrid(axesOf(t, "lr=0.1..1.5")); err == nil {
		t.Error("a range without steps makes a grid")
	}
}

// What is drawn lies where it should, is spread as it should be, is told apart, and is the same however many there are.
func TestSweepRandom(t *testing.T) {
	axes := axesOf(t, "lr=1e-4..1e-2:log", "n=3..5", "x=0.5..1.5")
	all := sweepRandom(axes, 600, 7)
	if len(all) != 600 {
		t.Fatalf("%d trials", len(all))
	}
	below, counts := 0, map[string]int{}
	for _, v := range all {
		lr, _ := strconv.ParseFloat(v[0].Value, 64)
		x, _ := strconv.ParseFloat(v[2].Value, 64)
		if lr < 1e-4 || lr > 1e-2 || x < 0.5 || x > 1.5 {
			t.Fatalf("%v is out of range", v)
		}
		if lr < 1e-3 {
			below++
		}
		counts[v[1].Value]++
	}
	if below < 240 || below > 360 { // half, within 5 standard deviations of 12
		t.Errorf("%d of 600 rates are in the lower of two decades", below)
	}
	if len(counts) != 3 || min(counts["3"], counts["4"], counts["5"]) < 140 {
		t.Errorf("whole numbers: %v", counts)
	}
	for i, v := range sweepRandom(axes, 20, 7) {
		if !slices.Equal(v, all[i]) {
			t.Errorf("trial %d is another one when there are fewer", i)
		}
	}
	few := sweepRandom(axesOf(t, "a=1,2,3", "b=x,y"), 50, 1)
	seen := map[string]bool{}
	for _, v := range few {
		seen[sweepName(v)] = true
	}
	if len(few) != 6 || len(seen) != 6 {
		t.Errorf("of six combinations there are %d trials, %d different ones", len(few), len(seen))
	}
}

func TestHalvingRungs(t *testing.T) {
	for _, c := range []struct {
		n, epochs, least, eta int
		want                  string
	}{
		{27, 27, 1, 3, "[{27 1} {9 3} {3 9} {1 27}]"}, {9, 9, 1, 3, "[{9 1} {3 3} {1 9}]"}, {20, 10, 1, 3, "[{20 1} {6 3} {2 10}]"},
		{16, 8, 2, 2, "[{16 2} {8 4} {4 8}]"}, {4, 100, 1, 2, "[{4 25} {2 50} {1 100}]"},
	} {
		got, err := halvingRungs(c.n, c.epochs, c.least, c.eta)
		if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("%+v: %v (%v)", c, got, err)
		}
	}
	for _, c := range [][4]int{{2, 9, 1, 3}, {9, 2, 1, 3}, {9, 9, 1, 1}, {9, 9, 10, 3}, {9, 9, 0, 3}} {
		if got, err := halvingRungs(c[0], c[1], c[2], c[3]); err == nil {
			t.Errorf("%v: %v, want an error", c, got)
		}
	}
}

// mockRun writes the folder of a run that is better the nearer lr is to 0.01, and the longer it trains.
func mockRun(t *testing.T, tr Trial) {
	t.Helper()
	lr, err := strconv.ParseFloat(tr.Values[0].Value, 64)
	if err != nil {
		t.Fatal(err)
	}
	good := 1 / (1 + math.Abs(math.Log10(lr)+2)) * (1 - 1/float64(2+tr.Epochs))
	log := trainLog{dir: tr.Dir}
	v := train.Evaluation{N: 1, Loss: 1 - good}
	v.Metrics = append(v.Metrics, task.Measure{Name: "accuracy", Value: good})
	if err := log.add(train.EpochReport{Epoch: 1, Step: 3, Val: &v, TrainLoss: 1, Seconds: 1}); err != nil {
		t.Fatal(err)
	}
	f := RunFile{Schema: "gtk.run/1", Command: "finetune", Status: RunDone, Metric: "accuracy",
		Settings: map[string]string{"lr": tr.Values[0].Value}}
	if err := WriteFile(filepath.Join(tr.Dir, runFile), f.write); err != nil {
		t.Fatal(err)
	}
}

// A sweep that is stopped again and again does each trial once, and ends as one that is not.
func TestSweepGoesOn(t *testing.T) {
	dir := t.TempDir()
	runs := map[string]int{}
	stopAfter := 1 << 30
	config := func(out string) SweepConfig {
		return SweepConfig{Over: []string{"lr=1e-5..1.0:log"}, Search: SearchHalving, Trials: 9, Epochs: 9, Out: filepath.Join(dir, out),
			Seed: 3, Base: map[string]string{"model": "m.onnx"},
			Run: func(ctx context.Context, tr Trial) error {
				rel, _ := filepath.Rel(dir, tr.Dir)
				if stopAfter--; stopAfter < 0 {
					return nil
				}
				runs[rel]++
				if tr.Values[0].Value == "0.1" {
					return badInput(errors.New("no such thing"))
				}
				mockRun(t, tr)
				return nil
			},
			Line: func(tr Trial, out string) string { return "train " + tr.Values[0].Value + " " + out }}
	}
	whole, err := Sweep(t.Context(), config("whole"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(whole.Trials) != 13 || whole.Best.Rung != 3 || whole.Best.Epochs != 9 ||
		whole.Command != "train "+whole.Best.Values[0].Value+" best" {
		t.Errorf("%d trials, best %+v, %s", len(whole.Trials), whole.Best, whole.Command)
	}
	// The best of the first rung by hand: the rate nearest to 0.01.
	near := func(ts []*TrialReport) string {
		best, at := math.Inf(1), ""
		for _, x := range ts {
			lr, _ := strconv.ParseFloat(x.Values[0].Value, 64)
			if d := math.Abs(math.Log10(lr) + 2); x.Rung == 1 && d < best {
				best, at = d, x.Values[0].Value
			}
		}
		return at
	}
	if want := near(whole.Trials); whole.Best.Values[0].Value != want {
		t.Errorf("the best rate is %s, want %s", whole.Best.Values[0].Value, want)
	}
	for part := 0; ; part++ {
		c := config("parts")
		c.Resume = part > 0
		stopAfter = 2
		ctx, cancel := context.WithCancel(t.Context())
		run := c.Run
		c.Run = func(ctx context.Context, tr Trial) error {
			err := run(ctx, tr)
			if stopAfter < 0 {
				cancel()
			}
			return err
		}
		r, err := Sweep(ctx, c, nil)
		cancel()
		if err == nil {
			if part < 4 {
				t.Errorf("done after %d parts", part)
			}
			for i, x := range r.Trials {
				y := whole.Trials[i]
				if x.Name != y.Name || !slices.Equal(x.Values, y.Values) || x.Value != y.Value || x.Status != y.Status || x.Epochs != y.Epochs {
					t.Errorf("trial %d is %+v, want %+v", i, x, y)
				}
			}
			break
		}
		if !errors.Is(err, context.Canceled) || part > 20 {
			t.Fatal(err)
		}
	}
	for name, n := range runs {
		if n != 1 {
			t.Errorf("trial %s was trained %d times", name, n)
		}
	}
	// Another sweep is not taken for this one; --force takes it away.
	c := config("parts")
	if _, err := Sweep(t.Context(), c, nil); err == nil || !strings.Contains(err.Error(), "--resume") {
		t.Errorf("the old sweep is not seen: %v", err)
	}
	c.Resume, c.Base = true, map[string]string{"model": "m.onnx", "epochs": "7"}
	if _, err := Sweep(t.Context(), c, nil); err == nil || !strings.Contains(err.Error(), `--epochs was "", is "7"`) {
		t.Errorf("other flags are taken: %v", err)
	}
	c.Resume, c.Force, c.Search, c.Trials = false, true, SearchRandom, 2
	stopAfter = 1 << 30
	if _, err := Sweep(t.Context(), c, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "parts", "rung1", "001")); err == nil {
		t.Error("the trials of the old sweep are still there")
	}
	// Other rungs are another sweep.
	h := config("whole")
	h.Resume, h.Eta = true, 2
	if _, err := Sweep(t.Context(), h, nil); err == nil || !strings.Contains(err.Error(), `--eta was "3", is "2"`) {
		t.Errorf("other rungs are taken: %v", err)
	}
	// More trials of a random sweep.
	c.Resume, c.Force, c.Trials = true, false, 5
	r, err := Sweep(t.Context(), c, nil)
	if err != nil || r.Resumed != 2 || len(r.Trials) != 5 {
		t.Errorf("%v: %+v", err, r)
	}
}

// A trial that fails is told and left out; where all do, that is an error.
func TestSweepFailures(t *testing.T) {
	c := SweepConfig{Over: []string{"lr=0.1,0.01"}, Out: filepath.Join(t.TempDir(), "s"), Run: func(_ context.Context, tr Trial) error {
		if tr.Values[0].Value == "0.1" {
			return usagef("not so")
		}
		mockRun(t, tr)
		return nil
	}}
	r, err := Sweep(t.Context(), c, nil)
	if err != nil || r.Trials[0].Status != TrialFailed || r.Trials[0].Error != "not so" || r.Best != r.Trials[1] {
		t.Errorf("%v: %+v", err, r)
	}
	c.Out, c.Run = filepath.Join(t.TempDir(), "s"), func(context.Context, Trial) error { return badInput(errors.New("no such model")) }
	if _, err := Sweep(t.Context(), c, nil); err == nil || !strings.Contains(err.Error(), "no such model") {
		t.Errorf("all fail: %v", err)
	}
	c.Out, c.Run = filepath.Join(t.TempDir(), "s"), func(context.Context, Trial) error {
		return &os.PathError{Op: "write", Path: "x", Err: os.ErrPermission}
	}
	if _, err := Sweep(t.Context(), c, nil); KindOf(err) != KindIO {
		t.Errorf("a disk that cannot be written: %v", err)
	}
	c.Metric = "nosuch"
	if _, err := Sweep(t.Context(), c, nil); KindOf(err) != KindUsage {
		t.Errorf("a metric that there is not: %v", err)
	}
}
