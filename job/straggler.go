package job

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/straggler"
)

// StragglerDelays say how late workers are: measured rounds, or made-up ones.
type StragglerDelays struct {
	Trace     string  // file of measured rounds, see straggler.ReadTrace; "" for none
	Load      float64 // share of the data of its rounds; 0 means as the file says
	Slope     float64 // seconds that all of the data take a worker; 0 means as the file says
	Synthetic string  // KEY=VALUE:… of straggler.ParseSynthetic, made up where there is no Trace; "usual" for the usual
	Workers   int     // of Synthetic; 0 means 16
	Rounds    int     // likewise; 0 means 100
	Seed      uint64  // likewise
}

// traceBytes bounds the file of a trace.
const traceBytes = 1 << 26

// given reports whether there is anything.
func (d StragglerDelays) given() bool { return d.Trace != "" || d.Synthetic != "" }

// read reads or makes the trace; what says which it is.
func (d StragglerDelays) read() (t *straggler.Trace, what string, err error) {
	switch {
	case d.Trace != "" && d.Synthetic != "":
		return nil, "", usagef("--trace and --synthetic exclude each other")
	case d.Trace == "" && d.Synthetic == "":
		return nil, "", usagef("give --trace FILE with measured rounds, or --synthetic usual to make some up")
	case d.Trace == "":
		s, err := straggler.ParseSynthetic(strings.TrimPrefix(d.Synthetic, "usual"))
		if err != nil {
			return nil, "", usagef("--synthetic: %v", err)
		}
		if d.Slope > 0 {
			s.Slope = d.Slope
		}
		t, err = s.Trace(cmp.Or(d.Workers, 16), cmp.Or(d.Rounds, 100), d.Seed)
		if err != nil {
			return nil, "", usagef("--synthetic: %v", err)
		}
		return t, "synthetic:" + s.String(), nil
	}
	f, err := regular.Open(d.Trace)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() > traceBytes {
		return nil, "", badInput(fmt.Errorf("%s: larger than %d MiB: that is no trace", d.Trace, traceBytes>>20))
	}
	if t, err = straggler.ReadTrace(f); err != nil {
		return nil, "", badInput(fmt.Errorf("%s: %w", d.Trace, err))
	}
	t.Load, t.Slope = cmp.Or(d.Load, t.Load), cmp.Or(d.Slope, t.Slope)
	if err := t.Check(); err != nil {
		return nil, "", usagef("--load, --slope: %v", err)
	}
	if d.Workers > 0 && d.Workers != t.Workers() {
		return nil, "", usagef("--workers %d: the trace has %d", d.Workers, t.Workers())
	}
	return t, d.Trace, nil
}

// StragglerRule says when a worker is late.
type StragglerRule struct {
	Mu    float64 // who takes more than 1+Mu times as long as the fastest is late; 0 means 1
	Early bool    // a round that waits for all ends as soon as the rest may be left out
}

func (r StragglerRule) rule() (straggler.Rule, error) {
	mu := cmp.Or(r.Mu, 1)
	if !(mu > 0) || math.IsInf(mu, 0) {
		return straggler.Rule{}, usagef("--mu %v: want a positive number", r.Mu)
	}
	return straggler.Rule{Mu: mu, Early: r.Early}, nil
}

// StragglerSimulateConfig says what is simulated.
type StragglerSimulateConfig struct {
	StragglerDelays
	StragglerRule
	Schemes []string // see straggler.Parse; nil means DefaultSchemes
	Jobs    int      // 0 means as many as the trace has rounds for with the longest delay
	Nominal bool     // every worker is charged with the whole load in every round, as in the authors' program
	Save    string   // file to write the trace to, as JSON; "" for none
	Out     string   // FILE.html for a page with the rounds of each scheme; "" for none
	Force   bool     // replace them
}

// DefaultSchemes are the schemes that are compared when none are named.
var DefaultSchemes = []string{"none", "backup", "gc:s=1", "sr-sgc:B=1:W=2:lambda=2", "m-sgc:B=1:W=2:lambda=3"}

// StragglerSimulateReport is how runs would go.
type StragglerSimulateReport struct {
	Schema  string  `json:"schema"`
	Trace   string  `json:"trace"`
	Workers int     `json:"workers"`
	Rounds  int     `json:"rounds"` // of the trace
	Jobs    int     `json:"jobs"`
	Mu      float64 `json:"mu"`
	Slope   float64 `json:"slope"` // seconds that all of the data take
	Load    float64 `json:"load"`  // of the measured rounds
	// workers of a round of the trace that take more than 1+mu times as long as the fastest, on the mean
	Late    float64           `json:"late"`
	Schemes []StragglerScheme `json:"schemes"`
	Best    string            `json:"best"`
	Tried   int               `json:"tried,omitempty"` // of Select
	Report  string            `json:"report,omitempty"`
	Notes   []string          `json:"notes,omitempty"`
}

