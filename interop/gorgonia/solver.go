package gorgonia

import (
	G "gorgonia.org/gorgonia"
	T "gorgonia.org/tensor"

	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/optim"
)

// Option changes what Solver makes.
type Option func(*solver)

// LearnRate sets a learning rate that stays; 0.001 unless given.
func LearnRate(lr float64) Option {
	return func(s *solver) { s.schedule = optim.Constant(lr) }
}

// Schedule sets the learning rate by the step; total is the number of steps of the training.
func Schedule(sch optim.Schedule, total int) Option {
	return func(s *solver) { s.schedule, s.total = sch, total }
}

// Resume lets the first step be number n+1 of the schedule, after optim.Optimizer.Restore.
func Resume(n int) Option { return func(s *solver) { s.n = n } }

// Decay says which values weight decay applies to; to all of them unless given, as with gorgonia's solvers.
func Decay(f func(v G.ValueGrad) bool) Option { return func(s *solver) { s.decay = f } }

// Pool runs the steps on the threads of p instead of one.
func Pool(p *parallel.Pool) Option { return func(s *solver) { s.pool = p } }

// Solver is the gorgonia.Solver that steps with o. As gorgonia's own solvers it sets the gradients to zero
// after a step, and its model must be the same values in the same order each time. After an error, weights
// and gradients are as [optim.Optimizer.Step] leaves them.
func Solver(o *optim.Optimizer, opts ...Option) G.Solver {
	s := &solver{o: o, schedule: optim.Constant(0.001)}
	for _, f := range opts {
		f(s)
	}
	return s
}

type solver struct {
	o        *optim.Optimizer
	pool     *parallel.Pool
	schedule optim.Schedule
	decay    func(G.ValueGrad) bool
	n, total int
}

// Step takes one step with all values of the model.
func (s *solver) Step(model []G.ValueGrad) error {
	ps, err := Params(model)
	if err != nil {
		return err
	}
	if s.decay != nil {
		for i, p := range ps {
			p.Decay = s.decay(model[i])
		}
	}
	n := s.n + 1
	if err := s.o.Step(s.pool, optim.Step{N: n, LR: s.schedule.LR(n, s.total)}, ps); err != nil {
		return err
	}
	s.n = n
	for i, m := range model {
		clear(ps[i].G.Bytes())
		if g, err := m.Grad(); err == nil {
			if d, ok := g.(*T.Dense); ok && !plain(d) {
				d.Zero()
			}
		}
	}
	return nil
}
