package probe

import (
	"fmt"
	"math"
)

func init() {
	rules.Register("diffgrad", func() Rule { return &DiffGrad{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8} },
		"Adam damped where the gradient does not change", "https://arxiv.org/abs/1909.11015 equations 3 to 9")
}

// DiffGrad is −√(1−β2ᵗ)/(1−β1ᵗ)·m·ξ/(√v + ε) with Adam's m and v and ξ = 1/(1+exp(−|g' − g|)), g' the gradient before, zero at first.
type DiffGrad struct {
	Beta1 float64 `opt:"beta1" doc:"decay of the mean gradient"`
	Beta2 float64 `opt:"beta2" doc:"decay of the mean squared gradient"`
	Eps   float64 `opt:"eps" doc:"added to the denominator"`
}

// Start is diffGrad without memory yet.
func (r *DiffGrad) Start(s *Space) (Direction, error) {
	a, err := (&Adam{r.Beta1, r.Beta2, r.Eps, 1}).start(s, 0)
	if err != nil {
		return nil, fmt.Errorf("diffgrad: %w", err)
	}
	prev, err := s.Vector()
	return &diffGrad{a, prev}, err
}

type diffGrad struct {
	*adam
	prev []float64
}

func (d *diffGrad) See(g []float64) {
	d.adam.See(g)
	copy(d.prev, g)
}

func (d *diffGrad) Next(g, v []float64) {
	t := float64(d.t + 1)
	c := math.Sqrt(1-math.Pow(d.r.Beta2, t)) / (1 - math.Pow(d.r.Beta1, t))
	for i, x := range g {
		m, s := d.moments(i, x, math.Inf(1))
		if v[i] = 0; m != 0 {
			xi := 1 / (1 + math.Exp(-math.Abs(d.prev[i]-x)))
			v[i] = -c * m * xi / (math.Sqrt(s) + d.r.Eps)
		}
	}
}
