package engine

import (
	"math"

	"github.com/gtk-onnx/gtk/tensor"
)

// sinusoids reports whether t is a table that a formula of sines gave: along some axis of at least eight elements every line is a constant
// and one sinusoid, or up to three (a windowed Fourier transform), and their frequencies differ from line to line, as in rotary and fixed
// position encodings.
//
// A sum x of k sinusoids and a constant satisfies, for any place t, x[t-k] + x[t+k] = c + Σ a[i]·(x[t-i] + x[t+i]) with i from 0 to k-1,
// which the weights that training gives do not. file is the type that the numbers were rounded to.
func sinusoids(t *tensor.Tensor, file tensor.DType) bool {
	if t.DType() != tensor.Float32 && t.DType() != tensor.Float64 {
		return false
	}
	eps := 0x1p-24
	switch file {
	case tensor.Float16:
		eps = 0x1p-11
	case tensor.BFloat16:
		eps = 0x1p-8
	}
	s := t.Shape()
	inner := 1
	for k := len(s) - 1; k >= 0; k-- {
		if s[k] >= 8 && t.Len() >= 16 && oscillates(t, s[k], inner, eps) {
			return true
		}
		inner *= s[k]
	}
	return false
}

// oscillates looks at the lines of n elements that are stride apart.
func oscillates(t *tensor.Tensor, n, stride int, eps float64) bool {
	line := make([]float64, n)
	lines, turning := 0, 0
	first := -1.0
	differ := false
	for base := 0; base < t.Len(); base += n * stride {
		for off := range stride {
			at(t, base+off, stride, line)
			lines++
			w, ok := frequency(line, eps)
			if !ok {
				return false
			}
			if w == 0 {
				continue
			}
			if first < 0 {
				first = w
			}
			differ = differ || math.Abs(w-first) > 1e-2*first
			if w*float64(n) >= math.Pi && w < 3 { // half a turn at least, and more than plus and minus in turn
				turning++
			}
		}
	}
	return differ && 8*turning >= lines
}

// at fills line with elements of t from base on that are stride apart.
func at(t *tensor.Tensor, base, stride int, line []float64) {
	if t.DType() == tensor.Float32 {
		for i := range line {
			line[i] = float64(t.F32()[base+i*stride])
		}
		return
	}
	x := tensor.Data[float64](t)
	for i := range line {
		line[i] = x[base+i*stride]
	}
}

// frequency is the angle by which x turns from one element to the next, when x is a constant and a sinusoid or, of at least 32 elements,
// up to three; 0 when it is constant, and for several sinusoids one number that tells them apart.
func frequency(x []float64, eps float64) (w float64, ok bool) {
	lo, hi := x[0], x[0]
	for _, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return 0, false
		}
		lo, hi = min(lo, v), max(hi, v)
	}
	noise := 8 * eps * max(math.Abs(hi), math.Abs(lo))
	if hi-lo <= noise {
		return 0, true
	}
	if a, ok := recurrence(x, 1, hi-lo, noise); ok {
		return math.Acos(max(-1, min(1, a[0]/2))), true
	}
	if len(x) < 32 {
		return 0, false
	}
	// Halves of a windowed sinusoid turn as its middle does.
	if _, ok := recurrence(x, 3, hi-lo, noise); !ok {
		return 0, false
	}
	crossings := 0
	for i := 1; i < len(x); i++ {
		if (x[i] < 0) != (x[i-1] < 0) {
			crossings++
		}
	}
	return math.Pi * float64(crossings) / float64(len(x)), true
}

// recurrence fits the coefficients a[0..k-1] of k sinusoids and a constant to x, whose extent is span and whose rounding error noise; ok
// tells whether they fit.
func recurrence(x []float64, k int, span, noise float64) (a []float64, ok bool) {
	terms := func(t int) []float64 {
		r := make([]float64, k+2)
		for i := range k {
			r[i] = x[t-i] + x[t+i]
		}
		r[0] /= 2
		r[k], r[k+1] = span, x[t-k]+x[t+k]
		return r
	}
	m := make([][]float64, k+1) // normal equations
	for i := range m {
		m[i] = make([]float64, k+2)
	}
	for t := k; t+k < len(x); t++ {
		r := terms(t)
		for i := range m {
			for l := range m[i] {
				m[i][l] += r[i] * r[l]
			}
		}
	}
	for i := range m {
		m[i][i] += 1e-12 * span * span * float64(len(x)) // fewer sinusoids than k leave the rest undetermined
	}
	a = solve(m)
	for t := k; t+k < len(x); t++ {
		r := terms(t)
		e := r[k+1]
		for i := range k + 1 {
			e -= a[i] * r[i]
		}
		if math.Abs(e) > 2e-3*span+noise {
			return nil, false
		}
	}
	return a, true
}

// solve is the solution of the linear equations whose rows are m, the right side last, by elimination with pivots.
func solve(m [][]float64) []float64 {
	n := len(m)
	for c := range n {
		p := c
		for r := c + 1; r < n; r++ {
			if math.Abs(m[r][c]) > math.Abs(m[p][c]) {
				p = r
			}
		}
		m[c], m[p] = m[p], m[c]
		if m[c][c] == 0 {
			continue
		}
		for r := c + 1; r < n; r++ {
			f := m[r][c] / m[c][c]
			for k := c; k <= n; k++ {
				m[r][k] -= f * m[c][k]
			}
		}
	}
	a := make([]float64, n)
	for r := n - 1; r >= 0; r-- {
		if m[r][r] == 0 {
			continue
		}
		a[r] = m[r][n]
		for k := r + 1; k < n; k++ {
			a[r] -= m[r][k] * a[k]
		}
		a[r] /= m[r][r]
	}
	return a
}

// mask reports whether t tells places that count from others: zeros and numbers below -10000, or zeros and ones.
func mask(t *tensor.Tensor) bool {
	zeros, ones, huge := 0, 0, 0
	buf := make([]float64, 1)
	for i := range t.Len() {
		at(t, i, 1, buf)
		switch v := buf[0]; {
		case v == 0:
			zeros++
		case v == 1 && huge == 0:
			ones++
		case v <= -1e4 && ones == 0:
			huge++
		default:
			return false
		}
	}
	return zeros > 0 && (huge > 0 || ones > 0) && t.Len() > 3
}

// all reports whether every element of t is x.
func all(t *tensor.Tensor, x float64) bool {
	buf := make([]float64, 1)
	for i := range t.Len() {
		if at(t, i, 1, buf); buf[0] != x {
			return false
		}
	}
	return true
}
