package probe

import (
	"math"
	"slices"
)

// descending is the number at index k of |x| sorted from the largest down, found without sorting all of it. buf is as long as x and is
// overwritten.
func descending(x []float64, k int, buf []float64) float64 {
	for i, v := range x {
		buf[i] = math.Abs(v)
	}
	lo, hi := 0, len(x) // the number wanted is in buf[lo:hi]
	for rounds := 0; hi-lo > 32; rounds++ {
		if rounds > 64 { // pivots that halve nothing
			break
		}
		a, b, c := buf[lo], buf[lo+(hi-lo)/2], buf[hi-1]
		pivot := max(min(a, b), min(max(a, b), c))
		// Larger ones to the front, those that equal the pivot between, smaller ones to the back.
		i, front, back := lo, lo, hi
		for i < back {
			switch v := buf[i]; {
			case v > pivot:
				buf[i], buf[front] = buf[front], v
				front++
				i++
			case v < pivot:
				back--
				buf[i], buf[back] = buf[back], v
			default:
				i++
			}
		}
		switch {
		case k < front:
			hi = front
		case k < back:
			return pivot
		default:
			lo = back
		}
	}
	part := buf[lo:hi]
	slices.SortFunc(part, func(a, b float64) int {
		switch {
		case a > b:
			return -1
		case a < b:
			return 1
		}
		return 0
	})
	return buf[k]
}

// limit is the magnitude to which clipping the share c of the coordinates of g limits them: the one at index ⌊n·c⌋ of all magnitudes
// sorted from the largest down, over all parameters together, so that so many lie at or above it. Where it is zero, because more of the
// gradient is, nothing is to be clipped, and the limit is infinite.
func (s *Space) limit(g []float64, c float64) float64 {
	if tau := descending(g, int(float64(len(g))*c), s.buffer()); tau > 0 {
		return tau
	}
	return math.Inf(1)
}

// clipped is x within ±tau.
func clipped(x, tau float64) float64 { return max(-tau, min(tau, x)) }

// buffer is scratch space for one vector.
func (s *Space) buffer() []float64 {
	if s.scratch == nil {
		s.scratch = make([]float64, s.Len())
	}
	return s.scratch
}

// share is the part of ‖v‖² that the largest of its coordinates have, the given share of them, at least one.
func (s *Space) share(v []float64, of float64) float64 {
	k := max(1, int(math.Ceil(of*float64(len(v)))))
	tau := descending(v, k-1, s.buffer())
	all, top, above := 0.0, 0.0, 0
	for _, x := range v {
		if all += x * x; math.Abs(x) > tau {
			top += x * x
			above++
		}
	}
	if all == 0 {
		return math.NaN()
	}
	return min(1, (top+float64(k-above)*tau*tau)/all)
}
