package probe

// mean is the running mean of gradients, m ← μ·m + (1−μ)·g, of which the first is the gradient itself.
type mean struct {
	mu float64
	m  []float64
	t  int // gradients seen
}

func (s *Space) mean(mu float64) (mean, error) {
	m, err := s.Vector()
	return mean{mu: mu, m: m}, err
}

// next is coordinate i of the mean after one more gradient with the coordinate g.
func (e *mean) next(i int, g float64) float64 {
	if e.t == 0 {
		return g
	}
	return e.mu*e.m[i] + (1-e.mu)*g
}

// see takes in a gradient within ±tau.
func (e *mean) see(g []float64, tau float64) {
	for i, x := range g {
		e.m[i] = e.next(i, clipped(x, tau))
	}
	e.t++
}
