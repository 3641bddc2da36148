package job

import "math"

// z95 is the two-sided 95 % point of the normal distribution, z80 its one-sided 80 % point.
const (
	z95 = 1.959963984540054
	z80 = 0.8416212335729143
)

// paired is the comparison of two models on the same examples.
type paired struct {
	diff, low, high float64 // mean of a - b and its 95 % interval
	detectable      float64 // smallest true difference that would be seen in four of five cases
	conclusive      bool    // the interval does not hold 0
}

// compare compares the qualities a and b of the same examples. The interval is that of the mean of their differences; where all are the same, which says
// little on few examples, the spread is taken to be that of one example in n that differs.
//
// Source: the paired z interval; power as in Miller 2024, "Adding Error Bars to Evals" (arXiv 2411.00640), section 5.
func compare(a, b []float64) paired {
	n := float64(len(a))
	var mean, sq float64
	for i := range a {
		mean += (a[i] - b[i]) / n
	}
	for i := range a {
		d := a[i] - b[i] - mean
		sq += d * d
	}
	sd := math.Sqrt(sq / max(n-1, 1))
	if sd == 0 {
		sd = 1 / math.Sqrt(n)
	}
	se := sd / math.Sqrt(n)
	p := paired{diff: mean, low: mean - z95*se, high: mean + z95*se, detectable: (z95 + z80) * se}
	p.conclusive = p.low > 0 || p.high < 0
	return p
}
