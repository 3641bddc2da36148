package optim

import (
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(Info{
		Name: "gns", LR: 1, Schedule: "constant", Evaluates: "the loss, its gradient and products with its curvature over all examples",
		FullBatch: true, OwnLength: true,
		Doc:    "Gradient-Normalized Smoothness: Newton's step, regularised by the norm of the gradient and tried until the loss falls enough",
		Source: "https://arxiv.org/abs/2506.13710",
		make: func() Rule {
			return &gns{Hessian: string(GaussNewton), Gamma: 1, Tol: 1e-6, CGTol: 1e-2, CGMost: 200}
		},
	})
}

// gns takes h = −(H + λ·I)⁻¹·g with λ = ‖g‖/γ, a step no longer than γ where H is positive semidefinite, and keeps it when
//
//	f(x) − f(x+h) ≥ ‖g(x+h)‖²/(8·λ)
//
// after which γ is doubled; else γ is halved and the step tried again, at most 40 times. γ estimates the radius in which the gradient
// changes as H says, in lengths of the gradient, and is all that the rule remembers. The system is solved by conjugate gradients; where
// they meet a direction of negative curvature, γ is halved too. A step that no γ makes good leaves the weights where they are, and is the
// last.
//
// Source: "Gradient-Normalized Smoothness for Optimization with Approximate Hessians", https://arxiv.org/abs/2506.13710. The authors' code
// takes the last step that was tried, good or not, and one of an earlier try where a factorisation fails.
type gns struct {
	Hessian string  `opt:"gns-hessian" choices:"ggn|exact|wgn|fisher|none" doc:"curvature that gns takes: ggn, exact, wgn, fisher or none"`
	Gamma   float64 `opt:"gns-gamma0" range:"(0, ∞)" doc:"radius that gns begins with"`
	Tol     float64 `opt:"gns-tol" range:"[0, ∞)" doc:"norm of the gradient below which gns is done"`
	CGTol   float64 `opt:"cg-tol" range:"(0, 1)" doc:"residual of gns's linear system, as a share of the gradient"`
	CGMost  int     `opt:"cg-iterations" range:"[1, 1000000]" doc:"most products with the curvature for one try of gns"`

	gamma float64 // of the next try; 0 before the first

	evals, products          float64 // so far
	norm, lambda, took, ways float64 // of the last step: of the gradient after it, λ and γ that were kept, tries
	done                     bool    // no step would go further
}

const (
	gnsTries = 40
	gnsLeast = 1e-9
	gnsMost  = 1e12 // γ grows without bound where the loss has no minimum
)

func (r *gns) Name() string         { return "gns" }
func (r *gns) evaluation()          {}
func (r *gns) Curvature() Curvature { return Curvature(r.Hessian) }

// Done tells the norm of the gradient.
func (r *gns) Done() string {
	switch {
	case !r.done:
		return ""
	case r.norm < r.Tol || r.norm == 0:
		return fmt.Sprintf("the norm of the gradient is %.2g, below %g", r.norm, r.Tol)
	}
	return fmt.Sprintf("no step lowers the loss enough: the norm of the gradient is %.2g, as small as the precision of the loss, or the "+
		"curvature, lets it become", r.norm)
}

// Measures are the norm of the gradient after the last step, γ and λ of the step, its tries, and the gradients and products so far.
func (r *gns) Measures() iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		_ = yield("gradient", r.norm) && yield("gamma", r.took) && yield("lambda", r.lambda) && yield("tries", r.ways) &&
			yield("gradients", r.evals) && yield("products", r.products)
	}
}

func (r *gns) descend(ctx context.Context, _ Step, x []float64, obj Objective) error {
	was := *r
	if err := r.step(ctx, x, obj); err != nil {
		*r = was
		return err
	}
	return nil
}

