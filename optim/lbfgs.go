package optim

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(Info{
		Name: "lbfgs", LR: 1, Schedule: "constant", Evaluates: "the loss and its gradient over all examples, several times a step",
		FullBatch: true,
		Doc:       "L-BFGS: Newton's direction from the last changes of the gradient, with a line search to the strong Wolfe conditions",
		Source:    "https://doi.org/10.1007/BF01589116",
		make: func() Rule {
			return &lbfgs{Iterations: 20, History: 10, GradTol: 1e-7, ChangeTol: 1e-9}
		},
	})
}

// lbfgs goes along −H·g, where H is the inverse Hessian that the pairs of the last changes of x and g tell, from γ·I with γ = ⟨s, y⟩/⟨y, y⟩
// of the last pair, and looks for a length that meets the strong Wolfe conditions. The length it tries first is the learning rate, in the
// first iteration that over ‖g‖₁ where this is above 1.
//
// Source: Liu and Nocedal 1989, https://doi.org/10.1007/BF01589116. Tolerances, first lengths, pairs that are not taken (⟨s, y⟩ ≤ 1e-10)
// and the most evaluations of a step (a quarter more than iterations) are those of PyTorch's LBFGS with line_search_fn="strong_wolfe",
// https://pytorch.org/docs/stable/generated/torch.optim.LBFGS.html, whose iterations these are; a loss that is not finite is no candidate
// here, but halves the length.
type lbfgs struct {
	Iterations int     `opt:"lbfgs-iterations" range:"[1, 1000000]" doc:"most iterations of a step of lbfgs"`
	History    int     `opt:"lbfgs-history" range:"[1, 10000]" doc:"changes of the gradient that lbfgs remembers"`
	GradTol    float64 `opt:"lbfgs-tol" range:"[0, ∞)" doc:"largest coordinate of the gradient at which lbfgs is done"`
	ChangeTol  float64 `opt:"lbfgs-change" range:"[0, ∞)" doc:"change of the loss, or of all coordinates, below which lbfgs is done"`

	n      int       // iterations so far
	length float64   // of the last step, along d
	d      []float64 // the last direction
	g      []float64 // gradient before it
	s, y   [][]float64
	sy     []float64 // their products
	gamma  float64

	evals, tries int     // so far; of the last step
	norm         float64 // largest coordinate of the gradient after the last step
	done         int     // why no step would go further, of those below; 0 while one may
}

const (
	lbfgsFlat = 1 + iota
	lbfgsNoWay
	lbfgsStill
	lbfgsLevel
)

func (r *lbfgs) Name() string         { return "lbfgs" }
func (r *lbfgs) evaluation()          {}
func (r *lbfgs) Curvature() Curvature { return "" }

// Done tells the tolerance that was met.
func (r *lbfgs) Done() string {
	switch r.done {
	case lbfgsFlat:
		return fmt.Sprintf("no coordinate of the gradient is above %g", r.GradTol)
	case lbfgsNoWay:
		return "no direction leads down any more"
	case lbfgsStill:
		return fmt.Sprintf("no coordinate moved by more than %g", r.ChangeTol)
	case lbfgsLevel:
		return fmt.Sprintf("the loss changed by less than %g", r.ChangeTol)
	}
	return ""
}

// Measures are the gradients taken so far, those of the last step, and the largest coordinate of the last of them.
func (r *lbfgs) Measures() iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		_ = yield("gradients", float64(r.evals)) && yield("step-gradients", float64(r.tries)) && yield("gradient", r.norm) &&
			yield("length", r.length)
	}
}

func (r *lbfgs) descend(ctx context.Context, st Step, x []float64, obj Objective) error {
	was, begin := r.snapshot(), slices.Clone(x)
	if err := r.iterate(ctx, st, x, obj); err != nil {
		*r = was
		copy(x, begin)
		return err
	}
	return nil
}

// snapshot is r with lists that later iterations do not write to; the vectors themselves they never do.
func (r *lbfgs) snapshot() lbfgs {
	c := *r
	c.s, c.y, c.sy = slices.Clone(r.s), slices.Clone(r.y), slices.Clone(r.sy)
	return c
}

