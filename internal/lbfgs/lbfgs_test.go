package lbfgs

import (
	"context"
	"errors"
	"math"
	"testing"
)

// Rosenbrock's valley in ten dimensions.
func TestMinimise(t *testing.T) {
	asked := 0
	valley := func(x, g []float64) (float64, error) {
		asked++
		clear(g)
		s := 0.0
		for i := range len(x) - 1 {
			a, b := x[i+1]-x[i]*x[i], 1-x[i]
			s += 100*a*a + b*b
			g[i] -= 400*a*x[i] + 2*b
			g[i+1] += 200 * a
		}
		return s, nil
	}
	x := make([]float64, 10)
	for i := range x {
		x[i] = -1.2 + 0.3*float64(i%3)
	}
	if err := Minimise(context.Background(), x, valley, Options{Steps: 500}); err != nil {
		t.Fatal(err)
	}
	for i, v := range x {
		if math.Abs(v-1) > 1e-3 {
			t.Errorf("x[%d] = %v, want 1", i, v)
		}
	}
	if asked > 400 {
		t.Errorf("the function was asked %d times", asked)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Minimise(ctx, make([]float64, 10), valley, Options{Steps: 10}); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
}

// An error of the function is given back with x at the lowest point so far; a step into what is not finite is shortened.
func TestEnds(t *testing.T) {
	trouble := errors.New("trouble")
	asked, best := 0, math.Inf(1)
	bowl := func(x, g []float64) (float64, error) {
		if asked++; asked == 4 {
			return 0, trouble
		}
		g[0] = 4 * math.Pow(x[0]-0.3, 3)
		best = min(best, math.Pow(x[0]-0.3, 4))
		return math.Pow(x[0]-0.3, 4), nil
	}
	x := []float64{1}
	if err := Minimise(context.Background(), x, bowl, Options{Steps: 50}); err != trouble || math.Pow(x[0]-0.3, 4) != best {
		t.Errorf("%v at %v, the lowest value was %v", err, x, best)
	}
	wall := func(x, g []float64) (float64, error) { // −log x − log(1−x), not finite from 1 on
		g[0] = 1/(1-x[0]) - 1/x[0]
		return -math.Log(x[0]) - math.Log(1-x[0]), nil
	}
	x = []float64{0.999}
	if err := Minimise(context.Background(), x, wall, Options{Steps: 50}); err != nil || math.Abs(x[0]-0.5) > 1e-4 {
		t.Errorf("%v at %v, want 0.5", err, x)
	}
	if err := Minimise(context.Background(), []float64{2}, wall, Options{Steps: 50}); err == nil {
		t.Error("a search that begins at NaN ends well")
	}
}
