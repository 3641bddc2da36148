package gorgonia

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	T "gorgonia.org/tensor"

	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

func draw[F optim.Float](r *rand.Rand, n int) []F {
	x := make([]F, n)
	for i := range x {
		x[i] = F(r.NormFloat64())
	}
	return x
}

func newDense[F optim.Float](x []F, shape ...int) *T.Dense {
	return T.New(T.WithShape(shape...), T.WithBacking(x))
}

// near fails unless |got − want| ≤ tol·max(1, |want|) for each element.
func near[F optim.Float](t *testing.T, what string, got, want []F, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	for i := range want {
		g, w := float64(got[i]), float64(want[i])
		if d := math.Abs(g - w); !(d <= tol*max(1, math.Abs(w))) {
			t.Errorf("%s: element %d is %.9g, want %.9g", what, i, g, w)
		}
	}
}

func mustNew(t *testing.T, rule string, c optim.Config) *optim.Optimizer {
	t.Helper()
	o, err := optim.New(rule, c)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// pairs are gorgonia's solvers and the same of ours; gorgonia's momentum is ours with the learning rate inside, equal while the rate
// stays.
var pairs = map[string]struct {
	theirs func() G.Solver
	rule   string
	c      optim.Config
}{
	"vanilla": {func() G.Solver { return G.NewVanillaSolver(G.WithLearnRate(0.01)) }, "sgd", optim.Config{}},
	"vanilla with L2": {func() G.Solver { return G.NewVanillaSolver(G.WithLearnRate(0.01), G.WithL2Reg(0.1)) }, "sgd",
		optim.Config{WeightDecay: new(0.1)}},
	"momentum": {func() G.Solver { return G.NewMomentum(G.WithLearnRate(0.01), G.WithMomentum(0.8)) }, "sgd",
		optim.Config{Options: optim.Values{"momentum": 0.8}}},
	"adam": {func() G.Solver { return G.NewAdamSolver(G.WithLearnRate(0.01)) }, "adam", optim.Config{}},
	"adam with betas": {func() G.Solver { return G.NewAdamSolver(G.WithLearnRate(0.01), G.WithBeta1(0.8), G.WithBeta2(0.95)) }, "adam",
		optim.Config{Options: optim.Values{"beta1": 0.8, "beta2": 0.95}}},
}

func TestAgreesWithGorgoniasSolvers(t *testing.T) {
	for name, p := range pairs {
		t.Run(name+"/float32", func(t *testing.T) { agree[float32](t, p.theirs(), mustNew(t, p.rule, p.c), 1e-5) })
		t.Run(name+"/float64", func(t *testing.T) { agree[float64](t, p.theirs(), mustNew(t, p.rule, p.c), 1e-12) })
	}
}

// agree steps the same values with gorgonia's solver and with our optimiser as a gorgonia.Solver, 20 times.
func agree[F optim.Float](t *testing.T, theirs G.Solver, o *optim.Optimizer, tol float64) {
	r := rand.New(rand.NewPCG(3, 4))
	a, b := draw[F](r, 6), draw[F](r, 4)
	models := make([][]valueGrad, 2)
	for i := range models {
		models[i] = []valueGrad{
			{newDense(slices.Clone(a), 2, 3), newDense(make([]F, 6), 2, 3)},
			{newDense(slices.Clone(b), 4), newDense(make([]F, 4), 4)},
		}
	}
	solvers := []G.Solver{theirs, Solver(o, LearnRate(0.01))}
	for n := 1; n <= 20; n++ {
		for i := range 2 {
			x := draw[F](r, 6)
			for _, m := range models {
				copy(elems[F](m[i].g), x)
			}
		}
		for k, s := range solvers {
			if err := s.Step([]G.ValueGrad{models[k][0], models[k][1]}); err != nil {
				t.Fatal(err)
			}
			for _, v := range models[k] {
				if slices.ContainsFunc(elems[F](v.g), func(x F) bool { return x != 0 }) {
					t.Fatalf("step %d: the gradient was not zeroed", n)
				}
			}
		}
		for i := range 2 {
			near(t, fmt.Sprintf("step %d, value %d", n, i), elems[F](models[1][i].w), elems[F](models[0][i].w), tol)
		}
	}
}

func elems[F optim.Float](d *T.Dense) []F { return d.Data().([]F) }

func TestFromSolver(t *testing.T) {
	for name, p := range pairs {
		t.Run(name+"/float32", func(t *testing.T) { foreign[float32](t, p.theirs(), mustNew(t, p.rule, p.c), 1e-5) })
		t.Run(name+"/float64", func(t *testing.T) { foreign[float64](t, p.theirs(), mustNew(t, p.rule, p.c), 1e-12) })
	}
}

func foreign[F optim.Float](t *testing.T, theirs G.Solver, o *optim.Optimizer, tol float64) {
	f, err := FromSolver(theirs)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	w, g := draw[F](r, 6), make([]F, 6)
	ours := &optim.Param{Name: "w", W: tensor.From(slices.Clone(w), 2, 3), G: tensor.From(g, 2, 3), Decay: true}
	their := &optim.Param{Name: "w", W: tensor.From(slices.Clone(w), 2, 3), G: tensor.From(g, 2, 3)}
	for n := 1; n <= 20; n++ {
		copy(g, draw[F](r, 6))
		before := slices.Clone(g)
		s := optim.Step{N: n, LR: 0.03} // not the rate that the solver was made with
		if err := f.Step(nil, s, []*optim.Param{their}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(g, before) {
			t.Fatal("the gradient was changed")
		}
		if err := o.Step(nil, s, []*optim.Param{ours}); err != nil {
			t.Fatal(err)
		}
		near(t, fmt.Sprint("step ", n), tensor.Data[F](their.W), tensor.Data[F](ours.W), tol)
	}
}

func TestFromSolverRMSProp(t *testing.T) {
	f, err := FromSolver(G.NewRMSPropSolver(G.WithRho(0.9), G.WithEps(1e-8)))
	if err != nil {
		t.Fatal(err)
	}
	p := &optim.Param{Name: "w", W: tensor.From([]float64{1}), G: tensor.From([]float64{0})}
	w, v := 1.0, 0.0
	for n := 1; n <= 20; n++ {
		g := math.Sin(float64(n))
		tensor.Data[float64](p.G)[0] = g
		v = 0.9*v + 0.1*g*g
		w -= 0.01 * g / math.Sqrt(v+1e-8)
		if err := f.Step(nil, optim.Step{N: n, LR: 0.01}, []*optim.Param{p}); err != nil {
			t.Fatal(err)
		}
		near(t, fmt.Sprint("step ", n), tensor.Data[float64](p.W), []float64{w}, 1e-12)
	}
}

func TestFromSolverRefuses(t *testing.T) {
	for _, s := range []G.Solver{nil, G.NewAdaGradSolver(), G.NewAdamW(), G.NewBarzilaiBorweinSolver()} {
		if _, err := FromSolver(s); err == nil {
			t.Errorf("%T was taken", s)
		}
	}
	p := func(name string) *optim.Param {
		return &optim.Param{Name: name, W: tensor.New(tensor.Float32, 2), G: tensor.New(tensor.Float32, 2)}
	}
	f, err := FromSolver(G.NewAdamSolver())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Step(nil, optim.Step{N: 1, LR: 0.1}, []*optim.Param{p("a")}); err != nil {
		t.Fatal(err)
	}
	integers := &optim.Param{Name: "a", W: tensor.New(tensor.Int64, 2), G: tensor.New(tensor.Int64, 2)}
	shape := p("a")
	shape.G = tensor.New(tensor.Float32, 3)
	for want, ps := range map[string][]*optim.Param{
		`it was "a"`:             {p("b")},
		"2 parameters, 1":        {p("a"), p("b")},
		"int64[2]":               {integers},
		"gradient is float32[3]": {shape},
		"no weights":             {nil},
	} {
		if err := f.Step(nil, optim.Step{N: 2, LR: 0.1}, ps); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// A transposed view as gradient is read in the order of its shape, and zeroed too.
func TestTransposedGradient(t *testing.T) {
	w := newDense(make([]float32, 6), 2, 3)
	g := newDense([]float32{1, 4, 2, 5, 3, 6}, 3, 2)
	if err := g.T(); err != nil {
		t.Fatal(err)
	}
	if err := Solver(mustNew(t, "sgd", optim.Config{}), LearnRate(1)).Step([]G.ValueGrad{valueGrad{w, g}}); err != nil {
		t.Fatal(err)
	}
	near(t, "weights", w.Float32s(), []float32{-1, -2, -3, -4, -5, -6}, 0)
	near(t, "gradient", g.Float32s(), make([]float32, 6), 0)
}

func TestScalars(t *testing.T) {
	a, b := scalarVG{G.NewF32(1), G.NewF32(2)}, scalarVG{G.NewF64(1), G.NewF64(4)}
	if err := Solver(mustNew(t, "sgd", optim.Config{}), LearnRate(0.25)).Step([]G.ValueGrad{a, b}); err != nil {
		t.Fatal(err)
	}
	if x, y := a.w.Data().(float32), b.w.Data().(float64); x != 0.5 || y != 0 {
		t.Errorf("got %v and %v", x, y)
	}
	if x, y := a.g.Data().(float32), b.g.Data().(float64); x != 0 || y != 0 {
		t.Errorf("gradients stay at %v and %v", x, y)
	}
}

type scalarVG struct{ w, g G.Value }

func (v scalarVG) Value() G.Value         { return v.w }
func (v scalarVG) Grad() (G.Value, error) { return v.g, nil }

type noGrad struct{ scalarVG }

func (noGrad) Name() string           { return "head" }
func (noGrad) Grad() (G.Value, error) { return nil, errors.New("none") }

func TestSolverRefuses(t *testing.T) {
	f := func(x ...float32) *T.Dense { return newDense(x, len(x)) }
	transposed := newDense(make([]float32, 6), 2, 3)
	if err := transposed.T(); err != nil {
		t.Fatal(err)
	}
	for want, m := range map[string]G.ValueGrad{
		"parameter 0: is nil":        nil,
		"0:head: no gradient":        noGrad{},
		"*gorgonia.I is not":         scalarVG{G.NewI(1), G.NewI(1)},
		"int":                        valueGrad{T.New(T.WithBacking([]int{1})), T.New(T.WithBacking([]int{1}))},
		"not contiguous":             valueGrad{transposed, newDense(make([]float32, 6), 3, 2)},
		"its gradient is float32[2]": valueGrad{f(1), f(1, 2)},
		"gradient is not finite":     valueGrad{f(1), f(float32(math.NaN()))},
		"is not a dense tensor":      scalarVG{nil, nil},
	} {
		err := Solver(mustNew(t, "adam", optim.Config{})).Step([]G.ValueGrad{m})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestScheduleDecayResume(t *testing.T) {
	pool := parallel.New(2)
	defer pool.Close()
	sch := optim.Warmup{Steps: 3, Then: optim.Cosine{Max: 0.1}}
	type run struct {
		model []G.ValueGrad
		o     *optim.Optimizer
	}
	begin := func() run {
		r := rand.New(rand.NewPCG(1, 1))
		w, b := newDense(draw[float32](r, 8), 4, 2), newDense(draw[float32](r, 2), 2)
		return run{[]G.ValueGrad{valueGrad{w, newDense(make([]float32, 8), 4, 2)}, valueGrad{b, newDense(make([]float32, 2), 2)}},
			mustNew(t, "diffgrad", optim.Config{WeightDecay: new(0.1)})}
	}
	decay := func(v G.ValueGrad) bool { return v.Value().Shape().Dims() > 1 }
	steps := func(s G.Solver, m []G.ValueGrad, from, to int) {
		for n := from; n <= to; n++ {
			r := rand.New(rand.NewPCG(2, uint64(n)))
			for _, v := range m {
				copy(v.(valueGrad).g.Float32s(), draw[float32](r, v.Value().Shape().TotalSize()))
			}
			if err := s.Step(m); err != nil {
				t.Fatal(err)
			}
		}
	}
	a, b := begin(), begin()
	steps(Solver(a.o, Schedule(sch, 8), Decay(decay), Pool(pool)), a.model, 1, 8)

	steps(Solver(b.o, Schedule(sch, 8), Decay(decay)), b.model, 1, 4)
	ps, err := Params(b.model)
	if err != nil {
		t.Fatal(err)
	}
	again := mustNew(t, "diffgrad", optim.Config{WeightDecay: new(0.1)})
	if err := again.Restore(ps, b.o.State()); err != nil {
		t.Fatal(err)
	}
	steps(Solver(again, Schedule(sch, 8), Decay(decay), Resume(4)), b.model, 5, 8)
	for i := range a.model {
		near(t, fmt.Sprint("value ", i), b.model[i].(valueGrad).w.Float32s(), a.model[i].(valueGrad).w.Float32s(), 0)
	}
}
