package task

import "math"

func init() {
	metrics.Register("ece", Metric{Lower: true, Make: func(t *Task) Meter {
		if !t.HasClasses() {
			return nil
		}
		return &ece{}
	}}, "expected calibration error: how far confidence and accuracy are apart, in 15 bins of confidence",
		"https://arxiv.org/abs/1706.04599")
}

const eceBins = 15

// ece sums confidence and hits in bins.
//
// Source: Guo et al. 2017, "On Calibration of Modern Neural Networks" (arXiv 1706.04599), equation 3.
type ece struct{ n, hit, conf [eceBins]float64 }

func (m *ece) Add(d *Decision) {
	p := d.Prob()[d.Best()]
	i := min(max(int(math.Ceil(p*eceBins))-1, 0), eceBins-1)
	m.n[i]++
	m.conf[i] += p
	if d.Right() {
		m.hit[i]++
	}
}

func (m *ece) Value() float64 {
	gap, n := 0.0, 0.0
	for i := range eceBins {
		gap, n = gap+math.Abs(m.conf[i]-m.hit[i]), n+m.n[i]
	}
	return ratio(gap, n)
}
