package gbnn

import (
	"context"
	"math"
	"slices"
)

// minimise changes x to a local minimum of f, which returns its value and sets g to its gradient: L-BFGS with the last ten pairs and a
// line search for the strong Wolfe conditions. It ends after iters steps, where the gradient vanishes, or where a step gains less than
// 2.2e-9 of the value or of 1, as SciPy's does.
//
// Source: Nocedal and Wright 2006, Numerical Optimization, algorithms 7.4, 7.5, 3.5 and 3.6.
func minimise(ctx context.Context, x []float64, f func(x, g []float64) float64, iters int) error {
	const pairs, gain, flat = 10, 2.220446049250313e-9, 1e-12
	var ss, ys [][]float64
	var rhos []float64
	g, d := make([]float64, len(x)), make([]float64, len(x))
	l := &line{f: f, ctx: ctx, from: make([]float64, len(x)), x: x, g: g, d: d}
	value := f(x, g)
	alpha := make([]float64, pairs)
	for it := range iters {
		if err := ctx.Err(); err != nil {
			return err
		}
		low, high := lowHigh(g)
		if max(-low, high) <= flat {
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
		next, ok := l.search(value, slope, first)
		if err := ctx.Err(); err != nil {
			return err
		}
		if !ok {
			if len(ss) == 0 {
				return nil
			}
			ss, ys, rhos = nil, nil, nil
			continue
		}
		done := value-next <= gain*max(math.Abs(value), math.Abs(next), 1)
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

// add adds a·y to x.
func add(x, y []float64, a float64) {
	for i, v := range y {
		x[i] += a * v
	}
}

// line is a search from a point along a direction. x and g are the point that was looked at last.
type line struct {
	f          func(x, g []float64) float64
	ctx        context.Context
	from, d    []float64
	x, g       []float64
	value, dir float64 // at the point from: the value and the slope
}

// point is what was seen at a step length.
type point struct{ a, value, slope float64 }

// at looks at step length a.
func (l *line) at(a float64) point {
	for i, v := range l.from {
		l.x[i] = v + a*l.d[i]
	}
	v := l.f(l.x, l.g)
	return point{a, v, dot(l.g, l.d)}
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
func (l *line) search(value, slope, first float64) (float64, bool) {
	l.value, l.dir = value, slope
	last := point{0, value, slope}
	a := first
	for i := range most {
		p := l.at(a)
		switch {
		case l.ctx.Err() != nil:
			return value, false
		case !(p.value < math.Inf(1)): // too far: NaN or infinity
			a = (last.a + a) / 2
			continue
		case !l.low(p) || i > 0 && p.value >= last.value:
			return l.zoom(last, p, most-i)
		case l.done(p):
			return p.value, true
		case p.slope >= 0:
			return l.zoom(p, last, most-i)
		}
		last, a = p, 2*a
	}
	return l.settle(last)
}

// zoom looks between lo, the lower of the two, and hi.
func (l *line) zoom(lo, hi point, tries int) (float64, bool) {
	for range tries {
		p := l.at(between(lo, hi))
		switch {
		case l.ctx.Err() != nil:
			return l.value, false
		case !l.low(p) || p.value >= lo.value:
			hi = p
		case l.done(p):
			return p.value, true
		default:
			if p.slope*(hi.a-lo.a) >= 0 {
				hi = lo
			}
			lo = p
		}
	}
	return l.settle(lo)
}

// settle goes to p if that is lower than the point from, else back there.
func (l *line) settle(p point) (float64, bool) {
	if p.a > 0 && p.value < l.value {
		return l.at(p.a).value, true
	}
	return l.at(0).value, false
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
