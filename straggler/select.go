package straggler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// Choice is a scheme with how a run of it would go.
type Choice struct {
	Scheme  Scheme
	Outcome *Outcome
}

// Search says among what Select selects.
type Search struct {
	Simulation
	Jobs     int      // of the run that is simulated; 0: as many as the trace has rounds, less MaxDelay
	MaxDelay int      // most delay T; 0: only schemes that have each job ready at the end of its round
	Code     string   // Repetition or Cyclic; "" is Repetition
	Names    []string // of schemes; nil: all
	MaxLoad  float64  // largest share of the data that a worker can hold; 0: any. See Held.

	Tell func(done, total int) // how many schemes with parameters were looked at; nil for nobody
}

// simplest are the schemes in the order in which they are taken where they are equally good.
var simplest = []string{"none", "backup", "gc", "sr-sgc", "m-sgc"}

// Select simulates every scheme with every parameter on the trace, and returns the best of each name, the fastest first. tried is how many
// were simulated. Of those that are equally fast the
// first has less load, then less delay, and then is the simpler one.
func Select(ctx context.Context, t *Trace, s Search) (best []Choice, tried int, err error) {
	if err := t.Check(); err != nil {
		return nil, 0, err
	}
	n := t.Workers()
	jobs := s.Jobs
	if jobs == 0 {
		jobs = t.Rounds() - s.MaxDelay
	}
	if jobs < 1 {
		return nil, 0, fmt.Errorf("straggler: %d rounds are too few to judge schemes with a delay of %d: give more rounds, or a smaller "+
			"delay", t.Rounds(), s.MaxDelay)
	}
	grids, done, total := map[string][]Scheme{}, 0, 0
	for _, name := range simplest {
		if s.Names == nil || slices.Contains(s.Names, name) {
			grids[name] = grid(name, n, s.MaxDelay, cmp.Or(s.Code, Repetition))
			total += len(grids[name])
		}
	}
	for _, name := range simplest {
		var top *Choice
		for _, x := range grids[name] {
			if err := ctx.Err(); err != nil {
				return nil, tried, err
			}
			if done++; s.Tell != nil {
				s.Tell(done, total)
			}
			p, err := x.Plan(n, jobs)
			if err != nil || p.Delay() > s.MaxDelay || s.MaxLoad > 0 && Held(p) > s.MaxLoad+1e-12 {
				continue
			}
			o, err := Simulate(x, t, jobs, s.Simulation)
			if err != nil {
				return nil, tried, err
			}
			tried++
			if top == nil || better(o, top.Outcome) {
				top = &Choice{x, o}
			}
		}
		if top != nil {
			best = append(best, *top)
		}
	}
	if len(best) == 0 {
		return nil, tried, errors.New("straggler: no scheme fits")
	}
	slices.SortStableFunc(best, func(a, b Choice) int {
		switch {
		case better(a.Outcome, b.Outcome):
			return -1
		case better(b.Outcome, a.Outcome):
			return 1
		}
		return 0
	})
	return best, tried, nil
}

func better(a, b *Outcome) bool {
	if a.Seconds != b.Seconds {
		return a.Seconds < b.Seconds
	}
	return cmp.Or(cmp.Compare(a.Load, b.Load), cmp.Compare(a.Delay, b.Delay)) < 0
}

// grid is a scheme with all parameters that make sense for n workers and a delay of at most d rounds.
func grid(name string, n, d int, code string) (out []Scheme) {
	switch name {
	case "none":
		out = append(out, &None{})
	case "backup":
		out = append(out, &Backup{})
	case "gc":
		for s := 1; s < n; s++ {
			out = append(out, &GC{S: s, Code: code})
		}
	case "sr-sgc":
		for b := 1; b <= d; b++ {
			for w := b + 1; w <= 3*b+1; w += b {
				for l := 1; l <= n; l++ {
					out = append(out, &SRSGC{B: b, W: w, Lambda: l, Code: code})
				}
			}
		}
	case "m-sgc":
		for b := 1; b <= d; b++ {
			for w := b + 1; w-2+b <= d; w++ {
				for l := 1; l <= n; l++ {
					out = append(out, &MSGC{B: b, W: w, Lambda: l, Code: code})
				}
			}
		}
	}
	return out
}

// Held is the share of the data that a worker needs to have at hand: what it goes through in a round, or all of it where anybody may have
// to do anything.
func Held(p Plan) float64 {
	if _, does := p.(Backuper); does {
		return 1
	}
	return p.Load()
}
