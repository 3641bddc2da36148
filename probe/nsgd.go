package probe

import "math"

func init() {
	rules.Register("nsgd", func() Rule { return &NSGD{Momentum: 0.9} }, "sgd with each tensor's part at the length √(numbers in it)",
		"https://github.com/panyan7/adam-vs-sgd landscape_utils.py")
}

// NSGD is that of SGD with the part p of each parameter replaced by p/‖p‖·√n, of n numbers. A part of zeros stays.
type NSGD struct {
	Momentum float64 `opt:"momentum" doc:"decay of the running mean of the gradient"`
}

// Start is a descent without memory yet.
func (r *NSGD) Start(s *Space) (Direction, error) {
	d, err := (&SGD{r.Momentum}).Start(s)
	if err != nil {
		return nil, err
	}
	return &nsgd{d.(*sgd), s}, nil
}

type nsgd struct {
	*sgd
	s *Space
}

func (d *nsgd) Next(g, v []float64) {
	d.sgd.Next(g, v)
	for i := range d.s.params {
		part := v[d.s.at[i]:d.s.at[i+1]]
		if n := length(part); n > 0 {
			for k := range part {
				part[k] *= math.Sqrt(float64(len(part))) / n
			}
		}
	}
}