// StragglerScheme is how a run with a scheme goes.
type StragglerScheme struct {
	Scheme    string    `json:"scheme"`
	Load      float64   `json:"load"`     // share of the data that a worker goes through in a round
	Held      float64   `json:"held"`     // share that it needs to have at hand
	Delay     int       `json:"delay"`    // rounds after its own in which a job is done at last
	Seconds   float64   `json:"seconds"`  // of all rounds
	Share     float64   `json:"relative"` // of the seconds of none
	Waits     int       `json:"waits"`    // rounds that had to wait for workers that were late
	Left      int       `json:"left_out"` // answers that were not waited for
	Backups   int       `json:"backups"`  // tasks that were begun twice
	Durations []float64 `json:"durations"`
}

func schemeRow(s straggler.Scheme, p straggler.Plan, o *straggler.Outcome) StragglerScheme {
	r := StragglerScheme{Scheme: s.String(), Load: o.Load, Held: straggler.Held(p), Delay: o.Delay, Seconds: o.Seconds, Waits: o.Waits,
		Left: o.Left, Backups: o.Again}
	for _, x := range o.Rounds {
		r.Durations = append(r.Durations, x.Seconds)
	}
	return r
}

// lateIn is how many workers of a round are late by the rule, on the mean.
func lateIn(t *straggler.Trace, rule straggler.Rule) float64 {
	n := 0
	for r := range t.Rounds() {
		least := math.Inf(1)
		for w := range t.Workers() {
			least = min(least, t.At(w, r, t.Load))
		}
		for w := range t.Workers() {
			if t.At(w, r, t.Load) > (1+rule.Mu)*least {
				n++
			}
		}
	}
	return float64(n) / float64(t.Rounds())
}

// parseScheme is straggler.Parse with the mistake as the caller's.
func parseScheme(spec string) (straggler.Scheme, error) {
	s, err := straggler.Parse(spec)
	if err != nil {
		return nil, usagef("--scheme: %v; see gtk straggler --list", err)
	}
	return s, nil
}

// StragglerSimulate says how a run with each scheme would go on workers as late as those of a trace.
func StragglerSimulate(c StragglerSimulateConfig) (*StragglerSimulateReport, error) {
	rule, err := c.rule()
	if err != nil {
		return nil, err
	}
	if c.Schemes == nil {
		c.Schemes = DefaultSchemes
	}
	var schemes []straggler.Scheme
	for _, spec := range c.Schemes {
		s, err := parseScheme(spec)
		if err != nil {
			return nil, err
		}
		schemes = append(schemes, s)
	}
	if c.Jobs < 0 {
		return nil, usagef("--jobs %d: want at least 1", c.Jobs)
	}
	if c.Out != "" && !strings.EqualFold(filepath.Ext(c.Out), ".html") {
		return nil, usagef("--out %s: it is a page: give a name that ends in .html", c.Out)
	}
	release, err := claim([]read{{"--trace", c.Trace, false}}, output{flag: "--save-trace", path: c.Save, force: c.Force},
		output{flag: "--out", path: c.Out, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	t, what, err := c.read()
	if err != nil {
		return nil, err
	}
	longest := 0
	for _, s := range schemes {
		p, err := s.Plan(t.Workers(), 1)
		if err != nil {
			return nil, usagef("--scheme: %v", strings.TrimPrefix(err.Error(), "straggler: "))
		}
		longest = max(longest, p.Delay())
	}
	r := newStragglerReport("gtk.straggler-simulate/1", t, what, rule)
	if r.Jobs = c.Jobs; r.Jobs == 0 {
		if r.Jobs = t.Rounds() - longest; r.Jobs < 1 {
			return nil, badInput(fmt.Errorf("%s has %d rounds, and a job is done %d rounds after its own at last: give more rounds, or --jobs",
				what, t.Rounds(), longest))
		}
	}
	if r.Jobs+longest > t.Rounds() {
		r.Notes = append(r.Notes, fmt.Sprintf("the run has up to %d rounds and the trace %d: it begins anew", r.Jobs+longest, t.Rounds()))
	}
	var rounds [][]StragglerRound
	for _, s := range schemes {
		p, err := s.Plan(t.Workers(), r.Jobs)
		if err != nil {
			return nil, usagef("--scheme: %v", err)
		}
		o, err := straggler.Simulate(s, t, r.Jobs, straggler.Simulation{Rule: rule, Nominal: c.Nominal})
		if err != nil {
			return nil, err
		}
		r.Schemes = append(r.Schemes, schemeRow(s, p, o))
		var own []StragglerRound
		for _, x := range o.Rounds {
			own = append(own, timelineRound(x, s.String()))
		}
		rounds = append(rounds, own)
	}
	if err := r.compare(t, straggler.Simulation{Rule: rule, Nominal: c.Nominal}); err != nil {
		return nil, err
	}
	if c.Save != "" {
		if err := WriteFile(c.Save, t.WriteJSON); err != nil {
			return nil, err
		}
	}
	if r.Report = c.Out; c.Out == "" {
		return r, nil
	}
	return r, WriteFile(c.Out, simulationPage(r, rounds).Write)
}

func newStragglerReport(schema string, t *straggler.Trace, what string, rule straggler.Rule) *StragglerSimulateReport {
	r := &StragglerSimulateReport{Schema: schema, Trace: what, Workers: t.Workers(), Rounds: t.Rounds(), Mu: rule.Mu, Slope: t.Slope,
		Load: t.Load, Late: lateIn(t, rule)}
	if t.Cut > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d numbers of the trace are lower bounds, of workers that were left out, so that waiting looks "+
			"better than it is: measure with --scheme none", t.Cut))
	}
	if t.Slope == 0 {
		r.Notes = append(r.Notes, "the trace says nothing about what work takes (slope 0), so that coding, which is more work, costs nothing: "+
			"give --slope SECONDS of all of the data on one worker")
	}
	return r
}

