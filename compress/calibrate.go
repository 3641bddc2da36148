package compress

import "math"

// histogramBins is the number of steps in which the numbers of a value are counted.
const histogramBins = 2048

// observed is what was seen of a value: its range, and then how often numbers fall into the bins of that range.
type observed struct {
	lo, hi float64
	seen   bool
	bins   []float64 // nil in the first pass
	zeros  float64   // numbers that are exactly 0, which every scale has, and that are in no bin
}

// widen takes the range of x in; it reports whether all of x is finite.
func (o *observed) widen(x []float32) bool {
	for _, v := range x {
		f := float64(v)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return false
		}
		if !o.seen {
			o.lo, o.hi, o.seen = f, f, true
		}
		o.lo, o.hi = min(o.lo, f), max(o.hi, f)
	}
	return true
}

// count counts x, of which the range is known.
func (o *observed) count(x []float32) {
	if o.bins == nil {
		o.bins = make([]float64, histogramBins)
	}
	k := histogramBins / max(o.hi-o.lo, math.SmallestNonzeroFloat32)
	for _, v := range x {
		if v == 0 {
			o.zeros++
			continue
		}
		o.bins[min(max(int((float64(v)-o.lo)*k), 0), histogramBins-1)]++
	}
}

// edge is where bin i begins.
func (o *observed) edge(i int) float64 { return o.lo + (o.hi-o.lo)*float64(i)/histogramBins }

// bin is the bin that x falls into, at most the number of bins.
func (o *observed) bin(x float64) int {
	if o.hi <= o.lo {
		return 0
	}
	return min(max(int(math.Round((x-o.lo)/(o.hi-o.lo)*histogramBins)), 0), histogramBins)
}

// percentile is the range that leaves out the share (100-p)/200 of the numbers at each end.
//
// Source: the percentile method of Wu et al. 2020, "Integer Quantization for Deep Learning Inference", https://arxiv.org/abs/2004.09602,
// section 5.2; half of the share at each end, as for numbers of both signs.
func (o *observed) percentile(p float64) (lo, hi float64) {
	total := o.zeros
	for _, n := range o.bins {
		total += n
	}
	cut := (100 - p) / 200 * total
	zero := min(o.bin(0), histogramBins-1)
	at := func(i int) float64 { // what bin i has, zeros in the bin of 0
		if i == zero {
			return o.bins[i] + o.zeros
		}
		return o.bins[i]
	}
	i, left := 0, 0.0
	for ; i < histogramBins-1 && left+at(i) <= cut; i++ {
		left += at(i)
	}
	j, right := histogramBins, 0.0
	for ; j > i+1 && right+at(j-1) <= cut; j-- {
		right += at(j - 1)
	}
	return o.edge(i), o.edge(j)
}

// candidates yields ranges to choose of: those of magnitudes up to T, cut where nothing was seen, from the widest to narrow ones.
func (o *observed) candidates(yield func(lo, hi float64) bool) {
	top := max(math.Abs(o.lo), math.Abs(o.hi))
	for k := 200; k >= 20; k-- {
		t := top * float64(k) / 200
		if !yield(max(o.lo, -t), min(o.hi, t)) {
			return
		}
	}
}

// entropy is the range, of candidates, in which the distribution of the numbers that are inside, in so many levels, tells least apart from
// the distribution of all, with what is outside at the edges: the smallest Kullback–Leibler divergence.
//
// Source: Migacz 2017, "8-bit Inference with TensorRT", GPU Technology Conference; zeros, which are exact in any scale, are not counted.
func (o *observed) entropy(levels int) (lo, hi float64) {
	lo, hi = o.lo, o.hi
	best := math.Inf(1)
	for a, b := range o.candidates {
		i, j := o.bin(a), o.bin(b)
		if j-i < levels {
			break
		}
		if d := o.divergence(i, j, levels); d < best {
			best, lo, hi = d, o.edge(i), o.edge(j)
		}
	}
	return lo, hi
}

// divergence is that of the bins i to j, with what is outside at the edges, from the same bins in so many levels without it.
func (o *observed) divergence(i, j, levels int) float64 {
	p := append([]float64(nil), o.bins[i:j]...)
	for _, n := range o.bins[:i] {
		p[0] += n
	}
	for _, n := range o.bins[j:] {
		p[len(p)-1] += n
	}
	q := make([]float64, len(p))
	for l := range levels {
		from, to := l*len(p)/levels, (l+1)*len(p)/levels
		sum, some := 0.0, 0.0
		for k := from; k < to; k++ {
			sum += o.bins[i+k]
			if p[k] > 0 {
				some++
			}
		}
		for k := from; k < to; k++ {
			if p[k] > 0 {
				q[k] = sum / some
			}
		}
	}
	var sp, sq float64
	for k := range p {
		sp, sq = sp+p[k], sq+q[k]
	}
	if sp == 0 || sq == 0 {
		return math.Inf(1)
	}
	d := 0.0
	for k, x := range p {
		if x > 0 {
			d += x / sp * math.Log((x/sp)/max(q[k]/sq, 1e-9))
		}
	}
	return d
}

// mse is the range, of candidates, with the smallest mean square of what rounding to so many levels and cutting off change.
func (o *observed) mse(levels int) (lo, hi float64) {
	lo, hi = o.lo, o.hi
	best := math.Inf(1)
	width := (o.hi - o.lo) / histogramBins
	for a, b := range o.candidates {
		zeroed := max(b, 0) - min(a, 0) // a scale always has zero
		step := zeroed / float64(levels-1)
		sum := 0.0
		for k, n := range o.bins {
			if n == 0 {
				continue
			}
			x := o.edge(k) + width/2
			e := max(a-x, x-b, 0)
			if e > 0 {
				sum += n * e * e
			} else {
				sum += n * step * step / 12
			}
		}
		if sum < best {
			best, lo, hi = sum, a, b
		}
	}
	return lo, hi
}
