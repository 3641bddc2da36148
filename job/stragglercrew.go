package job

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gtk-onnx/gtk/fleet"
	"github.com/gtk-onnx/gtk/straggler"
)

// stragglerCrew are real workers, as the scheduler sees them (straggler.Crew), for one segment of a run.
type stragglerCrew struct {
	t      *stragglerTraining
	plan   straggler.Plan
	first  int // round of the run with which the segment begins
	jobs   int // of the run that were done before
	begin  time.Time
	round  int // of the run
	orders int
	more   map[int]straggler.Task // backups under way, by task index; of this round
	sums   map[straggler.Task]*straggler.Sum
}

// stragglerAnswer is a result as it came.
type stragglerAnswer struct {
	head stragglerResult
	sums []byte
	at   time.Time
	err  error
}

// answers pulls results until ctx ends.
func (t *stragglerTraining) answers(ctx context.Context) {
	for {
		m, err := t.plane.Pull(ctx, subjectResult)
		if err != nil {
			return
		}
		a := stragglerAnswer{at: time.Now()}
		a.head, a.sums, a.err = parseResult(m.Body)
		_ = t.plane.Ack(ctx, m) // of a hub in memory
		select {
		case t.results <- a:
		case <-ctx.Done():
			return
		}
	}
}

func parseResult(b []byte) (h stragglerResult, sums []byte, err error) {
	if len(b) < 4 {
		return h, nil, errors.New("a result that is cut")
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return h, nil, errors.New("a result that is cut")
	}
	if err := json.Unmarshal(b[4:4+n], &h); err != nil {
		return h, nil, fmt.Errorf("the head of a result: %w", err)
	}
	return h, b[4+n:], nil
}

func (c *stragglerCrew) Begin(ctx context.Context, round int, tasks [][]straggler.Task) error {
	c.round, c.begin, c.more = c.first+round, time.Now(), map[int]straggler.Task{}
	for w, x := range tasks {
		if err := c.order(ctx, w, x, false); err != nil {
			return err
		}
	}
	return nil
}

// order hands tasks to a worker. An order of a round takes the place of all before, also where it is to do nothing.
func (c *stragglerCrew) order(ctx context.Context, w int, tasks []straggler.Task, backup bool) error {
	o := stragglerOrder{Round: c.round, Backup: backup}
	if d := c.t.delays; d != nil {
		o.Delay, o.Slope = d.Seconds[w][c.round%d.Rounds()], d.Slope
	}
	for _, x := range tasks {
		one, err := c.t.task(ctx, c.plan, c.jobs+x.Job, x.Block)
		if err != nil {
			return err
		}
		o.Tasks = append(o.Tasks, one)
	}
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	c.orders++
	return c.t.plane.Publish(ctx, fleet.Message{Subject: subjectWork(w), ID: fmt.Sprintf("%d/%d/%d", c.round, w, c.orders), Last: !backup,
		Body: b})
}

func (c *stragglerCrew) More(ctx context.Context, tasks [][]straggler.Task) error {
	for w, x := range tasks {
		if len(x) > 0 {
			if err := c.order(ctx, w, x, true); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *stragglerCrew) Next(ctx context.Context, deadline float64) (straggler.Answer, bool, error) {
	var over <-chan time.Time
	if !math.IsInf(deadline, 1) {
		timer := time.NewTimer(time.Until(c.begin.Add(time.Duration(deadline * float64(time.Second)))))
		defer timer.Stop()
		over = timer.C
	}
	for {
		select {
		case <-ctx.Done():
			return straggler.Answer{}, false, ctx.Err()
		case <-over:
			return straggler.Answer{}, false, nil
		case e := <-c.t.events:
			if err := c.t.happened(e); err != nil {
				return straggler.Answer{}, false, err
			}
		case a := <-c.t.results:
			if a.err != nil {
				return straggler.Answer{}, false, a.err
			}
			if a.head.Round != c.round || a.head.Worker < 0 || a.head.Worker >= c.t.c.Workers {
				continue // of a round that is over
			}
			answer, err := c.take(a)
			return answer, err == nil, err
		}
	}
}

// take keeps the sums of an answer.
func (c *stragglerCrew) take(a stragglerAnswer) (straggler.Answer, error) {
	h := a.head
	if h.Error != "" {
		if h.Wrong {
			return straggler.Answer{}, badInput(fmt.Errorf("round %d, worker %d: %s: a lower --lr, or --clip-norm", c.round, h.Worker, h.Error))
		}
		return straggler.Answer{}, badInput(fmt.Errorf("round %d, worker %d: %s", c.round, h.Worker, h.Error))
	}
	c.t.alive(h.Worker)
	rest := a.sums
	answer := straggler.Answer{Worker: h.Worker, At: a.at.Sub(c.begin).Seconds()}
	for _, x := range h.Sums {
		if x.Bytes < 0 || x.Bytes > len(rest) || x.Job < c.jobs || x.Block < 0 || x.Block >= len(c.plan.Blocks()) {
			return answer, fmt.Errorf("the result of worker %d is cut", h.Worker)
		}
		task := straggler.Task{Job: x.Job - c.jobs, Block: x.Block}
		if h.Backup {
			answer.Backup = &task
		}
		b := rest[:x.Bytes]
		rest = rest[x.Bytes:]
		if c.sums[task] != nil {
			continue // somebody else was first, with the same
		}
		tr := c.t.trainings[c.t.of(x.Job)]
		if want := c.t.content(c.plan, tr.model, x.Block); want != x.Data {
			return answer, badInput(fmt.Errorf("worker %d has other data than the coordinator: did a file change meanwhile?", h.Worker))
		}
		s, err := straggler.DecodeSum(b, tr.part.Len())
		if err != nil {
			return answer, fmt.Errorf("worker %d: %w", h.Worker, err)
		}
		c.sums[task] = s
	}
	if !h.Backup && h.Share > 0 {
		c.t.slopes = append(c.t.slopes, h.Work/h.Share)
	}
	return answer, nil
}

func (c *stragglerCrew) End(float64) float64 { return time.Since(c.begin).Seconds() }

// finish makes the step of the job that is due at the end of a round of the segment.
func (c *stragglerCrew) finish(round int) error {
	job := round - c.plan.Delay()
	if job < 0 {
		return nil
	}
	parts, ok := c.plan.Decode(job)
	if !ok {
		return fmt.Errorf("job %d is not done", c.jobs+job)
	}
	tr := c.t.trainings[c.t.of(c.jobs+job)]
	total := straggler.NewSum(tr.part.Len())
	for _, x := range parts {
		s := c.sums[straggler.Task{Job: job, Block: x.Block}]
		if s == nil {
			return fmt.Errorf("job %d lacks block %d", c.jobs+job, x.Block)
		}
		if err := total.AddScaled(x.Coef, s); err != nil {
			return err
		}
	}
	for task := range c.sums {
		if task.Job == job {
			delete(c.sums, task)
		}
	}
	return c.t.step(c.jobs+job, total)
}
