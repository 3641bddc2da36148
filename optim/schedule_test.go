package optim

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

// TestSchedulesAreTorchs compares each schedule with PyTorch's, step by step.
func TestSchedulesAreTorchs(t *testing.T) {
	var golden struct {
		Cases []struct {
			Spec         string
			Total, Epoch int
			Rates        []float64
		}
		Loss    []*float64
		Plateau []struct {
			Spec  string
			Lower bool
			Rates []float64
		}
	}
	b, err := os.ReadFile("testdata/schedules.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{"wsd": true} // PyTorch has none
	made := func(spec string, tm Timing) Schedule {
		name, _, _ := strings.Cut(spec, ":")
		seen[name] = true
		s, err := NewSchedule(spec, ScheduleConfig{LR: 0.1})
		if err == nil {
			s, err = Begin(s, tm)
		}
		if err != nil {
			t.Fatalf("%s: %v", spec, err)
		}
		return s
	}
	for _, c := range golden.Cases {
		s := made(c.Spec, Timing{Total: c.Total, Step: 1, Epoch: float64(c.Epoch), Sample: 0.1})
		var got []float64
		for n := range c.Total {
			got = append(got, s.LR(n+1, c.Total))
		}
		near(t, c.Spec, got, c.Rates, 1e-12)
	}
	for _, c := range golden.Plateau {
		s := made(c.Spec, Timing{Total: 100, Step: 1, Epoch: 5, Validates: true})
		var got []float64
		for n, v := range golden.Loss {
			o := Outcome{Step: 5 * (n + 1), Metric: math.NaN(), Lower: c.Lower, TrainLoss: 1}
			if v != nil {
				o.Metric = *v
			}
			s.(Watcher).See(o)
			got = append(got, s.LR(o.Step+1, 100))
		}
		near(t, fmt.Sprint(c.Spec, c.Lower), got, c.Rates, 1e-12)
	}
	for name := range Schedules() {
		if !seen[name] {
			t.Errorf("no rates of PyTorch for %s", name)
		}
	}
}

func rates(t *testing.T, spec string, c ScheduleConfig, total int) (got []float64) {
	t.Helper()
	s, err := NewSchedule(spec, c)
	if err == nil {
		s, err = Begin(s, Timing{Total: total, Step: 1, Epoch: 4, Sample: 0.25})
	}
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= total; n++ {
		got = append(got, s.LR(n, total))
	}
	return got
}

func TestWarmup(t *testing.T) {
	want := []float64{0.25, 0.5, 0.75, 1, 1, 0.5 + math.Sqrt2/4, 0.5, 0.5 - math.Sqrt2/4}
	for _, warm := range []string{"4", "4steps", "1epoch", "16samples", "50%"} {
		near(t, warm, rates(t, "cosine", ScheduleConfig{LR: 1, Warmup: warm}, 8), want, 1e-15)
	}
	near(t, "by epoch", rates(t, "linear:by=epoch", ScheduleConfig{LR: 1, Warmup: "2"}, 8), []float64{0.5, 1, 1, 1, 1, 1, 0.5, 0.5}, 1e-15)
}

func TestStepDecayInThirds(t *testing.T) {
	near(t, "rates", rates(t, "step", ScheduleConfig{LR: 1}, 7), []float64{1, 1, 1, 0.1, 0.1, 0.1, 0.01}, 1e-15)
}

func TestWSD(t *testing.T) {
	near(t, "linear", rates(t, "wsd:decay=4:shape=linear:end=0.2", ScheduleConfig{LR: 1, Warmup: "2"}, 9),
		[]float64{0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4}, 1e-15)
	near(t, "sqrt", rates(t, "wsd:decay=50%", ScheduleConfig{LR: 1}, 8), []float64{1, 1, 1, 1, 1, 0.5, 1 - math.Sqrt(0.5),
		1 - math.Sqrt(0.75)}, 1e-15)
	near(t, "cosine", rates(t, "wsd:decay=2:shape=cosine", ScheduleConfig{LR: 1}, 4), []float64{1, 1, 1, 0.5}, 1e-15)
}

// Rates of a plateau follow from what it was shown, so that who is shown the same again gives the same, also of steps before.
func TestPlateauIsShownAgain(t *testing.T) {
	begin := func() Schedule {
		s, err := NewSchedule("plateau:patience=0:on=train-loss:factor=0.5", ScheduleConfig{LR: 1, Warmup: "2"})
		if err == nil {
			s, err = Begin(s, Timing{Total: 12, Step: 1, Epoch: 3})
		}
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, b := begin(), begin()
	for n, loss := range []float64{3, 2, 2, 5} {
		a.(Watcher).See(Outcome{Step: 3 * (n + 1), TrainLoss: loss})
	}
	near(t, "drops", []float64{a.LR(1, 12), a.LR(2, 12), a.LR(9, 12), a.LR(10, 12), a.LR(13, 12)}, []float64{0.5, 1, 1, 0.5, 0.25}, 0)
	if b.LR(13, 12) != 1 {
		t.Error("two trainings share a state")
	}
}

// Whatever the lengths, a rate is finite and within (0, base], also past the end and with more warm-up than training.
func TestSchedulesAreBounded(t *testing.T) {
	for _, i := range Schedules() {
		if i.Doc == "" || i.Source == "" {
			t.Errorf("schedule %s lacks a line or a source", i.Name)
		}
		for _, o := range i.Options() {
			if o.Doc == "" {
				t.Errorf("option %s of schedule %s lacks a line", o.Name, i.Name)
			}
		}
		for _, warm := range []string{"", "1", "5"} {
			s, err := NewSchedule(i.Name, ScheduleConfig{LR: 0.1, Warmup: warm})
			if err != nil {
				t.Fatal(err)
			}
			for total := range 9 {
				for step := range 12 {
					if lr := s.LR(step, total); !(lr >= 0 && lr <= 0.1) || (step > 0 && step <= total && lr == 0) {
						t.Errorf("%s, warm-up %q: rate of step %d of %d is %v", i.Name, warm, step, total, lr)
					}
				}
			}
		}
	}
}

// Whatever a specification says, it is refused or gives rates that are not above the base, in a time that does not depend on it.
func FuzzNewSchedule(f *testing.F) {
	for _, i := range Schedules() {
		f.Add(i.Name, "3", 7, 20)
	}
	for _, spec := range []string{"cosine-restarts:period=1:mult=1.0000001", "step:every=1e300epochs", "multi-step:at=1+2%+3epochs",
		"one-cycle:start=1e308:end=1e308", "wsd:decay=100%:by=epoch", "polynomial:power=1e308", "cosine-restarts:mult=1e308"} {
		f.Add(spec, "1epoch", 1<<30, 1<<31-1)
	}
	f.Fuzz(func(t *testing.T, spec, warm string, step, total int) {
		s, err := NewSchedule(spec, ScheduleConfig{LR: 0.5, Warmup: warm})
		if err != nil || total < 1 || total > math.MaxInt32 || step < 1 || step > total {
			return
		}
		if s, err = Begin(s, Timing{Total: total, Step: 1, Epoch: 10, Sample: 0.125, Validates: true}); err != nil {
			return
		}
		if lr := s.LR(step, total); !(lr >= 0 && lr <= 0.5*(1+1e-12)) {
			t.Errorf("%s after %s: step %d of %d: %v", spec, warm, step, total, lr)
		}
	})
}

func TestNewScheduleRefuses(t *testing.T) {
	for spec, want := range map[string]string{
		"cosin": `"cosin"`, "cosine:min=2": "minimal learning rate 2", "cosine:gamma=1": `no option "gamma"`,
		"constant:min=0.5": `no option "min"`, "step:gamma=2": "gamma 2", "step:every=-2": "want a length", "step:every=0": "above 0",
		"step:every=2.5": "whole number of steps", "step:every=3parsecs": "want a length", "step:every=101%": "want a length",
		"multi-step:at=20+x": "want a length", "polynomial:power=0": "power=0", "linear:end=2": "end=2",
		"one-cycle:rise=1": "rise=1", "one-cycle:shape=square": "shape", "wsd:shape=square": "shape", "plateau:factor=1": "factor=1",
		"plateau:on=luck": "want auto", "plateau:patience=-1": "below 0", "cosine-restarts:mult=0.5": "mult=0.5",
		"cosine:by=year": "want step or epoch", "cosine:min": "KEY=VALUE",
	} {
		if _, err := NewSchedule(spec, ScheduleConfig{LR: 1}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", spec, err, want)
		}
	}
	for _, c := range []ScheduleConfig{{}, {LR: math.NaN()}, {LR: 1, Warmup: "-1"}, {LR: 1, Warmup: "soon"}} {
		if _, err := NewSchedule("cosine", c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
	s, err := NewSchedule("plateau:on=metric", ScheduleConfig{LR: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Begin(s, Timing{Total: 10, Step: 1, Epoch: 5}); err == nil || !strings.Contains(err.Error(), "on=train-loss") {
		t.Errorf("a plateau of nothing: %v", err)
	}
	if s, err = NewSchedule("step:every=2epochs", ScheduleConfig{LR: 1}); err != nil || !math.IsNaN(s.LR(1, 10)) {
		t.Errorf("epochs of an unknown length: %v, %v", s.LR(1, 10), err)
	}
}
