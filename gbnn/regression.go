package gbnn

// Regression is half the squared error of real values.
type Regression struct{}

// Start is the mean of y.
func (Regression) Start(y []float64, k int) ([]float64, error) {
	start, n := make([]float64, k), float64(len(y)/k)
	for i, v := range y {
		start[i%k] += v / n
	}
	return start, nil
}

// Residuals is y − F.
func (Regression) Residuals(r, f, y []float64, _ int) {
	for i := range r {
		r[i] = y[i] - f[i]
	}
}

// Rate is eta: the base network is a least-squares fit already.
func (Regression) Rate(_, _, _, _ []float64, _ int, eta float64) float64 { return eta }

// Mean is the mean of (F−y)² over values too.
func (Regression) Mean(f, y []float64, _ int) float64 {
	s := 0.0
	for i, v := range f {
		s += (v - y[i]) * (v - y[i])
	}
	return s / float64(len(f))
}
