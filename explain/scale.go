package explain

import (
	"math"
	"slices"
)

// MinMax is (m-min)/(max-min), and all zeros with ok false when m is constant or not finite everywhere.
func MinMax(m []float32) (out []float32, ok bool) {
	out = make([]float32, len(m))
	if len(m) == 0 {
		return out, false
	}
	lo, hi := m[0], m[0]
	for _, v := range m {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return out, false
		}
		lo, hi = min(lo, v), max(hi, v)
	}
	if lo == hi {
		return out, false
	}
	stretch(out, m, float64(lo), float64(hi))
	return out, true
}

// stretch brings lo to 0 and hi to 1, and what is beyond to these.
func stretch(out, m []float32, lo, hi float64) {
	for i, v := range m {
		out[i] = float32(min(max((float64(v)-lo)/(hi-lo), 0), 1))
	}
}

// Symmetric maps 0 to 0.5 and ±max|m| to 1 and 0, for colour maps with a neutral middle. A map that is constant or not finite
// everywhere gives 0.5 everywhere with ok false.
func Symmetric(m []float32) (out []float32, ok bool) {
	out = make([]float32, len(m))
	var top float64
	for _, v := range m {
		top = max(top, math.Abs(float64(v))) // NaN stays
		ok = ok || v != m[0]
	}
	ok = ok && top <= math.MaxFloat32
	for i, v := range m {
		out[i] = 0.5
		if ok {
			out[i] = float32(0.5 + float64(v)/(2*top))
		}
	}
	return out, ok
}

// Clipped is Symmetric (signed) or MinMax of m with its extremes cut, so that one hot pixel does not leave the rest invisible: signed
// maps at the given percentile of |m| over the values that are not 0; others at that percentile of the values above the lowest and at
// its complement of all. A percentile is the value at the next lower rank, so that of two values or more the last is cut at any
// percentile below 100. Percentiles that are not between 50 and 100 cut nothing, nor is a map cut that would be constant then.
func Clipped(m []float32, signed bool, percentile float64) (out []float32, ok bool) {
	plain := MinMax
	if signed {
		plain = Symmetric
	}
	if out, ok = plain(m); !ok || !(percentile >= 50 && percentile < 100) {
		return out, ok
	}
	var ranked []float32
	if signed {
		for _, v := range m {
			if v != 0 {
				ranked = append(ranked, max(v, -v))
			}
		}
		slices.Sort(ranked)
		top := float64(ranked[rank(len(ranked), percentile)])
		stretch(out, m, -top, top)
		return out, true
	}
	ranked = slices.Sorted(slices.Values(m))
	n := len(ranked)
	lo := ranked[n-1-rank(n, percentile)]
	above := ranked[slices.IndexFunc(ranked, func(v float32) bool { return v > ranked[0] }):]
	if hi := above[rank(len(above), percentile)]; hi > lo {
		stretch(out, m, float64(lo), float64(hi))
	}
	return out, true
}

// rank is the place of a percentile in n sorted values.
func rank(n int, percentile float64) int { return int(percentile / 100 * float64(n-1)) }
