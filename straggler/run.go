package straggler

import (
	"context"
	"fmt"
	"math"
)

// Crew are workers, real or simulated, as the scheduler sees them. Times are seconds since the round began.
type Crew interface {
	// Begin hands out the tasks of a round, by worker. What is left of the round before is given up.
	Begin(ctx context.Context, round int, tasks [][]Task) error
	// Next waits for the next worker that has done all that it was given in this round, but not beyond the deadline: ok is false then.
	Next(ctx context.Context, deadline float64) (a Answer, ok bool, err error)
	// More hands out further tasks of the round, which a worker does after what it has. Next tells of them task by task.
	More(ctx context.Context, tasks [][]Task) error
	// End is the end of the round, so many seconds after it began.
	End(at float64) (seconds float64)
}

// Answer says that a worker has done what it was given.
type Answer struct {
	Worker int
	At     float64
	Backup *Task // what was done in place of somebody else; nil for the worker's own
}

// Rule says how long a round is.
type Rule struct {
	// Mu is the patience: who has not answered after (1+Mu) times what the fastest worker took is late.
	Mu float64
	// Early ends a round that waits, because too many were late, as soon as those who still are may be left out. Without it all are waited
	// for, as in the paper.
	Early bool
}

// Outcome is how a run went.
type Outcome struct {
	Load    float64
	Delay   int
	Seconds float64 // of all rounds
	Waits   int     // rounds that had to wait for workers that were late
	Left    int     // answers that were not waited for
	Again   int     // backup tasks that were begun
	Rounds  []Round
}

// Round is one round.
type Round struct {
	Start, Seconds float64
	Waited         bool
	At             []float64 // when each worker had answered; NaN for who had nothing to do, or did not
	Busy           []bool    // who had something to do
	Late           []bool    // who was left out
	Backups        []Answer  // what was done in place of others
}

// Run holds the rounds of a plan: it hands out what the plan says, waits for (1+Mu) times the fastest worker, leaves out who is late then,
// if the plan can do without, and else waits for all. after is called at the end of each round with the results of it known to the plan;
// it may be nil. Every job can be decoded at the end of round t+T, or that is an error.
func Run(ctx context.Context, p Plan, jobs int, c Crew, rule Rule, after func(round int) error) (*Outcome, error) {
	o := &Outcome{Load: p.Load(), Delay: p.Delay()}
	for t := range jobs + o.Delay {
		r, err := round(ctx, p, t, c, rule, o)
		if err != nil {
			return o, err
		}
		r.Start = o.Seconds
		o.Seconds += r.Seconds
		o.Rounds = append(o.Rounds, r)
		if job := t - o.Delay; job >= 0 {
			if _, ok := p.Decode(job); !ok {
				return o, fmt.Errorf("straggler: job %d is not done at the end of round %d", job, t) // a plan that breaks its word
			}
		}
		if after != nil {
			if err := after(t); err != nil {
				return o, err
			}
		}
	}
	return o, nil
}

// round holds one round.
func round(ctx context.Context, p Plan, t int, c Crew, rule Rule, o *Outcome) (Round, error) {
	tasks := p.Assign(t)
	n := len(tasks)
	r := Round{At: make([]float64, n), Busy: make([]bool, n), Late: make([]bool, n)}
	left := 0
	for w, x := range tasks {
		r.At[w] = math.NaN()
		if r.Busy[w] = len(x) > 0; r.Busy[w] {
			left++
		}
	}
	if left == 0 {
		p.Close(t, r.Late)
		return r, nil
	}
	if err := c.Begin(ctx, t, tasks); err != nil {
		return r, err
	}
	late := func() []bool {
		l := make([]bool, n)
		for w := range l {
			l[w] = r.Busy[w] && math.IsNaN(r.At[w])
		}
		return l
	}
	var order []int            // in which they answered
	covered := make([]bool, n) // by a backup
	deadline, now := math.Inf(1), 0.0
	for left > 0 {
		a, ok, err := c.Next(ctx, deadline)
		if err != nil {
			return r, err
		}
		if ok {
			now = a.At
			if a.Backup != nil {
				r.Backups = append(r.Backups, a)
				if w := a.Backup.Block; math.IsNaN(r.At[w]) && !covered[w] {
					covered[w] = true
					left--
				}
				continue
			}
			if len(order) == 0 {
				deadline = (1 + rule.Mu) * a.At
			}
			order = append(order, a.Worker)
			r.At[a.Worker] = a.At
			if !covered[a.Worker] {
				left--
			}
			if r.Waited && rule.Early && left > 0 {
				if l := late(); p.Fits(t, l) {
					r.Late = l
					break
				}
			}
			continue
		}
		now = deadline
		l := late()
		if p.Fits(t, l) {
			r.Late = l
			break
		}
		deadline = math.Inf(1)
		if b, does := p.(Backuper); does {
			more := b.Backup(t, l, order)
			for _, x := range more {
				o.Again += len(x)
			}
			if err := c.More(ctx, more); err != nil {
				return r, err
			}
			continue
		}
		r.Waited = true
		o.Waits++
	}
	r.Seconds = c.End(now)
	o.Left += count(r.Late)
	p.Close(t, r.Late)
	return r, nil
}
