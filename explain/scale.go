package explain

import "math"

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
	d := float64(hi) - float64(lo)
	for i, v := range m {
		out[i] = float32((float64(v) - float64(lo)) / d)
	}
	return out, true
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
