package optim

import (
	"fmt"
	"math"
	"testing"
)

// lbfgsGolden is what testdata/gen/lbfgs_golden.py writes.
type lbfgsGolden struct {
	X     [][]float64
	Y     []int
	A     [][]float64
	B     []float64
	Cases []struct {
		Problem    string
		X0         []float64
		LR         float64
		Iterations int
		History    int
		X          [][]float64
		Evals      []float64
	}
}

func (v lbfgsGolden) problem(name string) *objective {
	switch name {
	case "rosenbrock":
		return rosenbrock()
	case "softmax":
		o := regression(v.X, v.Y, 3, GaussNewton)
		return &objective{gradient: func(x, g []float64) float64 {
			f := o.gradient(x, g)
			for i, w := range x {
				f += 5e-4 * w * w
				g[i] += 1e-3 * w
			}
			return f
		}}
	case "quadratic":
		return &objective{gradient: func(x, g []float64) float64 {
			f := 0.0
			for i, a := range v.A {
				ax := dot(a, x)
				g[i] = ax - v.B[i]
				f += x[i] * (ax/2 - v.B[i])
			}
			return f
		}}
	}
	return &objective{gradient: func(x, g []float64) float64 {
		f := (x[0] - 1) * (x[0] - 1)
		for i, w := range x {
			f += w * w * w * w
			g[i] = 4 * w * w * w
		}
		g[0] += 2 * (x[0] - 1)
		return f
	}}
}

// The trajectories, and the numbers of evaluations, of PyTorch's LBFGS with its line search.
func TestLBFGSAgreesWithPyTorch(t *testing.T) {
	v := readJSON[lbfgsGolden](t, "lbfgs.json")
	if len(v.Cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range v.Cases {
		t.Run(fmt.Sprint(c.Problem, c.LR, c.Iterations), func(t *testing.T) {
			o := mustNew(t, "lbfgs", Config{Options: Values{"lbfgs-iterations": c.Iterations, "lbfgs-history": c.History}})
			p := param("w", c.X0)
			for n, want := range c.X {
				if err := o.Descend(t.Context(), Step{n + 1, c.LR}, []*Param{p}, v.problem(c.Problem)); err != nil {
					t.Fatal(err)
				}
				w, _ := data[float64](p)
				near(t, fmt.Sprint("after step ", n+1), w, want, 1e-9)
				if got := measures(o)["lbfgs.gradients"]; got != c.Evals[n] {
					t.Errorf("%v evaluations by step %d, want %v", got, n+1, c.Evals[n])
				}
			}
		})
	}
}

// A loss that is not finite halves the length.
func TestLBFGSBacksOff(t *testing.T) {
	o := mustNew(t, "lbfgs", Config{})
	wall := &objective{gradient: func(x, g []float64) float64 {
		if x[0] <= 0 {
			g[0] = math.NaN()
			return math.NaN()
		}
		g[0] = 1 - 1/x[0]
		return x[0] - math.Log(x[0])
	}}
	xs, _ := descend(t, o, wall, []float64{0.1}, 1, 3)
	near(t, "the minimum", xs[2], []float64{1}, 1e-6)
	xs, _ = descend(t, mustNew(t, "lbfgs", Config{}), wall, []float64{40}, 100, 3)
	near(t, "the minimum from afar", xs[2], []float64{1}, 1e-6)
}