func (r *lbfgs) iterate(ctx context.Context, st Step, x []float64, obj Objective) error {
	g, err := vector(len(x))
	if err != nil {
		return err
	}
	f, err := obj.Gradient(ctx, x, g)
	if err != nil {
		return err
	}
	r.evals, r.tries, r.norm, r.done = r.evals+1, 1, largest(g), 0
	if f-f != 0 || r.norm-r.norm != 0 {
		return fmt.Errorf("%w: the loss is %v, the largest coordinate of the gradient %v", ErrNotFinite, f, r.norm)
	}
	if r.norm <= r.GradTol {
		r.done = lbfgsFlat
		return nil
	}
	for i := 1; ; i++ {
		r.n++
		if err := r.direct(g); err != nil {
			return err
		}
		r.g = slices.Clone(g)
		r.length = st.LR
		if r.n == 1 {
			r.length *= min(1, 1/total(g))
		}
		slope := dot(g, r.d)
		if slope > -r.ChangeTol {
			r.done = lbfgsNoWay
			return nil
		}
		w := &wolfe{obj: obj, x: x, d: r.d, slope: slope, change: r.ChangeTol}
		to, err := w.search(ctx, point{f: f, g: g, slope: slope}, r.length)
		if err != nil {
			return err
		}
		for k, v := range r.d {
			x[k] += to.t * v
		}
		before := f
		f, g, r.length = to.f, to.g, to.t
		r.evals, r.tries, r.norm = r.evals+w.evals, r.tries+w.evals, largest(g)
		switch {
		case r.norm <= r.GradTol:
			r.done = lbfgsFlat
		case math.Abs(r.length)*largest(r.d) <= r.ChangeTol:
			r.done = lbfgsStill
		case math.Abs(f-before) < r.ChangeTol:
			r.done = lbfgsLevel
		}
		if r.done > 0 || i == r.Iterations || r.tries >= r.Iterations*5/4 {
			return nil
		}
	}
}

// direct takes the last change into the memory, and makes d of the gradient.
func (r *lbfgs) direct(g []float64) error {
	if r.n == 1 {
		r.s, r.y, r.sy, r.gamma = nil, nil, nil, 1
	} else {
		var s, y []float64
		if err := vectors(len(g), &s, &y); err != nil {
			return err
		}
		for i := range g {
			s[i], y[i] = r.length*r.d[i], g[i]-r.g[i]
		}
		if sy := dot(y, s); sy > 1e-10 {
			if len(r.s) == r.History {
				r.s, r.y, r.sy = slices.Delete(r.s, 0, 1), slices.Delete(r.y, 0, 1), slices.Delete(r.sy, 0, 1)
			}
			r.s, r.y, r.sy, r.gamma = append(r.s, s), append(r.y, y), append(r.sy, sy), sy/dot(y, y)
		}
	}
	d, err := vector(len(g))
	if err != nil {
		return err
	}
	for i, v := range g {
		d[i] = -v
	}
	a := make([]float64, len(r.s)) // the two loops of Nocedal 1980
	for i := len(r.s) - 1; i >= 0; i-- {
		a[i] = dot(r.s[i], d) / r.sy[i]
		for k, v := range r.y[i] {
			d[k] -= a[i] * v
		}
	}
	for k := range d {
		d[k] *= r.gamma
	}
	for i := range r.s {
		by := a[i] - dot(r.y[i], d)/r.sy[i]
		for k, v := range r.s[i] {
			d[k] += by * v
		}
	}
	r.d = d
	return nil
}

func (r *lbfgs) remembered() []tensor.Named {
	n := len(r.d)
	numbers := []float64{float64(r.n), r.length, r.gamma, float64(r.evals), float64(r.tries), r.norm, float64(r.done)}
	all := []tensor.Named{known("numbers", len(numbers), numbers), known("s", n, r.s...), known("y", n, r.y...), known("d", n), known("g", n)}
	if r.n > 0 {
		all[3], all[4] = known("d", n, r.d), known("g", n, r.g)
	}
	return all
}

func (r *lbfgs) recall(n int, m *recollection) {
	v := m.take("numbers", 1, 7)
	if v != nil && v[0] == 0 {
		n = 0 // nothing but a first gradient
	}
	d, g, s, y := m.take("d", -1, n), m.take("g", -1, n), m.take("s", -1, n), m.take("y", -1, n)
	switch {
	case m.errs != nil:
		return
	case len(s) != len(y) || len(s) > n*r.History || len(d) != n || len(g) != n:
		m.errs = append(m.errs, fmt.Errorf("%d numbers of s and %d of y do not fit a memory of %d", len(s), len(y), r.History))
		return
	}
	*r = lbfgs{Iterations: r.Iterations, History: r.History, GradTol: r.GradTol, ChangeTol: r.ChangeTol,
		n: int(v[0]), length: v[1], gamma: v[2], evals: int(v[3]), tries: int(v[4]), norm: v[5], done: int(v[6]), d: d, g: g}
	if n > 0 {
		r.s, r.y = slices.Collect(slices.Chunk(s, n)), slices.Collect(slices.Chunk(y, n))
		for i := range r.s {
			r.sy = append(r.sy, dot(r.y[i], r.s[i]))
		}
	}
}

// largest is the largest magnitude of x, NaN where there is one.
func largest(x []float64) float64 {
	m := 0.0
	for _, v := range x {
		m = max(m, math.Abs(v))
	}
	return m
}

// total is the sum of the magnitudes of x.
func total(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += math.Abs(v)
	}
	return sum
}
