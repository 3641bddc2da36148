package naive

import (
	"math"
	"math/cmplx"
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(map[string]operator{
		"HannWindow":      window3(0.5, 0.5, 0),
		"HammingWindow":   window3(25./46, 21./46, 0),
		"BlackmanWindow":  window3(0.42, 0.5, 0.08),
		"MelWeightMatrix": melWeights,
		"TfIdfVectorizer": tfIdf,
		"CumProd":         cumProd,
		"Det":             det,
		"DFT":             dft,
		"STFT":            stft,
	})
}

func window3(a0, a1, a2 float64) operator {
	return func(c *call) []*value {
		n := int(c.in[0].i[0])
		y := zeros(tensor.DType(c.int("output_datatype", 1)), n)
		period := float64(n - 1 + c.int("periodic", 1))
		for i := range y.f {
			if period == 0 {
				y.f[i] = 1
				continue
			}
			x := float64(i) / period
			y.f[i] = a0 - a1*math.Cos(2*math.Pi*x) + a2*math.Cos(4*math.Pi*x)
		}
		return one(y)
	}
}

// melWeights follows onnx/reference/ops/op_mel_weight_matrix.py.
func melWeights(c *call) []*value {
	bins, length, rate := int(c.in[0].i[0]), int(c.in[1].i[0]), float64(c.in[2].i[0])
	mel := func(f float64) float64 { return 2595 * math.Log10(1+f/700) }
	low, high := mel(c.in[3].at(0)), mel(c.in[4].at(0))
	at := make([]int, bins+2)
	for i := range at {
		m := low + float64(i)*(high-low)/float64(len(at))
		at[i] = int(float64(length+1) * 700 * (math.Pow(10, m/2595) - 1) / rate)
	}
	y := zeros(tensor.Float32, length/2+1, bins)
	for b := range bins {
		for f := range length/2 + 1 {
			switch {
			case f == at[b+1]:
				y.f[f*bins+b] = 1
			case f >= at[b] && f < at[b+1]:
				y.f[f*bins+b] = float64(f-at[b]) / float64(at[b+1]-at[b])
			case f > at[b+1] && f < at[b+2]:
				y.f[f*bins+b] = float64(at[b+2]-f) / float64(at[b+2]-at[b+1])
			}
		}
	}
	return one(y)
}

// tfIdf compares every n-gram of the pool with every place of a row of numbers.
func tfIdf(c *call) []*value {
	pool, counts, to, weights := c.ints("pool_int64s"), c.ints("ngram_counts"), c.ints("ngram_indexes"), c.floats("weights")
	x := c.in[0]
	cols := x.shape[len(x.shape)-1]
	width := slices.Max(to) + 1
	y := zeros(tensor.Float32, append(slices.Clone(x.shape[:len(x.shape)-1]), width)...)
	for r := range x.len() / cols {
		gram := 0
		for i, lo := range counts {
			n, hi := i+1, len(pool)
			if n < len(counts) {
				hi = counts[n]
			}
			for ; lo < hi; lo += n {
				for skip := 0; skip <= c.int("max_skip_count", 0) && (n > 1 || skip == 0); skip++ {
					for p := 0; p+(n-1)*(skip+1) < cols; p++ {
						same := n >= c.int("min_gram_length", 1) && n <= c.int("max_gram_length", 1)
						for k := range n {
							same = same && x.i[r*cols+p+k*(skip+1)] == int64(pool[lo+k])
						}
						if !same {
							continue
						}
						weight, v := 1.0, &y.f[r*width+to[gram]]
						if c.str("mode", "") != "TF" && weights != nil {
							weight = weights[gram]
						}
						*v += weight
						if c.str("mode", "") == "IDF" {
							*v = weight
						}
					}
				}
				gram++
			}
		}
	}
	return one(y)
}

