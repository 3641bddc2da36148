package task

import "math"

func init() {
	metrics.Register("mae", Metric{Lower: true, Make: func(t *Task) Meter {
		if t.Kind != Regression {
			return nil
		}
		return &meanAbsolute{}
	}}, "mean absolute error", "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.mean_absolute_error.html")
}

type meanAbsolute struct{ sum, n float64 }

func (m *meanAbsolute) Add(d *Decision) {
	for i, z := range d.Z {
		m.sum += math.Abs(z - d.Target[i])
		m.n++
	}
}

func (m *meanAbsolute) Value() float64 { return ratio(m.sum, m.n) }
