package optim

import (
	"math"
	"strings"
	"testing"
)

func TestWarmup(t *testing.T) {
	s, err := NewSchedule("cosine", ScheduleConfig{LR: 1, Warmup: 4})
	if err != nil {
		t.Fatal(err)
	}
	var got []float64
	for n := 1; n <= 8; n++ {
		got = append(got, s.LR(n, 8))
	}
	near(t, "rates", got, []float64{0.25, 0.5, 0.75, 1, 1, 0.5 + math.Sqrt2/4, 0.5, 0.5 - math.Sqrt2/4}, 1e-15)
}

func TestStepDecayInThirds(t *testing.T) {
	s, err := NewSchedule("step", ScheduleConfig{LR: 1})
	if err != nil {
		t.Fatal(err)
	}
	var got []float64
	for n := 1; n <= 7; n++ {
		got = append(got, s.LR(n, 7))
	}
	near(t, "rates", got, []float64{1, 1, 1, 0.1, 0.1, 0.1, 0.01}, 1e-15)
}

// Whatever the lengths, a rate is finite and within (0, base], also past the end and with more warm-up than training.
func TestSchedulesAreBounded(t *testing.T) {
	for _, i := range Schedules() {
		if i.Doc == "" || i.Source == "" {
			t.Errorf("schedule %s lacks a line or a source", i.Name)
		}
		for _, warm := range []int{0, 1, 5} {
			s, err := NewSchedule(i.Name, ScheduleConfig{LR: 0.1, Warmup: warm})
			if err != nil {
				t.Fatal(err)
			}
			for total := range 9 {
				for step := range 12 {
					if lr := s.LR(step, total); !(lr >= 0 && lr <= 0.1) || (step > 0 && step <= total && lr == 0) {
						t.Errorf("%s, warm-up %d: rate of step %d of %d is %v", i.Name, warm, step, total, lr)
					}
				}
			}
		}
	}
}

func TestNewScheduleRefuses(t *testing.T) {
	cases := []struct {
		name string
		c    ScheduleConfig
		want string
	}{
		{"cosin", ScheduleConfig{LR: 1}, `"cosin"`},
		{"cosine", ScheduleConfig{}, "learning rate 0"},
		{"cosine", ScheduleConfig{LR: math.NaN()}, "learning rate NaN"},
		{"cosine", ScheduleConfig{LR: 1, MinLR: 2}, "minimal learning rate 2"},
		{"cosine", ScheduleConfig{LR: 1, Gamma: 0.5}, "takes no every"},
		{"constant", ScheduleConfig{LR: 1, MinLR: 0.5}, "takes no minimal"},
		{"constant", ScheduleConfig{LR: 1, Warmup: -1}, "-1 steps"},
		{"step", ScheduleConfig{LR: 1, Gamma: 2}, "gamma 2"},
		{"step", ScheduleConfig{LR: 1, Every: -2}, "every -2"},
	}
	for _, c := range cases {
		if _, err := NewSchedule(c.name, c.c); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %+v: got %v, want %q", c.name, c.c, err, c.want)
		}
	}
}
