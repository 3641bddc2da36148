package optim

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

type gnsTrace struct {
	A, X  [][]float64
	B     []float64
	Y     []int
	K     int
	Mu    float64
	P     float64
	X0    []float64
	W0    []float64
	Steps []gnsStep
}

type gnsStep struct {
	X        []float64
	F        float64
	GradNorm float64 `json:"grad_norm"`
	Gamma    float64 `json:"gamma_accepted"`
	Lam      float64
	Tries    float64
}

// The traces of the spec: weights, losses, norms, radii and numbers of tries.
func TestGNSVectors(t *testing.T) {
	type file struct {
		Rosenbrock struct {
			X0    []float64
			Steps []gnsStep
		} `json:"rosenbrock_exact_hessian"`
		LSE      gnsTrace `json:"logsumexp_exact"`
		LSEW     gnsTrace `json:"logsumexp_weighted_gauss_newton"`
		P4       gnsTrace `json:"p4_norm_fisher_term_B_identity"`
		Softmax  gnsTrace `json:"softmax_regression_ggn"`
		Fisher   gnsTrace `json:"softmax_regression_empirical_fisher"`
		Weighted gnsTrace `json:"softmax_regression_weighted_gn_diag"`
	}
	v := readJSON[file](t, "gns.json")
	agreeGNS(t, "rosenbrock", gnsTrace{Steps: v.Rosenbrock.Steps}, v.Rosenbrock.X0, ExactCurvature, rosenbrock())
	agreeGNS(t, "logsumexp", v.LSE, v.LSE.X0, ExactCurvature, logSumExp(v.LSE, false))
	agreeGNS(t, "logsumexp weighted", v.LSEW, v.LSEW.X0, WeightedGN, logSumExp(v.LSEW, true))
	agreeGNS(t, "p4", v.P4, v.P4.X0, Fisher, norm4(v.P4))
	for name, s := range map[Curvature]gnsTrace{GaussNewton: v.Softmax, Fisher: v.Fisher, WeightedGN: v.Weighted} {
		agreeGNS(t, "softmax "+string(name), s, s.W0, name, regression(s.X, s.Y, s.K, name))
	}
}

func agreeGNS(t *testing.T, name string, v gnsTrace, x0 []float64, c Curvature, obj *objective) {
	t.Run(name, func(t *testing.T) {
		if len(v.Steps) == 0 {
			t.Fatal("no steps")
		}
		o := mustNew(t, "gns", Config{Options: Values{"gns-hessian": string(c), "cg-tol": 1e-15, "gns-tol": 0}})
		p := param("w", x0)
		for n, want := range v.Steps {
			if err := o.Descend(t.Context(), Step{n + 1, 1}, []*Param{p}, obj); err != nil {
				t.Fatal(err)
			}
			w, g := data[float64](p)
			f, m := obj.gradient(w, g), measures(o)
			what := fmt.Sprint("step ", n+1)
			near(t, what, w, want.X, 1e-9)
			near(t, what+": loss, norm, radius, lambda, tries", []float64{f, m["gns.gradient"], m["gns.gamma"], m["gns.lambda"],
				m["gns.tries"]}, []float64{want.F, want.GradNorm, want.Gamma, want.Lam, want.Tries}, 1e-9)
		}
	})
}

// logSumExp is μ·log Σ exp((⟨a_i, x⟩ − b_i)/μ), with its Hessian or the weighted Gauss-Newton matrix.
func logSumExp(v gnsTrace, weighted bool) *objective {
	p := func(x []float64) ([]float64, float64) {
		var z []float64
		most, sum := math.Inf(-1), 0.0
		for i, a := range v.A {
			z = append(z, (dot(a, x)-v.B[i])/v.Mu)
			most = max(most, z[i])
		}
		for i := range z {
			z[i] = math.Exp(z[i] - most)
			sum += z[i]
		}
		for i := range z {
			z[i] /= sum
		}
		return z, v.Mu * (most + math.Log(sum))
	}
	return &objective{
		gradient: func(x, g []float64) float64 {
			clear(g)
			p, f := p(x)
			for i, a := range v.A {
				for k := range g {
					g[k] += p[i] * a[k]
				}
			}
			return f
		},
		product: func(x, d, hd []float64) {
			clear(hd)
			p, _ := p(x)
			mean := 0.0
			for i, a := range v.A {
				mean += p[i] * dot(a, d)
			}
			if weighted {
				mean = 0
			}
			for i, a := range v.A {
				for k := range hd {
					hd[k] += p[i] * (dot(a, d) - mean) / v.Mu * a[k]
				}
			}
		},
	}
}

// norm4 is ‖A·x − b‖^p/p, with the Fisher term of its Hessian.
func norm4(v gnsTrace) *objective {
	grad := func(x, g []float64) float64 {
		var u []float64
		sum := 0.0
		for i, a := range v.A {
			u = append(u, dot(a, x)-v.B[i])
			sum += u[i] * u[i]
		}
		clear(g)
		for i, a := range v.A {
			for k := range g {
				g[k] += math.Pow(sum, (v.P-2)/2) * u[i] * a[k]
			}
		}
		return math.Pow(sum, v.P/2) / v.P
	}
	return &objective{gradient: grad, product: func(x, d, hd []float64) {
		g := make([]float64, len(x))
		f := grad(x, g)
		for k := range hd {
			hd[k] = (v.P - 2) / (v.P * f) * g[k] * dot(g, d) // ‖u‖^(p−4)·(Jᵀu)(Jᵀu)ᵀ is ‖u‖^(−p)·g·gᵀ
		}
	}}
}

// Where the curvature is the one it is not, radii shrink until a step is a short one of gradient descent.
func TestGNSWithoutPromise(t *testing.T) {
	wrong := rosenbrock()
	wrong.product = func(_, v, hv []float64) { // negative definite
		for i := range v {
			hv[i] = -1e4 * v[i]
		}
	}
	o := mustNew(t, "gns", Config{Options: Values{"gns-hessian": "exact"}})
	xs, p := descend(t, o, wrong, []float64{-1.2, 1}, 1, 3)
	_, g := data[float64](p)
	if f := rosenbrock().gradient(xs[2], g); !(f < 24) {
		t.Errorf("the loss is %v", f)
	}
	// A loss that lies about its gradient admits no step: the weights stay, and it says so.
	liar := rosenbrock()
	liar.gradient = func(x, g []float64) float64 { g[0], g[1] = 1, 0; return -x[0] }
	o = mustNew(t, "gns", Config{Options: Values{"gns-hessian": "none"}})
	xs, _ = descend(t, o, liar, []float64{-1.2, 1}, 1, 1)
	near(t, "weights", xs[0], []float64{-1.2, 1}, 0)
	if d := o.Evaluation().(Descender).Done(); !strings.Contains(d, "no step lowers the loss") {
		t.Error(d)
	}
}
