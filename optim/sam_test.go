package optim

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// A step of SAM is a step of the rule with the gradient at w + ρ·g/‖g‖, taken from w.
func TestSAM(t *testing.T) {
	t.Run("float64", testSAM[float64])
	t.Run("float32", testSAM[float32])
}

func testSAM[T Float](t *testing.T) {
	tol := 1e-14
	if _, single := any(T(0)).(float32); single {
		tol = 1e-5
	}
	for _, rule := range []string{"sgd", "adam", "soap"} {
		for _, adaptive := range []bool{false, true} {
			c := Config{ClipNorm: new(50.0), WeightDecay: new(0.01)}
			plain := mustNew(t, rule, c)
			c.SAM, c.SAMAdaptive = new(0.05), adaptive
			sam := mustNew(t, rule, c)
			x0 := []T{-1.2, 1, 0.3}
			got, want := param("w", x0), param("w", x0)
			at := func(p *Param, x []float64) {
				g := make([]float64, len(x))
				rosenbrock().gradient(x, g)
				copy(tensor.Data[T](p.G), cast[T](g))
			}
			for n := range 5 {
				w := cast[float64](tensor.Data[T](want.W))
				g := make([]float64, 3)
				rosenbrock().gradient(w, g)
				g = cast[float64](cast[T](g))
				e, norm := make([]float64, 3), 0.0
				for i, v := range g {
					by := 1.0
					if adaptive {
						by = math.Abs(w[i])
					}
					e[i], norm = by*by*v, math.Hypot(norm, by*v)
				}
				for i := range w {
					w[i] += 0.05 / norm * e[i]
				}
				at(want, cast[float64](cast[T](w)))
				s := Step{n + 1, 1e-3}
				mustStep(t, plain, nil, s, want)
				at(got, cast[float64](tensor.Data[T](got.W)))
				calls := 0
				err := sam.StepTwice(nil, s, []*Param{got}, func() error {
					calls++
					at(got, cast[float64](tensor.Data[T](got.W)))
					return nil
				})
				if err != nil || calls != 1 {
					t.Fatal(err, calls)
				}
				near(t, fmt.Sprint(rule, adaptive, " after step ", n+1), tensor.Data[T](got.W), cast[float64](tensor.Data[T](want.W)), tol)
			}
		}
	}
}

func TestSAMRefuses(t *testing.T) {
	o := mustNew(t, "sgd", Config{SAM: new(0.1)})
	p := param("w", []float64{1, 2})
	p.G.Bytes()[7] = 0x40
	gone := errors.New("gone")
	if err := o.StepTwice(nil, Step{1, 0.1}, []*Param{p}, func() error { return gone }); !errors.Is(err, gone) {
		t.Error(err)
	}
	w, g := data[float64](p)
	near(t, "weights after a failure", w, []float64{1, 2}, 0)
	if err := o.Step(nil, Step{1, 0.1}, []*Param{p}); err == nil || !strings.Contains(err.Error(), "StepTwice") {
		t.Error(err)
	}
	g[0] = math.Inf(1)
	if err := o.StepTwice(nil, Step{1, 0.1}, []*Param{p}, func() error { return nil }); !errors.Is(err, ErrNotFinite) {
		t.Error(err)
	}
	near(t, "weights after infinity", w, []float64{1, 2}, 0)
	for _, c := range []struct {
		rule string
		c    Config
	}{{"sgd", Config{SAMAdaptive: true}}, {"mezo", Config{SAM: new(0.1)}}, {"sgd", Config{SAM: new(0.0)}}} {
		if _, err := New(c.rule, c.c); err == nil {
			t.Errorf("%s takes %+v", c.rule, c.c)
		}
	}
	if err := mustNew(t, "sgd", Config{}).StepTwice(nil, Step{1, 0.1}, []*Param{p}, nil); err == nil {
		t.Error("a plain rule takes two gradients")
	}
}
