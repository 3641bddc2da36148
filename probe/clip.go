package probe

import (
	"fmt"
	"math"
)

func init() {
	rules.Register("clip", func() Rule { return &Clip{Fraction: 0.1, Momentum: 0.9} },
		"sgd whose gradient has its largest coordinates clipped, that share of all: clip:0.1", "https://arxiv.org/abs/2306.00204")
}

// Clip is SGD on gradients of which the largest coordinates are clipped: sign(g)·min(|g|, τ), where τ is the magnitude at index ⌊n·c⌋ of
// those of all parameters together, sorted from the largest down.
//
// Source: Pan and Li, https://arxiv.org/abs/2306.00204, and https://github.com/panyan7/adam-vs-sgd torch_optimizer/sgd_clip.py.
type Clip struct {
	Fraction float64 `opt:"fraction" doc:"share of the coordinates that are clipped"`
	Momentum float64 `opt:"momentum" doc:"decay of the running mean of the clipped gradient"`
}

func (*Clip) first() string { return "fraction" }

// Start is a descent without memory yet.
func (r *Clip) Start(s *Space) (Direction, error) {
	if err := fraction(r.Fraction); err != nil {
		return nil, err
	}
	if err := decay("momentum", r.Momentum); err != nil {
		return nil, err
	}
	m, err := s.mean(r.Momentum)
	return &clip{mean: m, clipper: clipper{s: s, c: r.Fraction}}, err
}

// clipper finds limits of coordinates, and counts where there was none.
type clipper struct {
	s    *Space
	c    float64
	none int // times
}

func (c *clipper) tau(g []float64) float64 {
	tau := c.s.limit(g, c.c)
	if math.IsInf(tau, 1) {
		c.none++
	}
	return tau
}

func (c *clipper) note() string {
	if c.none == 0 {
		return ""
	}
	return fmt.Sprintf("nothing was clipped in %d of its gradients, of which too many coordinates are zero", c.none)
}

type clip struct {
	mean
	clipper
}

func (d *clip) See(g []float64) { d.see(g, d.tau(g)) }

func (d *clip) Next(g, v []float64) {
	tau := d.tau(g)
	for i, x := range g {
		v[i] = -d.next(i, clipped(x, tau))
	}
}
