package optim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// objective is a function with its gradient and products.
type objective struct {
	gradient func(x, g []float64) float64
	product  func(x, v, hv []float64)
	err      error // of the gradient, once after is 0
	after    int
}

func (o *objective) Gradient(_ context.Context, x, g []float64) (float64, error) {
	if o.after--; o.err != nil && o.after < 0 {
		return 0, o.err
	}
	return o.gradient(x, g), nil
}

func (o *objective) Product(_ context.Context, x, v, hv []float64) error {
	o.product(x, v, hv)
	return nil
}

// rosenbrock is the sum of 100·(x_{i+1} − x_i²)² + (1 − x_i)² with its Hessian.
func rosenbrock() *objective {
	return &objective{
		gradient: func(x, g []float64) float64 {
			clear(g)
			f := 0.0
			for i := range len(x) - 1 {
				a, b := x[i+1]-x[i]*x[i], 1-x[i]
				f += 100*a*a + b*b
				g[i] += -400*a*x[i] - 2*b
				g[i+1] += 200 * a
			}
			return f
		},
		product: func(x, v, hv []float64) {
			clear(hv)
			for i := range len(x) - 1 {
				hv[i] += (1200*x[i]*x[i]-400*x[i+1]+2)*v[i] - 400*x[i]*v[i+1]
				hv[i+1] += 200*v[i+1] - 400*x[i]*v[i]
			}
		},
	}
}

// regression is softmax regression on X [N,d] with labels y: the mean cross-entropy of W [K,d], with the products of a curvature.
func regression(x [][]float64, y []int, k int, c Curvature) *objective {
	n, d := len(x), len(x[0])
	probabilities := func(w []float64) [][]float64 {
		p := make([][]float64, n)
		for i := range n {
			p[i] = make([]float64, k)
			most, sum := math.Inf(-1), 0.0
			for j := range k {
				p[i][j] = dot(w[j*d:(j+1)*d], x[i])
				most = max(most, p[i][j])
			}
			for j := range k {
				p[i][j] = math.Exp(p[i][j] - most)
				sum += p[i][j]
			}
			for j := range k {
				p[i][j] /= sum
			}
		}
		return p
	}
	back := func(i int, e, out []float64) {
		for j := range k {
			for m := range d {
				out[j*d+m] += e[j] * x[i][m] / float64(n)
			}
		}
	}
	return &objective{
		gradient: func(w, g []float64) float64 {
			clear(g)
			f := 0.0
			for i, p := range probabilities(w) {
				f -= math.Log(p[y[i]]) / float64(n)
				p[y[i]]--
				back(i, p, g)
			}
			return f
		},
		product: func(w, v, hv []float64) {
			clear(hv)
			for i, p := range probabilities(w) {
				a := make([]float64, k)
				for j := range k {
					a[j] = dot(v[j*d:(j+1)*d], x[i])
				}
				mean := dot(p, a)
				for j := range k {
					switch c {
					case Fisher:
						continue
					case WeightedGN:
						a[j] *= p[j]
					default:
						a[j] = p[j] * (a[j] - mean)
					}
				}
				if c == Fisher {
					s := mean - a[y[i]]
					p[y[i]]--
					for j := range k {
						a[j] = s * p[j]
					}
				}
				back(i, a, hv)
			}
		},
	}
}

// descend takes steps from x0 and gives the weights after each.
func descend[T Float](t *testing.T, o *Optimizer, obj Objective, x0 []T, lr float64, steps int) (xs [][]T, p *Param) {
	t.Helper()
	p = param("w", x0)
	for n := range steps {
		if err := o.Descend(t.Context(), Step{n + 1, lr}, []*Param{p}, obj); err != nil {
			t.Fatal(err)
		}
		xs = append(xs, slices.Clone(tensor.Data[T](p.W)))
	}
	return xs, p
}

// measures is what the optimiser reports.
func measures(o *Optimizer) map[string]float64 { return maps.Collect(o.Report()) }

// descenders are configurations of all rules that move all parameters at once, on Rosenbrock's valley.
var descenders = map[string][]Config{
	"lbfgs": {{}, {Options: Values{"lbfgs-iterations": 2, "lbfgs-history": 2}}, {WeightDecay: new(0.01)}},
	"gns": {{Options: Values{"gns-hessian": "exact", "cg-tol": 1e-10}}, {WeightDecay: new(0.01), Options: Values{"gns-hessian": "exact"}},
		{Options: Values{"gns-hessian": "none", "gns-gamma0": 0.1}}},
}

func TestEveryDescenderIsTested(t *testing.T) {
	for name, i := range Rules() {
		if _, ok := i.make().(Descender); ok != (descenders[name] != nil) {
			t.Errorf("%s has no row here, or should not", name)
		}
	}
}

// A run that is stopped after each number of steps, saved and restored goes on to the same bits, whatever the type of the parameters.
func TestDescendersRestore(t *testing.T) {
	for name, cs := range descenders {
		for i, c := range cs {
			t.Run(fmt.Sprint(name, i), func(t *testing.T) {
				restoreDescender(t, name, c, []float64{-1.2, 1, 0.3})
				restoreDescender(t, name, c, []float32{-1.2, 1, 0.3})
			})
		}
	}
}

