package job

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/fleet"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/straggler"
)

// prepare opens models and data.
func (c StragglerTrainConfig) prepare(ctx context.Context, rep Reporter) (*stragglerTraining, error) {
	t := &stragglerTraining{c: c, rep: rep, content_: map[string]fleet.Key{}, weights: map[int]fleet.Key{}, uses: map[fleet.Key]int{},
		results: make(chan stragglerAnswer, 64), events: make(chan fleet.Event, 1024)}
	t.rule, _ = c.Rule.rule()
	var err error
	if c.Delays.given() {
		d := c.Delays
		if d.Trace == "" {
			d.Workers, d.Rounds, d.Seed = c.Workers, max(d.Rounds, c.Jobs+16), c.Seed
		}
		if t.delays, _, err = d.read(); err != nil {
			return nil, err
		}
		switch n := t.delays.Workers(); {
		case n < c.Workers:
			return nil, usagef("--delay: the trace has %d workers, and there are %d: give --workers %[1]d", n, c.Workers)
		default:
			t.delays.Seconds = t.delays.Seconds[:c.Workers]
		}
	}
	names := map[string]bool{}
	for k, path := range c.Models {
		for rate := range max(1, len(c.Rates)) {
			note := Reporter(Quiet)
			if rate == 0 {
				note = rep
			}
			if t.c.Partitions == 0 {
				t.c.Partitions = 1 // until the data are known
			}
			f, part, err := t.c.opened(ctx, k, rate, c.Threads, note)
			if err != nil {
				return nil, err
			}
			if c.Partitions == 0 && len(t.trainings) == 0 {
				t.c.Partitions = min(12*c.Workers, f.train.Len())
				if f.cfg.BN != 0 {
					t.c.Partitions = min(t.c.Partitions, max(1, f.train.Len()/2))
				}
			}
			x := &stragglerTrainingOf{finetuning: f, model: k, part: part, ps: part.Optimised(f.cfg.NoDecay1D), accuracy: math.NaN()}
			x.name = strings.TrimSuffix(filepath.Base(strings.TrimPrefix(path, BuiltinPrefix)), ".onnx")
			if len(c.Rates) > 1 {
				x.name += fmt.Sprintf("-lr%g", f.lr)
			}
			for base, n := x.name, 2; names[x.name]; n++ {
				x.name = fmt.Sprintf("%s-%d", base, n)
			}
			names[x.name] = true
			i := len(t.trainings)
			x.steps = (c.Jobs - i + c.trainings() - 1) / c.trainings()
			timing := optim.Timing{Total: x.steps, Step: 1, Epoch: 1, Sample: 1 / float64(f.train.Len())}
			if x.schedule, err = optim.Begin(f.cfg.Schedule, timing); err != nil {
				return nil, usagef("--schedule: %v", err)
			}
			t.trainings = append(t.trainings, x)
		}
	}
	if n := t.trainings[0].train.Len(); t.c.Partitions > n {
		return nil, usagef("--partitions %d: there are %d examples", t.c.Partitions, n)
	}
	for k := range c.Models {
		tr := t.trainings[k*max(1, len(c.Rates))]
		s := newShards(tr.finetuning, t.c.Partitions, c.Seed)
		t.shards = append(t.shards, s)
		if err := t.measure(ctx, s, tr); err != nil {
			return nil, err
		}
	}
	for i, tr := range t.trainings { // those at other rates have the same weights still
		if first := t.trainings[tr.model*max(1, len(c.Rates))]; first != tr {
			tr.part.SameIdle(t.trainings[i-i%max(1, len(c.Rates))].part)
		}
	}
	t.report()
	return t, nil
}

