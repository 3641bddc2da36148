package gorgonia

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	T "gorgonia.org/tensor"

	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

// Foreign steps gtk's parameters with a solver of gorgonia. Its Step is used as optim.Optimizer's is.
// What the solver remembers cannot be saved; weight decay is the solver's own and applies to all parameters.
type Foreign struct {
	solver G.Solver
	names  []string
	model  []G.ValueGrad
}

// FromSolver is the optimiser that steps with s: a VanillaSolver, Momentum, AdamSolver or RMSPropSolver. It
// refuses others: gorgonia's AdaGradSolver ignores its learning rate and its AdamW steps graph nodes only.
func FromSolver(s G.Solver) (*Foreign, error) {
	switch s.(type) {
	case *G.VanillaSolver, *G.Momentum, *G.AdamSolver, *G.RMSPropSolver:
		return &Foreign{solver: s}, nil
	}
	return nil, fmt.Errorf("gorgonia: no optimiser from %T; VanillaSolver, Momentum, AdamSolver and RMSPropSolver can be used", s)
}

// Step takes one step with all of ps, at the learning rate of s rather than the solver's. The parameters must be
// the same in each step, because the solver knows them by their place. The solver runs on one thread.
func (f *Foreign) Step(_ *parallel.Pool, s optim.Step, ps []*optim.Param) error {
	fail := func(format string, a ...any) error {
		return fmt.Errorf("gorgonia: step %d: "+format, append([]any{s.N}, a...)...)
	}
	if math.IsNaN(s.LR) || math.IsInf(s.LR, 0) {
		return fail("learning rate is %v", s.LR)
	}
	if f.names != nil && len(ps) != len(f.names) {
		return fail("%d parameters, %d in the step before", len(ps), len(f.names))
	}
	model := f.model[:0]
	for i, p := range ps {
		if p == nil || p.W == nil || p.G == nil || p.W.Len() == 0 {
			return fail("parameter %d has no weights or no gradient", i)
		}
		if f.names != nil && f.names[i] != p.Name {
			return fail("parameter %d is %q, it was %q in the step before", i, p.Name, f.names[i])
		}
		if p.G.DType() != p.W.DType() || !p.G.Shape().Equal(p.W.Shape()) {
			return fail("parameter %q is %v, its gradient is %v", p.Name, p.W, p.G)
		}
		w := denseOf(p.W)
		if w == nil {
			return fail("parameter %q is %v; only float32 and float64 can be trained", p.Name, p.W)
		}
		// The solver works in the gradient's memory and zeroes it, so it gets a copy.
		model = append(model, valueGrad{w, denseOf(p.G.Clone())})
	}
	if f.names == nil {
		f.names = []string{}
		for _, p := range ps {
			f.names = append(f.names, p.Name)
		}
	}
	f.model = model
	G.WithLearnRate(s.LR)(f.solver)
	if err := f.solver.Step(model); err != nil {
		return fail("%T: %w", f.solver, err)
	}
	return nil
}

// denseOf is the Dense that shares the memory of t, nil for a type that gorgonia does not train.
func denseOf(t *tensor.Tensor) *T.Dense {
	shape := T.WithShape(t.Shape()...)
	if t.Rank() == 0 {
		shape = T.WithShape(1)
	}
	switch t.DType() {
	case tensor.Float32:
		return T.New(shape, T.WithBacking(t.F32()))
	case tensor.Float64:
		return T.New(shape, T.WithBacking(tensor.Data[float64](t)))
	}
	return nil
}

// valueGrad is a parameter as gorgonia's solvers see it.
type valueGrad struct{ w, g *T.Dense }

func (v valueGrad) Value() G.Value         { return v.w }
func (v valueGrad) Grad() (G.Value, error) { return v.g, nil }