func cumProd(c *call) []*value {
	x := c.in[0]
	y := zeros(x.d, x.shape...)
	a := axisOf(int(c.in[1].i[0]), len(x.shape))
	n := x.shape[a]
	lines(x.shape, a, func(start, step int) {
		for i := range n {
			p := 1.0
			for j := range n {
				before := j < i
				if c.int("reverse", 0) == 1 {
					before = j > i
				}
				if before || j == i && c.int("exclusive", 0) == 0 {
					p *= x.at(start + j*step)
				}
			}
			y.set(start+i*step, p)
		}
	})
	return one(y)
}

// det develops along the first row.
func det(c *call) []*value {
	x := c.in[0]
	r := len(x.shape)
	m := x.shape[r-1]
	y := zeros(x.d, x.shape[:r-2]...)
	for b := range y.f {
		y.f[b] = minor(x.f[b*m*m:(b+1)*m*m], m)
	}
	return one(y)
}

func minor(a []float64, m int) float64 {
	if m == 0 {
		return 1
	}
	sum := 0.0
	for k := range m {
		var rest []float64
		for i := 1; i < m; i++ {
			for j := range m {
				if j != k {
					rest = append(rest, a[i*m+j])
				}
			}
		}
		sum += float64(1-2*(k%2)) * a[k] * minor(rest, m-1)
	}
	return sum
}

// dft is the sum of its definition; the inverse of a half spectrum is that of the whole.
func dft(c *call) []*value {
	x := c.in[0]
	r := len(x.shape)
	a := c.int("axis", 1)
	if c.opset >= 20 {
		a = -2
		if c.has(2) {
			a = int(c.in[2].i[0])
		}
	}
	a = axisOf(a, r)
	inverse, half := c.int("inverse", 0) == 1, c.int("onesided", 0) == 1
	n, ch := x.shape[a], x.shape[r-1]
	if inverse && half {
		n = 2 * (n - 1)
	}
	if c.has(1) {
		n = int(c.in[1].i[0])
	}
	shape := slices.Clone(x.shape)
	shape[a], shape[r-1] = n, 2
	if half && inverse {
		shape[r-1] = 1
	} else if half {
		shape[a] = n/2 + 1
	}
	y := zeros(x.d, shape...)
	sign := -1.0
	if inverse {
		sign = 1
	}
	each(shape, func(idx []int, p int) {
		if idx[r-1] == 1 {
			return
		}
		k := idx[a]
		from := slices.Clone(idx)
		at := func(j int) complex128 {
			if j >= x.shape[a] {
				return 0
			}
			from[a], from[r-1] = j, 0
			v := complex(x.f[pos(x.shape, from)], 0)
			if ch == 2 {
				v += complex(0, x.f[pos(x.shape, from)+1])
			}
			return v
		}
		var sum complex128
		for j := range n {
			v := at(j)
			if inverse && half {
				switch m := n - j; {
				case j > n/2:
					v = cmplx.Conj(at(m))
				case j == 0 || 2*j == n:
					v = complex(real(v), 0)
				}
			}
			sum += v * cmplx.Exp(complex(0, sign*2*math.Pi*float64(j*k%n)/float64(n)))
		}
		if inverse {
			sum /= complex(float64(n), 0)
		}
		y.f[p] = real(sum)
		if shape[r-1] == 2 {
			y.f[p+1] = imag(sum)
		}
	})
	return one(y)
}

func stft(c *call) []*value {
	x := c.in[0]
	step, length := int(c.in[1].i[0]), x.shape[1]
	if c.has(2) {
		length = c.in[2].len()
	}
	if c.has(3) {
		length = int(c.in[3].i[0])
	}
	ch := x.shape[2]
	frames := zeros(x.d, x.shape[0], (x.shape[1]-length)/step+1, length, ch)
	each(frames.shape, func(idx []int, p int) {
		frames.f[p] = x.f[pos(x.shape, []int{idx[0], idx[1]*step + idx[2], idx[3]})]
		if c.has(2) {
			frames.f[p] *= c.in[2].f[idx[2]]
		}
	})
	return dft(&call{in: []*value{frames}, opset: 17, attrs: map[string]any{"axis": int64(2), "onesided": int64(c.int("onesided", 1))}})
}
