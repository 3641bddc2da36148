package tokens

import "math"

// Rate is a number of tokens that is learned: one of Candidates patches, with a probability each. Front is how many tokens in front are
// kept in any case.
//
// Source: Chen et al. 2023 (arXiv 2305.17997), section 3.2; Front is 1 there.
type Rate struct {
	Front      int
	Candidates []int     // falling
	Logits     []float64 // π
}

// NewRate has all multiples of step patches that are left of n, with the same probability.
func NewRate(n, step, front int) *Rate {
	r := &Rate{Front: front}
	for m := n; m > 0; m -= step {
		r.Candidates = append(r.Candidates, m)
	}
	r.Logits = make([]float64, len(r.Candidates))
	return r
}

// aim has the expected number of tokens be about kept: logits that rise or fall with the number of patches, the widest distribution of all.
func (r *Rate) aim(kept int) {
	top := float64(r.Candidates[0])
	want := min(max(float64(kept-r.Front)-0.5, 0.05*top), 0.97*top)
	lo, hi := -100.0, 100.0
	for range 60 {
		slope := (lo + hi) / 2
		for i, m := range r.Candidates {
			r.Logits[i] = slope * float64(m) / top
		}
		if r.mean(r.p()) < want {
			lo = slope
		} else {
			hi = slope
		}
	}
}

// p is the softmax of the logits.
func (r *Rate) p() []float64 {
	top, sum := math.Inf(-1), 0.0
	for _, x := range r.Logits {
		top = max(top, x)
	}
	p := make([]float64, len(r.Logits))
	for i, x := range r.Logits {
		p[i] = math.Exp(x - top)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// mean is the expected number of patches.
func (r *Rate) mean(p []float64) float64 {
	s := 0.0
	for i, m := range r.Candidates {
		s += p[i] * float64(m)
	}
	return s
}

// Kept is the number of tokens, ⌈Σ p·m⌉ and those in front.
func (r *Rate) Kept() int {
	return int(math.Ceil(r.mean(r.p())-1e-9)) + r.Front
}

// KeptGrad is the derivative of Kept by the logits, straight through the rounding.
func (r *Rate) KeptGrad() []float64 {
	p := r.p()
	mean := r.mean(p)
	for i, m := range r.Candidates {
		p[i] *= float64(m) - mean
	}
	return p
}

// Probability is, for each of n tokens in the order of their importance, how likely it is to be kept.
func (r *Rate) Probability(n int) []float64 {
	p := r.p()
	out := make([]float64, n)
	for i, m := range r.Candidates {
		for j := range min(n, m+r.Front) {
			out[j] += p[i]
		}
	}
	return out
}

// MaskGrad is the derivative by the logits of Σ w·mask, straight through the mask: that of Σ w·Probability.
func (r *Rate) MaskGrad(w []float64) []float64 {
	p := r.p()
	d := make([]float64, len(p))
	mean := 0.0
	for i, m := range r.Candidates {
		for j := range min(len(w), m+r.Front) {
			d[i] += w[j]
		}
		mean += p[i] * d[i]
	}
	for i := range d {
		d[i] = p[i] * (d[i] - mean)
	}
	return d
}

// Mask is one for the first kept of n tokens, and for those from last on, which are gone already.
func Mask(n, kept, last int) []float64 {
	out := make([]float64, n)
	for j := range out {
		if j < kept || j >= last {
			out[j] = 1
		}
	}
	return out
}

// MaskedSoftmax is the softmax of a row of scores z [n] of token i in which others count as mask says: for learning, where nothing is taken
// out. eps keeps it finite.
func MaskedSoftmax(z, mask []float64, i int, eps float64) []float64 {
	top, sum := math.Inf(-1), eps
	for _, x := range z {
		top = max(top, x)
	}
	out := make([]float64, len(z))
	for j, x := range z {
		m := mask[j]
		if j == i {
			m = 1
		}
		out[j] = math.Exp(x-top) * m
		sum += out[j]
	}
	for j := range out {
		out[j] = (out[j] + eps/float64(len(z))) / sum
	}
	return out
}

// ViTMACs are the multiply-accumulate operations of a plain vision transformer as the paper counts them: n patches of p×p pixels
// of three colours and one class token, width c, and kept tokens behind each attention.
func ViTMACs(n, p, c, classes int, kept []Kept) float64 {
	sum := float64((n+1)*c*3*p*p + c*classes)
	have := n + 1
	for _, k := range kept {
		left := min(have, k.Prune, k.Merge)
		sum += float64(4*have*c*c + 2*have*have*c + 8*left*c*c)
		have = left
	}
	return sum
}