func restoreDescender[T Float](t *testing.T, name string, c Config, x0 []T) {
	const steps = 6
	want, _ := descend(t, mustNew(t, name, c), rosenbrock(), x0, 1, steps)
	for stop := range steps {
		o := mustNew(t, name, c)
		_, p := descend(t, o, rosenbrock(), x0, 1, stop)
		saved := map[string]*tensor.Tensor{}
		for k, v := range o.State() {
			saved[k] = v.Clone()
		}
		told, done := measures(o), o.Evaluation().(Descender).Done()
		o = mustNew(t, name, c)
		if err := o.Restore([]*Param{p}, maps.All(saved)); err != nil {
			t.Fatal(err)
		}
		if got := measures(o); stop > 0 && !maps.Equal(got, told) {
			t.Errorf("after %d steps it tells %v, and told %v", stop, got, told)
		}
		if got := o.Evaluation().(Descender).Done(); got != done {
			t.Errorf("done is %q, was %q", got, done)
		}
		for n := stop; n < steps; n++ {
			if err := o.Descend(t.Context(), Step{n + 1, 1}, []*Param{p}, rosenbrock()); err != nil {
				t.Fatal(err)
			}
		}
		if got := tensor.Data[T](p.W); !slices.Equal(got, want[steps-1]) {
			t.Errorf("stopped after %d steps: %v, want %v", stop, got, want[steps-1])
		}
		if stop == 0 {
			continue
		}
		for k := range saved {
			less := maps.Clone(saved)
			delete(less, k)
			if err := mustNew(t, name, c).Restore([]*Param{p}, maps.All(less)); err == nil {
				t.Errorf("without %s it is restored all the same", k)
			}
			less[k] = tensor.New(tensor.Float64, 1, 2)
			if err := mustNew(t, name, c).Restore([]*Param{p}, maps.All(less)); err == nil {
				t.Errorf("with another shape of %s it is restored all the same", k)
			}
		}
	}
}

// Both find the minimum of Rosenbrock's valley, and tell that they have.
func TestDescendersConverge(t *testing.T) {
	for name, c := range map[string]Config{"lbfgs": {}, "gns": {Options: Values{"gns-hessian": "exact", "cg-tol": 1e-8}}} {
		o := mustNew(t, name, c)
		xs, _ := descend(t, o, rosenbrock(), []float64{-1.2, 1, 0.3}, 1, 60)
		near(t, name, xs[59], []float64{1, 1, 1}, 1e-5)
		if o.Evaluation().(Descender).Done() == "" {
			t.Errorf("%s is not done: %v", name, measures(o))
		}
	}
}

// Weight decay is half of it times the squared norm, in the loss, the gradient and the curvature, of the parameters that decay.
func TestDescendersDecay(t *testing.T) {
	inner := rosenbrock()
	outer := &objective{
		gradient: func(x, g []float64) float64 {
			f := inner.gradient(x, g)
			for i := range 2 {
				g[i] += 0.3 * x[i]
				f += 0.15 * x[i] * x[i]
			}
			return f
		},
		product: func(x, v, hv []float64) {
			inner.product(x, v, hv)
			for i := range 2 {
				hv[i] += 0.3 * v[i]
			}
		},
	}
	for name, c := range map[string]Config{"lbfgs": {}, "gns": {Options: Values{"gns-hessian": "exact"}}} {
		var got [2][]float64
		for i, obj := range []Objective{inner, outer} {
			ps := []*Param{param("a", []float64{-1.2, 1}), param("b", []float64{0.3})}
			ps[1].Decay = false
			if c.WeightDecay = nil; i == 0 {
				c.WeightDecay = new(0.3)
			}
			o := mustNew(t, name, c)
			for n := range 4 {
				if err := o.Descend(t.Context(), Step{n + 1, 1}, ps, obj); err != nil {
					t.Fatal(err)
				}
			}
			got[i] = slices.Concat(tensor.Data[float64](ps[0].W), tensor.Data[float64](ps[1].W))
		}
		near(t, name, got[0], got[1], 1e-9)
	}
}

// What fails leaves weights and state as they were.
func TestDescendersFail(t *testing.T) {
	gone := errors.New("gone")
	for name, c := range map[string]Config{"lbfgs": {Options: Values{"lbfgs-iterations": 2}},
		"gns": {Options: Values{"gns-hessian": "exact"}}} {
		want, _ := descend(t, mustNew(t, name, c), rosenbrock(), []float64{-1.2, 1}, 1, 4)
		o, p := mustNew(t, name, c), param("w", []float64{-1.2, 1})
		for n := range 4 {
			bad := rosenbrock()
			bad.err, bad.after = gone, n%2
			before := slices.Clone(tensor.Data[float64](p.W))
			if err := o.Descend(t.Context(), Step{n + 1, 1}, []*Param{p}, bad); !errors.Is(err, gone) {
				t.Fatal(err)
			}
			near(t, "weights after a failure", tensor.Data[float64](p.W), before, 0)
			if err := o.Descend(t.Context(), Step{n + 1, 1}, []*Param{p}, rosenbrock()); err != nil {
				t.Fatal(err)
			}
		}
		near(t, name+" among failures", tensor.Data[float64](p.W), want[3], 0)
		nan := &objective{gradient: func(_, g []float64) float64 { clear(g); return math.NaN() }}
		if err := mustNew(t, name, c).Descend(t.Context(), Step{1, 1}, []*Param{p}, nan); !errors.Is(err, ErrNotFinite) {
			t.Errorf("%s of NaN: %v", name, err)
		}
		if err := o.Step(nil, Step{5, 1}, []*Param{p}); err == nil || !strings.Contains(err.Error(), "Descend") {
			t.Errorf("%s takes a plain step: %v", name, err)
		}
		for _, c := range []Config{{EMA: new(0.9)}, {ClipNorm: new(1.0)}, {DecoupledDecay: true}, {SAM: new(0.1)}, {Lookahead: 2}} {
			if _, err := New(name, c); err == nil || !strings.Contains(err.Error(), "coupled weight decay") {
				t.Errorf("%s with %+v: %v", name, c, err)
			}
		}
	}
}