// compare says which scheme is the fastest, and how fast each is beside plain waiting.
func (r *StragglerSimulateReport) compare(t *straggler.Trace, o straggler.Simulation) error {
	none, err := straggler.Simulate(&straggler.None{}, t, r.Jobs, o)
	if err != nil {
		return err
	}
	best := slices.MinFunc(r.Schemes, func(a, b StragglerScheme) int { return cmp.Compare(a.Seconds, b.Seconds) })
	r.Best = best.Scheme
	for i := range r.Schemes {
		r.Schemes[i].Share = r.Schemes[i].Seconds / none.Seconds
	}
	return nil
}

// StragglerSelectConfig says among what a scheme is selected.
type StragglerSelectConfig struct {
	StragglerDelays
	StragglerRule
	Jobs     int      // of the run; 0 means as many as the trace has rounds for
	MaxDelay *int     // most rounds of delay; nil means 3
	MaxLoad  float64  // largest share of the data that a worker can hold; 0 means any
	Code     string   // repetition or cyclic; "" means repetition
	Schemes  []string // names; nil means all
}

// StragglerSelect simulates every scheme with every parameter on measured rounds, and reports the best of each, the fastest first.
func StragglerSelect(ctx context.Context, c StragglerSelectConfig, rep Reporter) (*StragglerSimulateReport, error) {
	rule, err := c.rule()
	if err != nil {
		return nil, err
	}
	delay := 3
	if c.MaxDelay != nil {
		delay = *c.MaxDelay
	}
	switch {
	case delay < 0:
		return nil, usagef("--max-delay %d: want a number of rounds", delay)
	case c.MaxLoad < 0 || c.MaxLoad > 1:
		return nil, usagef("--max-load %v: want a share of the data, 0 to 1", c.MaxLoad)
	case c.Jobs < 0:
		return nil, usagef("--jobs %d: want at least 1", c.Jobs)
	case !slices.Contains([]string{"", straggler.Repetition, straggler.Cyclic}, c.Code):
		return nil, usagef("--code %q: want %s or %s", c.Code, straggler.Repetition, straggler.Cyclic)
	}
	for _, n := range c.Schemes {
		if _, err := straggler.Schemes().Lookup(n); err != nil {
			return nil, usagef("--scheme: %v", err)
		}
	}
	t, what, err := c.read()
	if err != nil {
		return nil, err
	}
	r := newStragglerReport("gtk.straggler-select/1", t, what, rule)
	if r.Jobs = c.Jobs; r.Jobs == 0 {
		r.Jobs = t.Rounds() - delay
	}
	o := straggler.Search{Simulation: straggler.Simulation{Rule: rule}, Jobs: r.Jobs, MaxDelay: delay, Code: c.Code, Names: c.Schemes,
		MaxLoad: c.MaxLoad}
	if r.Jobs < 1 {
		return nil, badInput(fmt.Errorf("%s has %d rounds, too few to judge delays of %d: give more rounds, or a smaller --max-delay", what,
			t.Rounds(), delay))
	}
	stage, begun := Stage(Quiet.Stage("", 0)), false
	defer func() { stage.End() }()
	o.Tell = func(done, total int) {
		if !begun {
			stage, begun = orQuiet(rep).Stage("select", total), true
		}
		stage.Set(done, "")
	}
	best, tried, err := straggler.Select(ctx, t, o)
	if err != nil {
		return nil, usagef("%v", strings.TrimPrefix(err.Error(), "straggler: "))
	}
	r.Tried = tried
	for _, x := range best {
		p, err := x.Scheme.Plan(t.Workers(), r.Jobs)
		if err != nil {
			return nil, err
		}
		r.Schemes = append(r.Schemes, schemeRow(x.Scheme, p, x.Outcome))
	}
	return r, r.compare(t, o.Simulation)
}
