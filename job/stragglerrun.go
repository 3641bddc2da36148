package job

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/gtk-onnx/gtk/fleet"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/straggler"
)

// run begins the workers and holds the rounds.
func (t *stragglerTraining) run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.hub = fleet.NewHub()
	defer t.hub.Close()
	t.plane = t.hub.Member("coordinator")
	var order bytes.Buffer
	told := t.c
	told.ModelOptions.Context, told.Replay = nil, nil
	if err := gob.NewEncoder(&order).Encode(told); err != nil {
		return err
	}
	t.hub.Serve(subjectRun, func(context.Context, string, []byte) ([]byte, error) { return order.Bytes(), nil })
	tell := func(e fleet.Event) {
		select {
		case t.events <- e:
		default: // a thousand that nobody has heard of yet
		}
	}
	begin := time.Now()
	if t.c.Fleet == FleetLocal {
		defer fleet.Local(ctx, t.hub, t.c.Workers, stragglerWork, tell).Close()
	} else {
		t.processes, err = fleet.StartProcesses(ctx, t.hub, t.c.Workers, fleet.ProcessOptions{Command: t.c.Command, Tell: tell})
		if err != nil {
			return err
		}
		defer t.processes.Close()
	}
	if err := t.ready(ctx); err != nil {
		return err
	}
	t.r.Startup = time.Since(begin).Seconds()
	go t.answers(ctx)
	t.stage = t.rep.Stage("straggler", t.c.Jobs)
	defer t.stage.End()
	begin = time.Now()
	if t.c.Scheme == "auto" {
		err = t.auto(ctx)
	} else {
		var s straggler.Scheme
		if s, err = t.c.scheme(); err == nil {
			err = t.segment(ctx, s, t.c.Jobs)
		}
	}
	t.r.Seconds = time.Since(begin).Seconds()
	return err
}

// ready waits until every worker has models and data, and the same as the coordinator.
func (t *stragglerTraining) ready(ctx context.Context) error {
	got := make(chan error, 1)
	go func() {
		here := map[int]bool{}
		for len(here) < t.c.Workers {
			m, err := t.plane.Pull(ctx, subjectReady)
			if err != nil {
				got <- err
				return
			}
			_ = t.plane.Ack(ctx, m) // of a hub in memory
			var r stragglerReady
			if err := json.Unmarshal(m.Body, &r); err != nil {
				got <- err
				return
			}
			if r.Error != "" {
				got <- badInput(fmt.Errorf("worker %d cannot begin: %s", r.Worker, r.Error))
				return
			}
			for _, tr := range t.trainings {
				if tr.model >= len(r.Models) || r.Models[tr.model] != fingerprint(tr.cfg, tr.part) {
					got <- badInput(fmt.Errorf("worker %d has another model than the coordinator: did %s change meanwhile?", r.Worker, tr.Path))
					return
				}
			}
			here[r.Worker] = true
			t.alive(r.Worker)
		}
		got <- nil
	}()
	for {
		select {
		case err := <-got:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case e := <-t.events:
			if err := t.happened(e); err != nil {
				return err
			}
		}
	}
}

// alive says that a worker does its work.
func (t *stragglerTraining) alive(w int) {
	if t.processes != nil {
		t.processes.Alive(w)
	}
}

// happened takes note of what happened to a worker; one that cannot go on is an error.
func (t *stragglerTraining) happened(e fleet.Event) error {
	switch e.Kind {
	case fleet.Left:
		t.r.Deaths++
		t.rep.Note(fmt.Sprintf("%v; it was begun anew", e.Err))
	case fleet.Failed:
		return badInput(fmt.Errorf("worker %d is given up: %w", e.Worker, e.Err))
	}
	return nil
}

