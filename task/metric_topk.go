package task

func init() {
	metrics.Register("top5", Metric{Make: func(t *Task) Meter {
		if !t.HasClasses() || t.K <= 5 {
			return nil // all of so few classes are among the best five
		}
		return &topK{k: 5}
	}}, "share of decisions whose true class is among the best five",
		"https://scikit-learn.org/stable/modules/generated/sklearn.metrics.top_k_accuracy_score.html")
}

type topK struct {
	k      int
	hit, n float64
}

func (m *topK) Add(d *Decision) {
	m.n++
	if d.Rank(d.Label) < m.k {
		m.hit++
	}
}

func (m *topK) Value() float64 { return ratio(m.hit, m.n) }
