// Package lbfgs finds minima of smooth functions of up to some millions of variables, for the small problems that methods solve on their
// way. The rule that trains networks step by step, and can be stopped in between, is lbfgs of package optim.
//
// Source: Nocedal and Wright 2006, Numerical Optimization, algorithms 7.4, 7.5, 3.5 and 3.6.
package lbfgs

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// Function is what is minimised: the value at x. It sets all of g, which is as long as x, to the gradient there. A value that is not finite
// is too far away; an error ends the search.
type Function func(x, g []float64) (float64, error)

// Options say when the search ends.
type Options struct {
	Steps int     // at most
	Gain  float64 // of a step, relative to the value or to 1, at which no more is to be had; 0: SciPy's 2.220446049250313e-9
}

// Minimise changes x to a local minimum of f: L-BFGS with the last ten pairs and a line search for the strong Wolfe conditions. It ends
// after o.Steps steps, where no coordinate of the gradient is above 1e-12, where a step gains next to nothing, or where none is found that
// goes down. The error is f's, ctx's or that of a first value that is not finite; x is the lowest point that was accepted then.
func Minimise(ctx context.Context, x []float64, f Function, o Options) error {
	const pairs, flat = 10, 1e-12
	if o.Gain == 0 {
		o.Gain = 2.220446049250313e-9
	}
	var ss, ys [][]float64
	var rhos []float64
	g, d := make([]float64, len(x)), make([]float64, len(x))
	l := &line{f: f, from: slices.Clone(x), x: x, g: g, d: d}
	value, err := f(x, g)
	if err != nil {
		return err
	}
	if value-value != 0 {
		return fmt.Errorf("what is minimised is %v where the search begins", value)
	}
	alpha := make([]float64, pairs)
	for it := range o.Steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if largest(g) <= flat {
			return nil
		}
		for i, v := range g {
			d[i] = -v
		}
		for i := len(ss) - 1; i >= 0; i-- {
			alpha[i] = rhos[i] * dot(ss[i], d)
			add(d, ys[i], -alpha[i])
		}
		if n := len(ss); n > 0 {
			scale := 1 / (rhos[n-1] * dot(ys[n-1], ys[n-1]))
			for i := range d {
				d[i] *= scale
			}
		}
		for i := range ss {
			add(d, ss[i], alpha[i]-rhos[i]*dot(ys[i], d))
		}
		first := 1.0
		if it == 0 {
			first = min(1, 1/math.Sqrt(dot(g, g)))
		}
		slope := dot(g, d)
		if !(slope < 0) { // the pairs are worn out
			if len(ss) == 0 {
				return nil
			}
			ss, ys, rhos = nil, nil, nil
			continue
		}
		copy(l.from, x)
		old := slices.Clone(g)
		next, ok, err := l.search(ctx, value, slope, first)
		if err != nil {
			copy(x, l.from)
			return err
		}
		if !ok {
			if len(ss) == 0 {
				return nil
			}
			ss, ys, rhos = nil, nil, nil
			continue
		}
		done := value-next <= o.Gain*max(math.Abs(value), math.Abs(next), 1)
		value = next
		if done {
			return nil
		}
		s, y := slices.Clone(x), slices.Clone(g)
		add(s, l.from, -1)
		add(y, old, -1)
		if sy := dot(s, y); sy > 1e-10*dot(y, y) {
			if len(ss) == pairs {
				ss, ys, rhos = ss[1:], ys[1:], rhos[1:]
			}
			ss, ys, rhos = append(ss, s), append(ys, y), append(rhos, 1/sy)
		}
	}
	return nil
}

// largest is the largest magnitude of x, NaN where there is one.
func largest(x []float64) float64 {
	m := 0.0
	for _, v := range x {
		m = max(m, math.Abs(v))
	}
	return m
}