func (r *gns) step(ctx context.Context, x []float64, obj Objective) error {
	var g, h, to, next []float64
	if err := vectors(len(x), &g, &h, &to, &next); err != nil {
		return err
	}
	f, err := obj.Gradient(ctx, x, g)
	if err != nil {
		return err
	}
	r.evals++
	if r.gamma == 0 {
		r.gamma = r.Gamma
	}
	r.norm, r.ways = euclid(g), 0
	if f-f != 0 || r.norm-r.norm != 0 {
		return fmt.Errorf("%w: the loss is %v, the norm of the gradient %v", ErrNotFinite, f, r.norm)
	}
	if r.done = r.norm < r.Tol || r.norm == 0; r.done {
		return nil
	}
	for try := 1; try <= gnsTries; try++ {
		lambda := r.norm / (r.gamma + 1e-8)
		solved, err := r.solve(ctx, x, g, lambda, h, obj)
		if err != nil {
			return err
		}
		if solved {
			for i, v := range h {
				to[i] = x[i] + v
			}
			f2, err := obj.Gradient(ctx, to, next)
			if err != nil {
				return err
			}
			r.evals++
			if norm := euclid(next); f-f2 >= norm*norm/(8*lambda) { // false for what is not finite
				copy(x, to)
				r.took, r.lambda, r.norm, r.ways = r.gamma, lambda, norm, float64(try)
				r.gamma = min(max(2*r.gamma, gnsLeast), gnsMost)
				r.done = r.norm < r.Tol || r.norm == 0
				return nil
			}
		}
		r.gamma /= 2
	}
	r.ways, r.done = gnsTries, true
	return nil
}

// solve makes h of (H + λ·I)·h = −g, and reports whether it did.
func (r *gns) solve(ctx context.Context, x, g []float64, lambda float64, h []float64, obj Objective) (bool, error) {
	if r.Curvature() == NoCurvature {
		for i, v := range g {
			h[i] = -v / lambda
		}
		return true, nil
	}
	product := func(v, av []float64) error {
		r.products++
		if err := obj.Product(ctx, x, v, av); err != nil {
			return err
		}
		for i, p := range v {
			av[i] += lambda * p
		}
		return nil
	}
	return conjugate(product, g, h, r.CGTol, r.CGMost)
}

// conjugate solves A·h = −g by conjugate gradients, to a residual of tol·‖g‖ or in most products. It is false where A is not positive
// definite along a direction that it goes, or a number is not finite.
//
// Source: Hestenes and Stiefel 1952, https://doi.org/10.6028/jres.049.044.
func conjugate(product func(v, av []float64) error, g, h []float64, tol float64, most int) (bool, error) {
	var res, p, ap []float64
	if err := vectors(len(g), &res, &p, &ap); err != nil {
		return false, err
	}
	clear(h)
	for i, v := range g {
		res[i] = -v
	}
	copy(p, res)
	rr := dot(res, res)
	goal := tol * math.Sqrt(rr)
	for range most {
		if math.Sqrt(rr) <= goal {
			break
		}
		if err := product(p, ap); err != nil {
			return false, err
		}
		curve := dot(p, ap)
		if !(curve > 0) || math.IsInf(curve, 0) {
			return false, nil
		}
		a := rr / curve
		for i := range h {
			h[i] += a * p[i]
			res[i] -= a * ap[i]
		}
		before := rr
		rr = dot(res, res)
		for i := range p {
			p[i] = res[i] + rr/before*p[i]
		}
	}
	return rr-rr == 0, nil
}

func (r *gns) remembered() []tensor.Named {
	return []tensor.Named{known("numbers", 8,
		[]float64{r.gamma, r.evals, r.products, r.norm, r.lambda, r.took, r.ways, b2f(r.done)})}
}

func (r *gns) recall(_ int, m *recollection) {
	if v := m.take("numbers", 1, 8); v != nil {
		r.gamma, r.evals, r.products, r.norm, r.lambda, r.took, r.ways, r.done = v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7] != 0
	}
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// euclid is the Euclidean norm of x. The largest magnitude is taken out, so that squares neither overflow nor vanish.
func euclid(x []float64) float64 {
	most := largest(x)
	if most == 0 || most-most != 0 {
		return most
	}
	sum := 0.0
	for _, v := range x {
		sum += (v / most) * (v / most)
	}
	return most * math.Sqrt(sum)
}