// measure reads all partitions, of which it keeps the hashes, and sees how long one takes and which parameters have a gradient.
func (t *stragglerTraining) measure(ctx context.Context, s *shards, tr *stragglerTrainingOf) error {
	if err := tr.part.Load(tr.part.Weights()); err != nil {
		return err
	}
	s.left = 0 // only the hashes are wanted
	for p := range s.n {
		if _, _, err := s.batch(ctx, p); err != nil {
			return err
		}
	}
	least := math.Inf(1)
	for range 3 {
		begin := time.Now()
		sum := straggler.NewSum(tr.part.Len())
		if _, err := s.piece(ctx, tr.part, 0, 0, t.c.Seed, sum); err != nil {
			return err
		}
		least = min(least, time.Since(begin).Seconds())
	}
	t.compute = max(t.compute, least*float64(s.n))
	return tr.part.Load(tr.part.Weights())
}

// content is the hash of the data of a block.
func (t *stragglerTraining) content(p straggler.Plan, model, block int) fleet.Key {
	b := p.Blocks()[block]
	id := fmt.Sprint(model, p.Weight(), b)
	k, ok := t.content_[id]
	if !ok {
		var keys []fleet.Key
		for _, x := range t.terms(p, block) {
			for i := x.Lo; i < x.Hi; i++ {
				keys = append(keys, t.shards[model].keys[i])
			}
		}
		k = together(keys)
		t.content_[id] = k
	}
	return k
}

// terms are those of a block in partitions.
func (t *stragglerTraining) terms(p straggler.Plan, block int) []stragglerTerm {
	var out []stragglerTerm
	for _, x := range p.Blocks()[block].Terms {
		out = append(out, stragglerTerm{x.Lo * t.c.Partitions / p.Weight(), x.Hi * t.c.Partitions / p.Weight(), x.Coef})
	}
	return out
}

// task is a task of the plan as a worker takes it; its job is counted in the run.
func (t *stragglerTraining) task(ctx context.Context, p straggler.Plan, job, block int) (stragglerTask, error) {
	i := t.of(job)
	x := stragglerTask{Job: job, Block: block, Model: t.trainings[i].model, Step: job / len(t.trainings), Terms: t.terms(p, block)}
	for _, term := range x.Terms {
		x.Share += float64(term.Hi-term.Lo) / float64(t.c.Partitions)
	}
	var ok bool
	if x.Weights, ok = t.weights[job]; ok {
		return x, nil
	}
	var err error
	x.Weights, err = t.plane.Put(ctx, t.trainings[i].part.Weights()) // those at the beginning of the job's own round
	t.weights[job] = x.Weights
	t.uses[x.Weights]++
	return x, err
}

// step makes the step of a job from the sum over all data.
func (t *stragglerTraining) step(job int, total *straggler.Sum) error {
	x := t.trainings[t.of(job)]
	k := t.weights[job]
	delete(t.weights, job)
	if t.uses[k]--; t.uses[k] == 0 {
		delete(t.uses, k)
		t.hub.Forget(k)
	}
	got, ps, err := x.part.Gather(total.At, x.ps)
	if err != nil {
		return badInput(err)
	}
	x.done++
	x.losses, x.accuracy = append(x.losses, got.Loss), got.Accuracy
	lr := x.schedule.LR(x.done, x.steps)
	if err := x.cfg.Optimizer.Step(x.Pool(), optim.Step{N: x.done, LR: lr}, ps); err != nil {
		if errors.Is(err, optim.ErrNotFinite) {
			return badInput(fmt.Errorf("%s, step %d: %w: a lower --lr, or --clip-norm", x.name, x.done, err))
		}
		return fmt.Errorf("%s, step %d: %w", x.name, x.done, err)
	}
	if w, ok := x.schedule.(optim.Watcher); ok {
		w.See(optim.Outcome{Step: x.done, TrainLoss: got.Loss, ValLoss: math.NaN(), Metric: math.NaN()})
	}
	if t.stage != nil {
		t.stage.Set(job+1, fmt.Sprintf("%s loss %.4g", x.name, got.Loss))
	}
	return nil
}
