package task

func init() {
	metrics.Register("iou", Metric{Make: func(t *Task) Meter {
		if t.Kind != Dense {
			return nil
		}
		k := t.NumClasses()
		return &iou{both: make([]float64, k), either: make([]float64, k)}
	}}, "mean over the classes that occur of intersection over union of what is said and what is true", "https://arxiv.org/abs/1411.4038")
}

// iou counts positions over the whole data set.
type iou struct{ both, either []float64 }

func (m *iou) Add(d *Decision) {
	if d.Best() == d.Label {
		m.both[d.Label]++
		m.either[d.Label]++
		return
	}
	m.either[d.Label]++
	m.either[d.Best()]++
}

func (m *iou) Value() float64 {
	sum, n := 0.0, 0.0
	for k, e := range m.either {
		if e > 0 {
			sum, n = sum+m.both[k]/e, n+1
		}
	}
	return ratio(sum, n)
}
