package nas

// PathLaw is the probability by which operators are drawn at the choices of a path: in proportion to how large the gradients of their
// weights were.
//
// After a step that trained the operator o at n choices of its path, G_o is the sum of the norms of the gradients of its weights there,
// divided by n, and if it is not 0 the score P_o becomes (P_o + G_o)/2. With the share τ the law is
//
//	π_o = τ·P_o/ΣP + (1−τ)/K
//
// Operators without weights have no gradients: as τ goes to 1 they are drawn no more, unless Floor says otherwise.
//
// Source: Lu et al. 2023, section 3.1 and algorithm 1; the running mean is that of the authors' code.
type PathLaw struct {
	Floor float64 // the least probability of an operator, below 1/K; 0 as published
	Keep  bool    // an epoch begins with the scores of the one before; as published it begins with zeros

	score []float64
}

// NewPathLaw is the law of k operators, uniform at first.
func NewPathLaw(k int) *PathLaw { return &PathLaw{score: make([]float64, k)} }

// Begin begins an epoch.
func (l *PathLaw) Begin() {
	if !l.Keep {
		clear(l.score)
	}
}

// See tells the law of a step on path arch, of which sum[o] is the sum of the gradient norms of operator o over the whole network; at one
// choice of a path there may be several places of the network, such as the cells. sum[o] of an operator that was not trained is not looked
// at.
func (l *PathLaw) See(arch []int, sum []float64) {
	n := make([]int, len(l.score))
	for _, o := range arch {
		n[o]++
	}
	for o, k := range n {
		if k == 0 {
			continue
		}
		if g := sum[o] / float64(k); g != 0 {
			l.score[o] = (l.score[o] + g) / 2
		}
	}
}

// Scores are the scores so far, one for each operator.
func (l *PathLaw) Scores() []float64 { return l.score }

// Law is the probability of each operator at τ = tau. While no operator has a score it is uniform.
func (l *PathLaw) Law(tau float64) []float64 {
	p := make([]float64, len(l.score))
	k, total := float64(len(p)), 0.0
	for _, s := range l.score {
		total += s
	}
	if !(total > 0) {
		tau, total = 0, 1
	}
	for o, s := range l.score {
		p[o] = tau*(s/total) + (1-tau)/k
		if l.Floor > 0 {
			p[o] = l.Floor + (1-k*l.Floor)*p[o]
		}
	}
	return p
}
