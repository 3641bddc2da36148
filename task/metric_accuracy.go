package task

func init() {
	metrics.Register("accuracy", Metric{Make: func(t *Task) Meter {
		if t.Kind == Regression {
			return nil
		}
		return &accuracy{}
	}}, "share of decisions that are right; of a multilabel task the share of examples with all labels right",
		"https://scikit-learn.org/stable/modules/generated/sklearn.metrics.accuracy_score.html")
}

type accuracy struct{ hit, n float64 }

func (m *accuracy) Add(d *Decision) {
	m.n++
	if d.Right() {
		m.hit++
	}
}

func (m *accuracy) Value() float64 { return ratio(m.hit, m.n) }

// Right reports whether the model's choice is the truth: the label, or all labels at a threshold of one half.
func (d *Decision) Right() bool {
	if d.Label >= 0 {
		return d.Best() == d.Label
	}
	for k, z := range d.Z {
		if t := d.Target[k]; t > Ignored && (z > 0) != (t > 0.5) {
			return false
		}
	}
	return true
}
