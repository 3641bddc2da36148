package probe

import (
	"fmt"
	"math"
)

func init() {
	rules.Register("adam", func() Rule { return &Adam{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, First: 1} }, "Adam",
		"https://arxiv.org/abs/1412.6980 Algorithm 1")
}

// Adam is −m̂/(√v̂ + ε) with the running means m of the gradient and v of its square, from zero, and m̂ = m/(1−β1ᵗ), v̂ = v/(1−β2ᵗ).
//
// The first t is 1. The code of Pan and Li counts from 2 (num_iters begins at 1 and is raised before it is used), which First: 2 does.
type Adam struct {
	Beta1 float64 `opt:"beta1" doc:"decay of the mean gradient"`
	Beta2 float64 `opt:"beta2" doc:"decay of the mean squared gradient"`
	Eps   float64 `opt:"eps" doc:"added to the denominator"`
	First int     `opt:"first" doc:"t of the first step: 1, or 2 as in the code of the paper"`
}

// Start is Adam without memory yet.
func (r *Adam) Start(s *Space) (Direction, error) { return r.start(s, 0) }

// start is Adam whose mean gradient is of gradients clipped by the share c, 0 for none.
func (r *Adam) start(s *Space, c float64) (*adam, error) {
	for _, err := range []error{decay("beta1", r.Beta1), decay("beta2", r.Beta2)} {
		if err != nil {
			return nil, err
		}
	}
	switch {
	case r.Eps < 0:
		return nil, fmt.Errorf("eps %g: want 0 or more", r.Eps)
	case r.First != 1 && r.First != 2:
		return nil, fmt.Errorf("first %d: want 1, or 2 as in the code of the paper", r.First)
	}
	vs, err := s.vectors(2)
	if err != nil {
		return nil, err
	}
	return &adam{clipper: clipper{s: s, c: c}, r: *r, m: vs[0], v: vs[1]}, nil
}

type adam struct {
	clipper
	r    Adam
	m, v []float64
	t    int // gradients seen
}

// tau is the limit of the coordinates that go into the mean gradient.
func (d *adam) tau(g []float64) float64 {
	if d.c == 0 {
		return math.Inf(1)
	}
	return d.clipper.tau(g)
}

// moments are coordinate i of both means after one more gradient with the coordinate g.
func (d *adam) moments(i int, g, tau float64) (m, v float64) {
	return d.r.Beta1*d.m[i] + (1-d.r.Beta1)*clipped(g, tau), d.r.Beta2*d.v[i] + (1-d.r.Beta2)*g*g
}

func (d *adam) See(g []float64) {
	tau := d.tau(g)
	for i, x := range g {
		d.m[i], d.v[i] = d.moments(i, x, tau)
	}
	d.t++
}

func (d *adam) Next(g, v []float64) {
	tau, t := d.tau(g), float64(d.t+d.r.First)
	c1, c2 := 1/(1-math.Pow(d.r.Beta1, t)), 1/(1-math.Pow(d.r.Beta2, t))
	for i, x := range g {
		m, s := d.moments(i, x, tau)
		if v[i] = 0; m != 0 {
			v[i] = -c1 * m / (math.Sqrt(c2*s) + d.r.Eps)
		}
	}
}
