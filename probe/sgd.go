package probe

import "math"

func init() {
	rules.Register("sgd", func() Rule { return &SGD{Momentum: 0.9} },
		"gradient descent with momentum: minus the running mean of the gradient",
		"https://github.com/panyan7/adam-vs-sgd landscape_utils.py")
}

// SGD is −m with the running mean m of the gradient.
type SGD struct {
	Momentum float64 `opt:"momentum" doc:"decay of the running mean of the gradient"`
}

// Start is a descent without memory yet.
func (r *SGD) Start(s *Space) (Direction, error) {
	if err := decay("momentum", r.Momentum); err != nil {
		return nil, err
	}
	m, err := s.mean(r.Momentum)
	return &sgd{m}, err
}

type sgd struct{ mean }

func (d *sgd) See(g []float64) { d.see(g, math.Inf(1)) }

func (d *sgd) Next(g, v []float64) {
	for i, x := range g {
		v[i] = -d.next(i, x)
	}
}
