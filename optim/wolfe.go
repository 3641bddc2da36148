package optim

import (
	"context"
	"math"
)

// wolfe looks along d from x for a point that meets the strong Wolfe conditions, f(t) ≤ f(0) + c₁·t·f'(0) and |f'(t)| ≤ c₂·|f'(0)|: by
// cubic extrapolation until an interval must hold one, and cubic interpolation in it.
//
// Source: Nocedal and Wright, "Numerical Optimization", algorithms 3.5 and 3.6 and equation 3.59, with the safeguards of minFunc
// (M. Schmidt, https://www.cs.ubc.ca/~schmidtm/Software/minFunc.html) as PyTorch has them.
type wolfe struct {
	obj    Objective
	x, d   []float64
	slope  float64 // f'(0)
	change float64 // an interval that moves no coordinate by more is not divided

	at    []float64 // scratch
	evals int
}

const (
	armijo      = 1e-4 // c₁
	curvature   = 0.9  // c₂
	searchMost  = 25   // trials
	searchGrows = 10   // longest next trial, in lengths of the last
)

// point is the loss at x + t·d.
type point struct {
	t, f, slope float64
	g           []float64
}

// evaluate is the point at t.
func (w *wolfe) evaluate(ctx context.Context, t float64) (point, error) {
	p := point{t: t}
	var err error
	if w.at == nil {
		w.at, err = vector(len(w.x))
	}
	if err == nil {
		p.g, err = vector(len(w.x))
	}
	if err != nil {
		return p, err
	}
	for i, v := range w.d {
		w.at[i] = w.x[i] + t*v
	}
	p.f, err = w.obj.Gradient(ctx, w.at, p.g)
	w.evals++
	p.slope = dot(p.g, w.d)
	if p.f-p.f != 0 || p.slope-p.slope != 0 {
		p.f, p.slope = math.Inf(1), math.Inf(1)
	}
	return p, err
}

// descends reports whether p is low enough for its distance.
func (w *wolfe) descends(from, p point) bool { return p.f <= from.f+armijo*p.t*w.slope }

func (w *wolfe) flat(p point) bool { return math.Abs(p.slope) <= -curvature*w.slope }

// search is the point found from the one at 0, where t is tried first.
func (w *wolfe) search(ctx context.Context, from point, t float64) (point, error) {
	p, err := w.evaluate(ctx, t)
	last, tries := from, 0
	var in [2]point // an interval with a point that meets the conditions
	bracketed := false
	for ; err == nil && tries < searchMost; tries++ {
		if bracketed = !w.descends(from, p) || tries > 1 && p.f >= last.f; bracketed {
			in = [2]point{last, p}
			break
		}
		if w.flat(p) {
			return p, nil
		}
		if bracketed = p.slope >= 0; bracketed {
			in = [2]point{last, p}
			break
		}
		next := cubic(last, p, p.t+0.01*(p.t-last.t), p.t*searchGrows)
		last = p
		p, err = w.evaluate(ctx, next)
	}
	if err != nil {
		return from, err
	}
	if !bracketed {
		in = [2]point{from, p}
	}
	return w.divide(ctx, from, in, tries)
}

// divide narrows the interval.
func (w *wolfe) divide(ctx context.Context, from point, in [2]point, tries int) (point, error) {
	low := 0 // the lower end
	if in[0].f > in[1].f {
		low = 1
	}
	slow, size := false, largest(w.d)
	for ; tries < searchMost && math.Abs(in[1].t-in[0].t)*size >= w.change; tries++ {
		lo, hi := min(in[0].t, in[1].t), max(in[0].t, in[1].t)
		t := cubic(in[0], in[1], lo, hi)
		edge := 0.1 * (hi - lo)
		switch near := min(hi-t, t-lo) < edge; { // twice at an edge is moved away from it
		case near && (slow || t >= hi || t <= lo):
			if slow = false; math.Abs(t-hi) < math.Abs(t-lo) {
				t = hi - edge
			} else {
				t = lo + edge
			}
		default:
			slow = near
		}
		p, err := w.evaluate(ctx, t)
		if err != nil {
			return from, err
		}
		if !w.descends(from, p) || p.f >= in[low].f {
			if in[1-low] = p; in[0].f <= in[1].f {
				low = 0
			} else {
				low = 1
			}
			continue
		}
		if w.flat(p) {
			return p, nil
		}
		if p.slope*(in[1-low].t-in[low].t) >= 0 {
			in[1-low] = in[low]
		}
		in[low] = p
	}
	return in[low], nil
}

// cubic is where the cubic through the losses and slopes of a and b is lowest, within bounds; their middle where that does not exist.
func cubic(a, b point, lo, hi float64) float64 {
	if a.t > b.t {
		a, b = b, a
	}
	d1 := a.slope + b.slope - 3*(a.f-b.f)/(a.t-b.t)
	square := d1*d1 - a.slope*b.slope
	if !(square >= 0) || math.IsInf(square, 0) {
		return (lo + hi) / 2
	}
	d2 := math.Sqrt(square)
	t := b.t - (b.t-a.t)*((b.slope+d2-d1)/(b.slope-a.slope+2*d2))
	if t != t {
		return (lo + hi) / 2
	}
	return min(max(t, lo), hi)
}
