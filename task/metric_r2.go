package task

func init() {
	metrics.Register("r2", Metric{Make: func(t *Task) Meter {
		if t.Kind != Regression || t.K > mostOutputs {
			return nil
		}
		return &r2{res: make([]float64, t.K), mean: make([]float64, t.K), sq: make([]float64, t.K)}
	}}, "share of the targets' variance that is explained; the mean over the outputs whose targets vary",
		"https://scikit-learn.org/stable/modules/generated/sklearn.metrics.r2_score.html")
}

// mostOutputs bounds the outputs of which variances are kept: pictures have none.
const mostOutputs = 4096

// r2 sums squared residuals, and the variance of the targets by Welford's update.
type r2 struct {
	n             float64
	res, mean, sq []float64
}

func (m *r2) Add(d *Decision) {
	m.n++
	for i, z := range d.Z {
		t := d.Target[i]
		m.res[i] += (z - t) * (z - t)
		delta := t - m.mean[i]
		m.mean[i] += delta / m.n
		m.sq[i] += delta * (t - m.mean[i])
	}
}

func (m *r2) Value() float64 {
	sum, n := 0.0, 0.0
	for i, s := range m.sq {
		if s > 0 {
			sum, n = sum+1-m.res[i]/s, n+1
		}
	}
	return ratio(sum, n)
}
