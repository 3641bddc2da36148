package job

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// paired is the comparison of two ways to train on the same examples.
type paired struct {
	diff, low, high float64 // mean of a - b and its 95 % interval
	detectable      float64 // smallest true difference that would be seen in four of five cases
	conclusive      bool    // the interval does not hold 0
}

// compare compares the qualities a[r][i] and b[r][i] of example i in run r. Their differences vary with the example and with the run: the
// square of the standard error of their mean is s²(means of examples)/n + s²(means of runs)/R, which counts what is left of both twice
// and so is rather too large. The interval is Student's with the degrees of freedom of Welch and Satterthwaite. Of one run nothing is
// known of how runs differ. Where all examples are the same, which says little on few of them, the spread is taken to be that of one in n
// that differs.
//
// Source: the two-way crossed random effects of a mean, as in Miller 2024, "Adding Error Bars to Evals" (arXiv 2411.00640), sections 3 to
// 5; Satterthwaite 1946, "An Approximate Distribution of Estimates of Variance Components".
func compare(a, b [][]float64) paired {
	runs, n := len(a), len(a[0])
	byRun, byExample := make([]float64, runs), make([]float64, n)
	for r := range a {
		for i := range a[r] {
			d := a[r][i] - b[r][i]
			byRun[r] += d / float64(n)
			byExample[i] += d / float64(runs)
		}
	}
	mean, ofExamples := spread(byExample)
	_, ofRuns := spread(byRun)
	if ofExamples == 0 {
		ofExamples = 1 / float64(n)
	}
	e, r := ofExamples/float64(n), ofRuns/float64(runs)
	freedom := e * e / max(float64(n-1), 1)
	if runs > 1 {
		freedom += r * r / float64(runs-1)
	}
	freedom = (e + r) * (e + r) / freedom
	se, t := math.Sqrt(e+r), distuv.StudentsT{Sigma: 1, Nu: freedom}
	p := paired{diff: mean, low: mean - t.Quantile(0.975)*se, high: mean + t.Quantile(0.975)*se,
		detectable: (t.Quantile(0.975) + t.Quantile(0.8)) * se}
	p.conclusive = p.low > 0 || p.high < 0
	return p
}

// spread is the mean and the variance by n-1 of v, 0 for one value.
func spread(v []float64) (mean, variance float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		variance += (x - mean) * (x - mean)
	}
	return mean, variance / max(float64(len(v)-1), 1)
}
