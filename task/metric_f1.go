package task

func init() {
	metrics.Register("f1", Metric{Make: func(t *Task) Meter {
		if t.Kind == Regression {
			return nil
		}
		k := t.K
		if t.HasClasses() {
			k = t.NumClasses()
		}
		return &f1{binary: t.Kind == Binary, tp: make([]float64, k), said: make([]float64, k), is: make([]float64, k)}
	}}, "2·precision·recall/(precision+recall): of class 1 in a binary task, else the mean over the classes or labels that occur",
		"https://scikit-learn.org/stable/modules/generated/sklearn.metrics.f1_score.html")
}

// f1 counts, by class, what is said and true, what is said, and what is true.
type f1 struct {
	binary       bool
	tp, said, is []float64
}

func (m *f1) Add(d *Decision) {
	if d.Label >= 0 {
		m.said[d.Best()]++
		m.is[d.Label]++
		if d.Best() == d.Label {
			m.tp[d.Label]++
		}
		return
	}
	for k, z := range d.Z {
		t := d.Target[k]
		if t <= Ignored {
			continue
		}
		said, is := z > 0, t > 0.5
		m.said[k] += float64(b2i(said))
		m.is[k] += float64(b2i(is))
		m.tp[k] += float64(b2i(said && is))
	}
}

func (m *f1) Value() float64 {
	of := func(k int) float64 { return 2 * m.tp[k] / (m.said[k] + m.is[k]) }
	if m.binary {
		if m.said[1]+m.is[1] == 0 {
			return ratio(0, 0)
		}
		return of(1)
	}
	sum, n := 0.0, 0.0
	for k := range m.tp {
		if m.said[k]+m.is[k] > 0 {
			sum, n = sum+of(k), n+1
		}
	}
	return ratio(sum, n)
}
