package job

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// SweepAxis is what a sweep varies in one flag: values, or numbers between two.
type SweepAxis struct {
	Name   string
	Values []string // nil for a range

	Lo, Hi float64
	Log    bool // evenly by ratio
	Whole  bool // whole numbers: both ends are written so
	Steps  int  // of a grid; 0 where it was not said
}

// SweepValue is a flag with the value that it has in a trial.
type SweepValue struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ParseSweepAxis reads NAME=VALUES: values with commas between, or with | where they have commas themselves; or LOW..HIGH for the numbers
// between, with :log (evenly by ratio) and :steps=N (of a grid) behind it. An empty value leaves the flag out.
func ParseSweepAxis(s string) (SweepAxis, error) {
	name, spec, ok := strings.Cut(strings.TrimLeft(s, "-"), "=")
	a := SweepAxis{Name: strings.TrimSpace(name)}
	if !ok || a.Name == "" {
		return a, usagef("--over %q: want NAME=VALUE,VALUE… or NAME=LOW..HIGH, as in lr=0.001,0.01 or lr=1e-4..1e-1:log", s)
	}
	if lo, rest, ok := strings.Cut(spec, ".."); ok && !strings.Contains(spec, "|") {
		return a, a.parseRange(s, lo, rest)
	}
	by := ","
	if strings.Contains(spec, "|") {
		by = "|"
	}
	for _, v := range strings.Split(spec, by) {
		v = strings.TrimSpace(v)
		if slices.Contains(a.Values, v) {
			return a, usagef("--over %s: the value %q is there twice", s, v)
		}
		a.Values = append(a.Values, v)
	}
	return a, nil
}

// parseRange reads LOW..HIGH with options. Where LOW is no number, it may be a path, and the way out is said.
func (a *SweepAxis) parseRange(s, lo, rest string) error {
	parts := strings.Split(rest, ":")
	var errLo, errHi error
	a.Lo, errLo = strconv.ParseFloat(lo, 64)
	a.Hi, errHi = strconv.ParseFloat(parts[0], 64)
	if errLo != nil || errHi != nil {
		return usagef("--over %s: want numbers on both sides of .. (values that have two dots are told apart by |, as in a=../x|../y)", s)
	}
	_, notLo := strconv.Atoi(lo)
	_, notHi := strconv.Atoi(parts[0])
	a.Whole = notLo == nil && notHi == nil
	for _, o := range parts[1:] {
		name, v, _ := strings.Cut(o, "=")
		switch n, err := strconv.Atoi(v); {
		case o == "log":
			a.Log = true
		case name == "steps" && err == nil && n >= 2:
			a.Steps = n
		default:
			return usagef("--over %s: %q is not an option of a range: they are log, and steps=N with at least 2", s, o)
		}
	}
	switch {
	case !(a.Lo < a.Hi) || math.IsInf(a.Lo, 0) || math.IsInf(a.Hi, 0):
		return usagef("--over %s: want the smaller number first", s)
	case a.Log && a.Lo <= 0:
		return usagef("--over %s: log needs numbers above 0", s)
	}
	return nil
}

// at is the number that lies the share u of the way.
func (a *SweepAxis) at(u float64) string {
	v := a.Lo + u*(a.Hi-a.Lo)
	if a.Log {
		v = a.Lo * math.Pow(a.Hi/a.Lo, u)
	}
	if a.Whole {
		return strconv.Itoa(int(math.Round(v)))
	}
	return strconv.FormatFloat(v, 'g', 4, 64) // what is printed is what is used
}

// draw is a value by chance.
func (a *SweepAxis) draw(r *rand.Rand) string {
	switch {
	case a.Values != nil:
		return a.Values[r.IntN(len(a.Values))]
	case a.Whole && !a.Log:
		return strconv.Itoa(int(a.Lo) + r.IntN(int(a.Hi)-int(a.Lo)+1))
	}
	return a.at(r.Float64())
}

