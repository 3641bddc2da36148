package task

import "math"

// ReliabilityBins is how many bins of confidence a Reliability has.
const ReliabilityBins = 15

// Reliability counts, in bins of how sure a model is of the class that it chooses, how often it is right: a model whose probabilities can
// be believed is right as often as it is sure.
//
// Source: Guo et al. 2017, "On Calibration of Modern Neural Networks" (arXiv 1706.04599), equations 1 to 3. Bin i holds the confidences in
// (i/15, (i+1)/15].
type Reliability struct {
	N          [ReliabilityBins]int     // decisions
	Right      [ReliabilityBins]int     // of these, right ones
	Confidence [ReliabilityBins]float64 // sum of the confidences
}

// Add counts a decision for one class of several.
func (r *Reliability) Add(d *Decision) {
	p := d.Prob()[d.Best()]
	i := min(max(int(math.Ceil(p*ReliabilityBins))-1, 0), ReliabilityBins-1)
	r.N[i]++
	r.Confidence[i] += p
	if d.Right() {
		r.Right[i]++
	}
}

// ECE is the expected calibration error: the mean distance of confidence and accuracy, bin by bin. NaN of no decisions.
func (r *Reliability) ECE() float64 {
	gap, n := 0.0, 0.0
	for i := range ReliabilityBins {
		gap, n = gap+math.Abs(r.Confidence[i]-float64(r.Right[i])), n+float64(r.N[i])
	}
	return ratio(gap, n)
}
