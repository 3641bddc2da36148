package straggler

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// Simulation says what is simulated beside scheme and trace.
type Simulation struct {
	Rule
	// Nominal charges every worker with the whole load in every round, as the authors' program does; without it a worker takes as long as
	// what it is given, which is less in the first and last rounds of M-SGC.
	Nominal bool
	// Overhead is what a round takes beside, in seconds.
	Overhead float64
	// From is the round of the trace with which the run begins.
	From int
}

// Simulate is how a run of so many jobs would go, with workers as slow as those of the trace.
func Simulate(s Scheme, t *Trace, jobs int, o Simulation) (*Outcome, error) {
	p, err := s.Plan(t.Workers(), jobs)
	if err != nil {
		return nil, err
	}
	out, err := Run(context.Background(), p, jobs, &simulated{t: t, p: p, o: o}, o.Rule, nil)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", s, err)
	}
	return out, nil
}

// simulated are workers in a time of their own.
type simulated struct {
	t     *Trace
	p     Plan
	o     Simulation
	round int
	queue []Answer // in the order of their times
	now   float64
}

// load is the share of the data that tasks go through.
func (c *simulated) load(tasks []Task) float64 {
	if c.o.Nominal {
		return c.p.Load()
	}
	return Share(c.p, tasks)
}

// Share is the share of the data that tasks of a plan go through.
func Share(p Plan, tasks []Task) float64 {
	switch q := p.(type) {
	case *gcPlan, *srPlan: // their blocks are alike, and those of a cyclic code take long to make
		return float64(len(tasks)) * p.Load()
	case *mPlan:
		return float64(len(tasks)*q.chunk) / float64(q.weight)
	}
	b, n := p.Blocks(), 0
	for _, x := range tasks {
		n += b[x.Block].Weight()
	}
	return float64(n) / float64(p.Weight())
}

func (c *simulated) Begin(_ context.Context, round int, tasks [][]Task) error {
	c.round, c.queue, c.now = round, c.queue[:0], 0
	for w, x := range tasks {
		if len(x) > 0 {
			c.queue = append(c.queue, Answer{Worker: w, At: c.t.At(w, c.o.From+round, c.load(x))})
		}
	}
	c.sort()
	return nil
}

func (c *simulated) sort() {
	slices.SortStableFunc(c.queue, func(a, b Answer) int {
		switch {
		case a.At < b.At:
			return -1
		case a.At > b.At:
			return 1
		}
		return a.Worker - b.Worker
	})
}

func (c *simulated) Next(_ context.Context, deadline float64) (Answer, bool, error) {
	if len(c.queue) == 0 || c.queue[0].At > deadline {
		if math.IsInf(deadline, 1) {
			return Answer{}, false, fmt.Errorf("straggler: round %d waits for nobody", c.round)
		}
		c.now = deadline
		return Answer{}, false, nil
	}
	a := c.queue[0]
	c.queue = c.queue[1:]
	c.now = a.At
	return a, true, nil
}

func (c *simulated) More(_ context.Context, tasks [][]Task) error {
	for w, x := range tasks {
		at := c.now
		for _, task := range x {
			at += c.t.At(w, c.o.From+c.round, c.load([]Task{task}))
			c.queue = append(c.queue, Answer{w, at, &task})
		}
	}
	c.sort()
	return nil
}

func (c *simulated) End(at float64) float64 { return at + c.o.Overhead }