// grid are the values of a grid, false for a range of which it was not said how many.
func (a *SweepAxis) grid() ([]string, bool) {
	if a.Values != nil {
		return a.Values, true
	}
	var out []string
	for i := range a.Steps {
		if v := a.at(float64(i) / float64(a.Steps-1)); !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out, a.Steps > 0
}

// finite are all the values that can be drawn, false for a range of which there are too many.
func (a *SweepAxis) finite() ([]string, bool) {
	if a.Values != nil || !a.Whole || a.Hi-a.Lo >= mostTrials {
		return a.Values, a.Values != nil
	}
	var out []string
	for v := int(a.Lo); v <= int(a.Hi); v++ {
		out = append(out, strconv.Itoa(v))
	}
	return out, true
}

// mostTrials bounds a sweep.
const mostTrials = 10000

// sweepGrid is every combination of the values, the last flag changing fastest.
func sweepGrid(axes []SweepAxis) ([][]SweepValue, error) {
	all := [][]SweepValue{nil}
	for i := range axes {
		vs, ok := axes[i].grid()
		if !ok {
			return nil, usagef("--over %s=…: a grid needs to know how many numbers between the two: :steps=5 behind the range, "+
				"or --search random", axes[i].Name)
		}
		var next [][]SweepValue
		for _, a := range all {
			for _, v := range vs {
				next = append(next, append(slices.Clone(a), SweepValue{axes[i].Name, v}))
			}
		}
		if all = next; len(all) > mostTrials {
			return nil, usagef("the grid has more than %d trials: leave values out, or give --search random --trials N", mostTrials)
		}
	}
	return all, nil
}

// sweepRandom are n combinations drawn by seed, no two alike; fewer, where there are fewer. The first of them are the same for any n.
func sweepRandom(axes []SweepAxis, n int, seed uint64) [][]SweepValue {
	total := 1 // combinations, as far as they are counted
	for i := range axes {
		vs, ok := axes[i].finite()
		if !ok {
			total = mostTrials
			break
		}
		total = min(total*len(vs), mostTrials)
	}
	var all [][]SweepValue
	has := func(t []SweepValue) bool {
		return slices.ContainsFunc(all, func(x []SweepValue) bool { return slices.Equal(x, t) })
	}
	for i := range min(n, total) {
		r := rand.New(rand.NewPCG(seed, uint64(i)+1))
		for range 1000 {
			var t []SweepValue
			for k := range axes {
				t = append(t, SweepValue{axes[k].Name, axes[k].draw(r)})
			}
			if !has(t) {
				all = append(all, t)
				break
			}
		}
	}
	return all
}

// sweepName is what a trial is called: its values.
func sweepName(values []SweepValue) string {
	var parts []string
	for _, v := range values {
		if v.Value == "" {
			v.Value = "–"
		}
		parts = append(parts, v.Name+" "+v.Value)
	}
	return strings.Join(parts, ", ")
}

// halvingRungs are the rungs for n trials of which 1/eta go on to eta times the epochs, up to the given number and from least on.
//
// Source: Jamieson and Talwalkar 2016, "Non-stochastic Best Arm Identification and Hyperparameter Optimization" (arXiv 1502.07943),
// algorithm 1, with the budgets of Hyperband's brackets (Li et al. 2018, arXiv 1603.06560): the last rung has all epochs. A trial that goes
// on is trained from the start again, with a schedule for all of its epochs, so that each is what its command line gives.
func halvingRungs(n, epochs, least, eta int) ([]SweepRung, error) {
	switch {
	case eta < 2:
		return nil, usagef("--eta %d: want at least 2", eta)
	case least < 1 || least > epochs:
		return nil, usagef("--min-epochs %d: want a number between 1 and --epochs, which is %d", least, epochs)
	}
	k := 1
	for trials, e := n/eta, epochs/eta; trials >= 1 && e >= least; trials, e = trials/eta, e/eta {
		k++
	}
	var rs []SweepRung
	for i := range k {
		share := math.Pow(float64(eta), float64(k-1-i))
		left := int(float64(n) / math.Pow(float64(eta), float64(i)))
		rs = append(rs, SweepRung{max(1, left), max(least, int(math.Round(float64(epochs)/share)))})
	}
	if k == 1 {
		return nil, usagef("--search halving: %d trials of up to %d epochs leave nothing to halve: give more --trials or --epochs, "+
			"or --search random", n, epochs)
	}
	return rs, nil
}