// segment does so many of the jobs that are left by a scheme.
func (t *stragglerTraining) segment(ctx context.Context, s straggler.Scheme, jobs int) error {
	p, err := s.Plan(t.c.Workers, jobs)
	if err != nil {
		return err
	}
	exact, err := straggler.Exact(p)
	if err != nil {
		return err
	}
	t.r.Exact = t.r.Exact && exact
	first, before := 0, 0
	for _, x := range t.r.Segments {
		first, before = first+x.Rounds, before+x.Jobs
	}
	t.rep.Say(fmt.Sprintf("%v: %s, each worker with %.4g of the data in a round, a gradient after %s", s, units.Plural(jobs, "job"), p.Load(),
		units.Plural(p.Delay()+1, "round")))
	crew := &stragglerCrew{t: t, plan: p, first: first, jobs: before, sums: map[straggler.Task]*straggler.Sum{}}
	o, err := straggler.Run(ctx, p, jobs, crew, t.rule, crew.finish)
	if err != nil {
		return err
	}
	x := StragglerSegment{StragglerScheme: schemeRow(s, p, o), Jobs: jobs, Rounds: len(o.Rounds), Predicted: Number(math.NaN())}
	if t.delays != nil {
		sim, err := straggler.Simulate(s, t.expected(), jobs, straggler.Simulation{Rule: t.rule, From: first})
		if err != nil {
			return err
		}
		x.Predicted = Number(sim.Seconds)
	}
	for _, r := range o.Rounds {
		t.r.Timeline = append(t.r.Timeline, timelineRound(r, s.String()))
	}
	t.r.Segments = append(t.r.Segments, x)
	return nil
}

// expected is the injected trace, with what the work itself takes where that is more.
func (t *stragglerTraining) expected() *straggler.Trace {
	e := *t.delays
	e.Load = 0
	e.Slope = max(e.Slope, t.compute*max(1, float64(t.c.Workers)/float64(runtime.NumCPU())))
	return &e
}

// auto does some jobs by plain waiting, and the others by what would be the fastest by those rounds.
func (t *stragglerTraining) auto(ctx context.Context) error {
	for left := t.c.Jobs; left > 0; {
		n := min(t.c.Probe, left)
		if err := t.segment(ctx, &straggler.None{}, n); err != nil {
			return err
		}
		if left -= n; left == 0 {
			t.tell("the run has no more jobs than those by which a scheme is chosen (--probe %d)", t.c.Probe)
			return nil
		}
		s, err := t.choose(ctx, n)
		if err != nil {
			return err
		}
		n = left
		if t.c.Reprobe > 0 {
			n = min(t.c.Reprobe, left)
		}
		if err := t.segment(ctx, s, n); err != nil {
			return err
		}
		left -= n
	}
	return nil
}

func (t *stragglerTraining) tell(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	t.r.Notes = append(t.r.Notes, n)
	t.rep.Note(n)
}

// choose selects a scheme by the last rounds.
func (t *stragglerTraining) choose(ctx context.Context, rounds int) (straggler.Scheme, error) {
	tr := t.measured(t.r.Timeline[len(t.r.Timeline)-rounds:])
	delay := len(t.trainings) - 1
	if t.c.Stale {
		delay = max(delay, 3)
	}
	best, tried, err := straggler.Select(ctx, tr, straggler.Search{Simulation: straggler.Simulation{Rule: t.rule}, MaxDelay: delay,
		Jobs: rounds})
	if err != nil {
		return nil, err
	}
	t.tell("of %d schemes with parameters %v is the fastest on the last %d rounds: %.3g s, by none %.3g s", tried, best[0].Scheme, rounds,
		best[0].Outcome.Seconds, best[slices.IndexFunc(best, func(c straggler.Choice) bool {
			return c.Scheme.String() == "none"
		})].Outcome.Seconds)
	return best[0].Scheme, nil
}

// measured is what rounds of plain waiting measured, as a trace.
func (t *stragglerTraining) measured(rounds []StragglerRound) *straggler.Trace {
	tr := &straggler.Trace{Load: 1 / float64(t.c.Workers), Seconds: make([][]float64, t.c.Workers)}
	for w := range tr.Seconds {
		for _, r := range rounds {
			tr.Seconds[w] = append(tr.Seconds[w], max(float64(r.At[w]), 0))
		}
	}
	if s := slices.Sorted(slices.Values(t.slopes)); len(s) > 0 {
		tr.Slope = s[len(s)/2]
	}
	return tr
}
