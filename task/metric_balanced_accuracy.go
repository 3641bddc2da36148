package task

func init() {
	metrics.Register("balanced_accuracy", Metric{Make: func(t *Task) Meter {
		if !t.HasClasses() {
			return nil
		}
		return &balancedAccuracy{hit: make([]float64, t.NumClasses()), n: make([]float64, t.NumClasses())}
	}}, "mean over the classes of the share of their examples that is right",
		"https://scikit-learn.org/stable/modules/generated/sklearn.metrics.balanced_accuracy_score.html")
}

type balancedAccuracy struct{ hit, n []float64 }

func (m *balancedAccuracy) Add(d *Decision) {
	m.n[d.Label]++
	if d.Right() {
		m.hit[d.Label]++
	}
}

func (m *balancedAccuracy) Value() float64 {
	sum, classes := 0.0, 0.0
	for k, n := range m.n {
		if n > 0 {
			sum, classes = sum+m.hit[k]/n, classes+1
		}
	}
	return ratio(sum, classes)
}
