package optim

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// stretch is a length of training as it was written: so many steps, epochs or samples, or a share of the whole. The zero value is none.
type stretch struct {
	n    float64
	unit string // "" for steps, epoch, sample or %
}

// parseStretch reads 500, 500steps, 2epochs, 50000samples or 30%; "" is no length.
func parseStretch(s string) (stretch, error) {
	if s == "" {
		return stretch{}, nil
	}
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyz%")
	unit, known := map[string]string{"": "", "step": "", "steps": "", "epoch": "epoch", "epochs": "epoch", "sample": "sample",
		"samples": "sample", "%": "%"}[s[len(digits):]]
	n, err := strconv.ParseFloat(digits, 64)
	switch {
	case !known || err != nil || !(n >= 0) || math.IsInf(n, 0) || unit == "%" && n > 100:
		return stretch{}, fmt.Errorf("%q: want a length as 500 (steps), 2epochs, 50000samples or 30%%", s)
	case unit == "" && n != math.Trunc(n):
		return stretch{}, fmt.Errorf("%q: want a whole number of steps", s)
	}
	return stretch{n, unit}, nil
}

// parseStretches reads several with a + between.
func parseStretches(s string) (all []stretch, err error) {
	for item := range strings.SplitSeq(s, "+") {
		x, err := parseStretch(item)
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, nil
}

// String is as it is written.
func (s stretch) String() string {
	switch s.unit {
	case "":
		return fmt.Sprintf("%g steps", s.n)
	case "%":
		return fmt.Sprintf("%g%%", s.n)
	}
	return fmt.Sprintf("%g %ss", s.n, s.unit)
}

// in is the length in the unit of t, rounded, and of what is not nothing at least one.
func (s stretch) in(t Timing) (int, error) {
	v := s.n * t.Step
	switch s.unit {
	case "epoch":
		v = s.n * t.Epoch
	case "sample":
		v = s.n * t.Sample
	case "%":
		v = s.n / 100 * float64(t.Total)
	}
	switch {
	case math.IsNaN(v):
		return 0, fmt.Errorf("%v: how long that is in steps is not known here", s)
	case v > math.MaxInt32:
		return 0, fmt.Errorf("%v: longer than any training", s)
	case v > 0:
		return max(1, int(math.Round(v))), nil
	}
	return 0, nil
}

// length is a stretch of at least one unit, written as text; "" is usual.
func length(option, s, usual string, t Timing) (int, error) {
	if s == "" {
		s = usual
	}
	x, err := parseStretch(s)
	if err != nil {
		return 0, fmt.Errorf("%s=%w", option, err)
	}
	n, err := x.in(t)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s: %w", option, err)
	case n < 1 && t.Total > 0:
		return 0, fmt.Errorf("%s=%s: must be above 0", option, s)
	}
	return max(1, n), nil
}

// share checks an option that is a share from lo to 1.
func share(option string, v, lo float64) error {
	if !(v >= lo && v <= 1) {
		return fmt.Errorf("%s=%v: must be in [%v, 1]", option, v, lo)
	}
	return nil
}
