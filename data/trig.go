package data

import "math"

// double is a number of twice the precision, hi + lo.
//
// Warps follow Pillow to the bit, whose matrices come from a C library that rounds sines rightly but for rare cases; package math is off
// by one in the last place more often than that.
type double struct{ hi, lo float64 }

func twoSum(a, b float64) double {
	s := a + b
	t := s - a
	return double{s, (a - (s - t)) + (b - t)}
}

func (x double) add(y double) double {
	s := twoSum(x.hi, y.hi)
	return twoSum(s.hi, s.lo+x.lo+y.lo)
}

func (x double) mul(y double) double {
	p := x.hi * y.hi
	return twoSum(p, math.FMA(x.hi, y.hi, -p)+float64(x.hi*y.lo)+float64(x.lo*y.hi))
}

func (x double) div(y double) double {
	q := x.hi / y.hi
	r := x.add(y.mul(double{-q, 0}))
	return twoSum(q, r.hi/y.hi)
}

// sinCos is by the series, for angles up to a few turns.
func sinCos(x float64) (sin, cos double) {
	term := double{1, 0}
	for n := 1; n < 60; n += 2 {
		cos = cos.add(term)
		term = term.mul(double{x, 0}).div(double{float64(n), 0})
		sin = sin.add(term)
		term = term.mul(double{-x, 0}).div(double{float64(n + 1), 0})
		if math.Abs(term.hi) < 1e-34 {
			break
		}
	}
	return sin, cos
}

func sine(x float64) float64   { s, _ := sinCos(x); return s.hi }
func cosine(x float64) float64 { _, c := sinCos(x); return c.hi }

func tangent(x float64) float64 {
	s, c := sinCos(x)
	return s.div(c).hi
}

func arctangent(v float64) float64 {
	a := math.Atan(v)
	s, c := sinCos(a) // a step of Newton's method
	d := s.add(c.mul(double{-v, 0})).div(c.add(s.mul(double{v, 0})))
	return double{a, 0}.add(double{-d.hi, -d.lo}).hi
}
