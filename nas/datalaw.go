package nas

import (
	"math"
)

// DataLaw is the probability by which examples are drawn: in proportion to how large their gradients were in the epoch before.
//
// The measure of an example is the norm of the gradient of its loss by the logits (see GradientNorm). Seen once in an epoch it is the
// score; seen again, the score becomes the mean of both, so that it depends on the order. With the share τ the law is
//
//	p_i = τ·s_i/Σs + (1−τ)/N
//
// Source: Lu et al. 2023, section 3.2 and algorithm 1; the running mean is that of the authors' code.
type DataLaw struct {
	// Keep leaves an example that an epoch did not show the score that it had. As published it is 0, so that the example is drawn by the
	// uniform share alone, and near the end of a training is hardly drawn again.
	Keep bool

	score []float64
	seen  []bool // in this epoch
}

// NewDataLaw is the law of n examples, uniform at first.
func NewDataLaw(n int) *DataLaw { return &DataLaw{score: make([]float64, n), seen: make([]bool, n)} }

// Begin begins an epoch.
func (l *DataLaw) Begin() {
	clear(l.seen)
	if !l.Keep {
		clear(l.score)
	}
}

// See tells the law the gradient norm g of example i.
func (l *DataLaw) See(i int, g float64) {
	if l.seen[i] {
		l.score[i] = (l.score[i] + g) / 2
		return
	}
	l.score[i], l.seen[i] = g, true
}

// Scores are the scores so far, one for each example.
func (l *DataLaw) Scores() []float64 { return l.score }

// Law is the probability of each example at τ = tau. While no example has a score it is uniform.
func (l *DataLaw) Law(tau float64) []float64 {
	p := make([]float64, len(l.score))
	total := 0.0
	for _, s := range l.score {
		total += s
	}
	if !(total > 0) || math.IsInf(total, 0) {
		tau, total = 0, 1
	}
	for i, s := range l.score {
		p[i] = tau*(s/total) + (1-tau)/float64(len(p))
	}
	return p
}

// GradientNorm is the norm of the gradient of the cross-entropy by the logits z of an example of class label: ‖softmax(z) − onehot(label)‖,
// from 0 to √2. It needs no backward pass.
func GradientNorm(z []float64, label int) float64 {
	top := math.Inf(-1)
	for _, v := range z {
		top = max(top, v)
	}
	sum := 0.0
	for _, v := range z {
		sum += math.Exp(v - top)
	}
	norm2 := 0.0
	for k, v := range z {
		d := math.Exp(v-top) / sum
		if k == label {
			d--
		}
		norm2 += d * d
	}
	return math.Sqrt(norm2)
}

// Weights are the weights 1/(N·p_i) by which the losses of examples drawn by the law p are multiplied so that their mean estimates the mean
// over all examples without bias; none is above most, which 0 leaves open. Examples of probability 0 have weight 0: they are not drawn.
func Weights(p []float64, most float64) []float64 {
	w := make([]float64, len(p))
	for i, v := range p {
		if v > 0 {
			w[i] = 1 / (float64(len(p)) * v)
		}
		if most > 0 {
			w[i] = min(w[i], most)
		}
	}
	return w
}
