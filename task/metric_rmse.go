package task

import "math"

func init() {
	metrics.Register("rmse", Metric{Lower: true, Make: func(t *Task) Meter {
		if t.Kind != Regression {
			return nil
		}
		return &rootMeanSquare{}
	}}, "square root of the mean squared error",
		"https://scikit-learn.org/stable/modules/generated/sklearn.metrics.root_mean_squared_error.html")
}

type rootMeanSquare struct{ sum, n float64 }

func (m *rootMeanSquare) Add(d *Decision) {
	for i, z := range d.Z {
		m.sum += (z - d.Target[i]) * (z - d.Target[i])
		m.n++
	}
}

func (m *rootMeanSquare) Value() float64 { return math.Sqrt(ratio(m.sum, m.n)) }
