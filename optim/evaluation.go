package optim

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

// Evaluation says how a step comes to its gradients where one gradient of the batch does not do: *[MeZO], *[SAM] or a [Descender].
type Evaluation interface{ evaluation() }

// Evaluation is how the optimiser evaluates the loss itself; nil for one that is handed a gradient, by Step.
func (o *Optimizer) Evaluation() Evaluation { return o.evaluate }

// Descender is a rule that moves all parameters at once and asks for the loss at points of its own choice. It stands alone: what other
// rules make of a gradient does not reach it. Its numbers are float64 whatever the parameters are; see [Optimizer.Descend].
type Descender interface {
	Rule
	Evaluation
	// Curvature is that of the products it asks for, "" for none.
	Curvature() Curvature
	// Done says why no step would go further, "" while one may.
	Done() string
	// Measures yields what it tells of the last step. See [Optimizer.Report].
	Measures() iter.Seq2[string, float64]

	// descend takes a step from x, in place. Where the objective fails x is as it was.
	descend(ctx context.Context, s Step, x []float64, obj Objective) error
	// remembered is all that the next step depends on; recall takes it back, for n coordinates.
	remembered() []tensor.Named
	recall(n int, r *recollection)
}

// Objective is a loss as a function of all trained numbers, in one vector, over the same examples each time. What it gives depends on the
// point only, to the bit. A loss that is not finite is no error.
type Objective interface {
	// Gradient writes the gradient at x to g and gives the loss.
	Gradient(ctx context.Context, x, g []float64) (float64, error)
	// Product writes to hv the product of the matrix of Descender.Curvature at x with v.
	Product(ctx context.Context, x, v, hv []float64) error
}

// Curvature is what stands for the second derivative of a loss ℓ of the outputs z of a model, z' being their Jacobian by the parameters.
type Curvature string

// The curvatures. All but the first are positive semidefinite where ℓ is convex in z.
const (
	ExactCurvature Curvature = "exact"  // the Hessian
	GaussNewton    Curvature = "ggn"    // z'ᵀ·∇²ℓ·z': the Hessian where z is linear in the parameters
	WeightedGN     Curvature = "wgn"    // of a softmax p, z'ᵀ·diag(p)·z': leaves out −ppᵀ
	Fisher         Curvature = "fisher" // of the data: the mean of gᵢ·gᵢᵀ over the gradients of the examples
	NoCurvature    Curvature = "none"   // zero
)

// Descend takes a step of a Descender with all of ps, whose gradients are not looked at. obj takes the weights of ps one after the other.
// Where weights are float32 the step goes on from the numbers that they are the rounding of. When it fails, or ctx ends, the weights are as
// they were.
func (o *Optimizer) Descend(ctx context.Context, s Step, ps []*Param, obj Objective) error {
	d, ok := o.evaluate.(Descender)
	if !ok {
		return errors.New("optim: the optimiser takes one gradient a step: call Step")
	}
	n := 0
	seen := map[string]bool{}
	for i, p := range ps {
		switch {
		case p == nil || p.W == nil || p.Name == "":
			return fmt.Errorf("optim: step %d: parameter %d has no name or no weights", s.N, i)
		case p.W.DType() != tensor.Float32 && p.W.DType() != tensor.Float64:
			return fmt.Errorf("optim: step %d: %q is %v; only float32 and float64 can be trained", s.N, p.Name, p.W)
		case seen[p.Name]:
			return fmt.Errorf("optim: step %d: parameter %q occurs twice", s.N, p.Name)
		}
		seen[p.Name] = true
		n += p.W.Len()
	}
	x, err := vector(n)
	if err != nil {
		return fmt.Errorf("optim: step %d: %w", s.N, err)
	}
	read(ps, x)
	if len(o.exact) == n && rounded(ps, o.exact) {
		copy(x, o.exact)
	} else if o.exact != nil && len(o.exact) != n {
		return fmt.Errorf("optim: step %d: %d numbers are trained, and %d were", s.N, n, len(o.exact))
	}
	before := slices.Clone(x)
	if o.decay != 0 {
		obj = newDecayed(obj, ps, o.decay)
	}
	if err := d.descend(ctx, s, x, obj); err != nil {
		write(ps, before)
		return fmt.Errorf("optim: step %d: %s: %w", s.N, d.Name(), err)
	}
	write(ps, x)
	o.exact = x
	return nil
}

// read writes the weights of ps to x, one after the other.
func read(ps []*Param, x []float64) {
	spans(ps, func(p *Param, lo, hi int) {
		if p.W.DType() == tensor.Float64 {
			copy(x[lo:hi], tensor.Data[float64](p.W))
			return
		}
		for i, v := range p.W.F32() {
			x[lo+i] = float64(v)
		}
	})
}

// write sets the weights of ps to x.
func write(ps []*Param, x []float64) {
	spans(ps, func(p *Param, lo, hi int) {
		if p.W.DType() == tensor.Float64 {
			copy(tensor.Data[float64](p.W), x[lo:hi])
			return
		}
		w := p.W.F32()
		for i, v := range x[lo:hi] {
			w[i] = float32(v)
		}
	})
}