// dot is a·b in four partial sums.
func dot(a, b []float64) float64 {
	var s [4]float64
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s[0] += a[i] * b[i]
		s[1] += a[i+1] * b[i+1]
		s[2] += a[i+2] * b[i+2]
		s[3] += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s[0] += a[i] * b[i]
	}
	return s[0] + s[1] + (s[2] + s[3])
}

// add adds a·y to x.
func add(x, y []float64, a float64) {
	for i, v := range y {
		x[i] += a * v
	}
}

// line is a search from a point along a direction. x and g are the point that was looked at last.
type line struct {
	f          Function
	from, d    []float64
	x, g       []float64
	value, dir float64 // at the point from: the value and the slope
}

// point is what was seen at a step length.
type point struct{ a, value, slope float64 }

// at looks at step length a.
func (l *line) at(ctx context.Context, a float64) (point, error) {
	for i, v := range l.from {
		l.x[i] = v + a*l.d[i]
	}
	v, err := l.f(l.x, l.g)
	if err == nil {
		err = ctx.Err()
	}
	return point{a, v, dot(l.g, l.d)}, err
}

// Of the strong Wolfe conditions, and how often the function is asked at most.
const (
	decrease  = 1e-4
	curvature = 0.9
	most      = 20
)

func (l *line) low(p point) bool { return p.value <= l.value+decrease*p.a*l.dir }

func (l *line) done(p point) bool { return math.Abs(p.slope) <= -curvature*l.dir }

// search leaves x and g at a step that meets the conditions, or at the best that was found; false, and at the point from, when none is
// lower.
func (l *line) search(ctx context.Context, value, slope, first float64) (float64, bool, error) {
	l.value, l.dir = value, slope
	last := point{0, value, slope}
	a := first
	for i := range most {
		p, err := l.at(ctx, a)
		switch {
		case err != nil:
			return 0, false, err
		case !(p.value < math.Inf(1)): // too far: NaN or infinity
			a = (last.a + a) / 2
			continue
		case !l.low(p) || i > 0 && p.value >= last.value:
			return l.zoom(ctx, last, p, most-i)
		case l.done(p):
			return p.value, true, nil
		case p.slope >= 0:
			return l.zoom(ctx, p, last, most-i)
		}
		last, a = p, 2*a
	}
	return l.settle(ctx, last)
}

// zoom looks between lo, the lower of the two, and hi.
func (l *line) zoom(ctx context.Context, lo, hi point, tries int) (float64, bool, error) {
	for range tries {
		p, err := l.at(ctx, between(lo, hi))
		switch {
		case err != nil:
			return 0, false, err
		case !l.low(p) || p.value >= lo.value:
			hi = p
		case l.done(p):
			return p.value, true, nil
		default:
			if p.slope*(hi.a-lo.a) >= 0 {
				hi = lo
			}
			lo = p
		}
	}
	return l.settle(ctx, lo)
}

// settle goes to p if that is lower than the point from, else back there.
func (l *line) settle(ctx context.Context, p point) (float64, bool, error) {
	lower := p.a > 0 && p.value < l.value
	if !lower {
		p.a = 0
	}
	p, err := l.at(ctx, p.a)
	return p.value, lower, err
}

// between is the minimum of the cubic through two points, kept a tenth of their distance away from both.
func between(p, q point) float64 {
	d1 := p.slope + q.slope - 3*(p.value-q.value)/(p.a-q.a)
	root := d1*d1 - p.slope*q.slope
	a := (p.a + q.a) / 2
	if root >= 0 && q.a != p.a {
		d2 := math.Copysign(math.Sqrt(root), q.a-p.a)
		a = q.a - (q.a-p.a)*(q.slope+d2-d1)/(q.slope-p.slope+2*d2)
	}
	low, high := min(p.a, q.a), max(p.a, q.a)
	if margin := (high - low) / 10; !(a > low+margin && a < high-margin) {
		a = (low + high) / 2
	}
	return a
}