// rounded reports whether the weights of ps are x.
func rounded(ps []*Param, x []float64) bool {
	same := true
	spans(ps, func(p *Param, lo, hi int) {
		if p.W.DType() == tensor.Float64 {
			same = same && slices.Equal(tensor.Data[float64](p.W), x[lo:hi])
			return
		}
		for i, v := range p.W.F32() {
			same = same && v == float32(x[lo+i])
		}
	})
	return same
}

// spans shows the range of every parameter in a vector of all.
func spans(ps []*Param, f func(p *Param, lo, hi int)) {
	at := 0
	for _, p := range ps {
		f(p, at, at+p.W.Len())
		at += p.W.Len()
	}
}

// decayed is an objective plus half the weight decay times the squared norm of the parameters that decay: in the loss, the gradient and
// the curvature alike.
type decayed struct {
	Objective
	wd []float64
}

func newDecayed(obj Objective, ps []*Param, wd float64) *decayed {
	d := &decayed{Objective: obj}
	spans(ps, func(p *Param, lo, hi int) {
		by := 0.0
		if p.Decay {
			by = wd
		}
		d.wd = append(d.wd, slices.Repeat([]float64{by}, hi-lo)...)
	})
	return d
}

func (d *decayed) Gradient(ctx context.Context, x, g []float64) (float64, error) {
	f, err := d.Objective.Gradient(ctx, x, g)
	sum := 0.0
	for i, w := range d.wd {
		g[i] += w * x[i]
		sum += w * x[i] * x[i]
	}
	return f + sum/2, err
}

func (d *decayed) Product(ctx context.Context, x, v, hv []float64) error {
	err := d.Objective.Product(ctx, x, v, hv)
	for i, w := range d.wd {
		hv[i] += w * v[i]
	}
	return err
}

// recollection is what a checkpoint has of a Descender, and what is wrong with it.
type recollection struct {
	have map[string]*tensor.Tensor // by name, without that of the rule
	errs []error
}

// take is the float64 numbers called name, rows of n of them where n is not 0; rows < 0 is any number of rows.
func (r *recollection) take(name string, rows, n int) []float64 {
	t := r.have[name]
	delete(r.have, name)
	shape := tensor.Shape{rows, n}
	if t != nil && rows < 0 && t.Rank() == 2 {
		shape[0] = t.Dim(0)
	}
	switch {
	case t == nil:
		r.errs = append(r.errs, fmt.Errorf("%q is missing", name))
	case t.DType() != tensor.Float64 || !t.Shape().Equal(shape):
		r.errs = append(r.errs, fmt.Errorf("%q is %v, want float64%v", name, t, shape))
	default:
		return slices.Clone(tensor.Data[float64](t))
	}
	return nil
}

// known is a matrix of rows of n numbers to remember.
func known(name string, n int, rows ...[]float64) tensor.Named {
	return tensor.Named{Name: name, Tensor: tensor.From(slices.Concat(rows...), len(rows), n)}
}

// descenderState is State of an optimiser with a Descender.
func (o *Optimizer) descenderState(d Descender) iter.Seq2[string, *tensor.Tensor] {
	return func(yield func(string, *tensor.Tensor) bool) {
		if o.exact == nil {
			return
		}
		for _, x := range append(d.remembered(), known("x", len(o.exact), o.exact)) {
			if !yield(d.Name()+"."+x.Name, x.Tensor) {
				return
			}
		}
	}
}

// recallDescender is Restore of an optimiser with a Descender, for n trained numbers: what have holds, or nothing where it is empty.
func (o *Optimizer) recallDescender(d Descender, n int, have map[string]*tensor.Tensor) []error {
	if len(have) == 0 {
		return nil
	}
	r := &recollection{have: map[string]*tensor.Tensor{}}
	for k, t := range have {
		if len(k) > len(d.Name()) && k[:len(d.Name())+1] == d.Name()+"." {
			r.have[k[len(d.Name())+1:]] = t
			continue
		}
		r.errs = append(r.errs, fmt.Errorf("%q belongs to no parameter and rule here", k))
	}
	x := r.take("x", 1, n)
	d.recall(n, r)
	for k := range r.have {
		r.errs = append(r.errs, fmt.Errorf("%q belongs to no parameter and rule here", d.Name()+"."+k))
	}
	if r.errs == nil {
		o.exact = x
	}
	return r.errs
}

// vector is a vector of zeros of all trained numbers. The error is that of the account of memory.
func vector(n int) ([]float64, error) {
	t, err := tensor.Make("a vector of all trained numbers in double precision", tensor.Float64, n)
	if err != nil {
		return nil, err
	}
	return tensor.Data[float64](t), nil
}

// vectors are several of them.
func vectors(n int, into ...*[]float64) error {
	for _, v := range into {
		var err error
		if *v, err = vector(n); err != nil {
			return err
		}
	}
	return nil
}

// dot is the scalar product of a and b.
func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}
