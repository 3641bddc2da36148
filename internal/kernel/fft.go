package kernel

import "math"

// FFT is the discrete Fourier transform of one length, prepared. It may be used by several goroutines at once.
//
// Source: lengths whose prime factors are at most 31 by the self-sorting algorithm of Stockham (Cochran et al. 1967, "What is the fast
// Fourier transform?", Proc. IEEE 55(10)) with any factors; others as a convolution, Bluestein 1970, "A linear filtering approach to the
// computation of discrete Fourier transform", IEEE Trans. Audio Electroacoust. 18(4).
type FFT struct {
	n       int
	factors []int
	roots   []complex128 // exp(-2πi·k/n)
	// of Bluestein's algorithm
	inner *FFT
	chirp []complex128 // exp(-πi·k²/n)
	kern  []complex128 // transform of its conjugate, periodic
}

const largestFactor = 31

// NewFFT prepares transforms of n ≥ 1 numbers.
func NewFFT(n int) *FFT {
	f := &FFT{n: n, factors: factorsOf(n)}
	if len(f.factors) == 0 || f.factors[len(f.factors)-1] <= largestFactor {
		f.roots = make([]complex128, n)
		for k := range f.roots {
			f.roots[k] = root(k, n)
		}
		return f
	}
	m := 1
	for m < 2*n-1 {
		m *= 2
	}
	f.inner = NewFFT(m)
	f.chirp = make([]complex128, n)
	f.kern = make([]complex128, m)
	for k := range n {
		f.chirp[k] = root(int(uint64(k)*uint64(k)%uint64(2*n)), 2*n)
		c := complex(real(f.chirp[k]), -imag(f.chirp[k]))
		f.kern[k] = c
		if k > 0 {
			f.kern[m-k] = c
		}
	}
	f.inner.Transform(f.kern, make([]complex128, f.inner.Work()))
	return f
}

// root is exp(-2πi·k/n).
func root(k, n int) complex128 {
	s, c := math.Sincos(-2 * math.Pi * float64(k) / float64(n))
	return complex(c, s)
}

// factorsOf are 4s, then the prime factors of n, ascending.
func factorsOf(n int) []int {
	var f []int
	for n%4 == 0 {
		f, n = append(f, 4), n/4
	}
	for p := 2; p*p <= n; p++ {
		for n%p == 0 {
			f, n = append(f, p), n/p
		}
	}
	if n > 1 {
		f = append(f, n)
	}
	return f
}

// Len is the length of the transforms.
func (f *FFT) Len() int { return f.n }

// Work is how many numbers of working memory a transform takes.
func (f *FFT) Work() int {
	if f.inner != nil {
		return len(f.kern) + f.inner.Work()
	}
	return f.n
}

// Transform replaces x by y[k] = Σ x[j]·exp(-2πi·jk/n). work has Work() numbers.
func (f *FFT) Transform(x, work []complex128) {
	atLeast(f.n, len(x))
	atLeast(f.Work(), len(work))
	if f.inner != nil {
		f.bluestein(x, work)
		return
	}
	a, b := x[:f.n], work[:f.n]
	l := 1 // length of the transforms that a has, s of them side by side
	for _, p := range f.factors {
		s := f.n / (l * p)
		for j := range l {
			f.butterfly(b, a, j, l, p, s)
		}
		a, b = b, a
		l *= p
	}
	if len(f.factors)%2 == 1 {
		copy(x, a)
	}
}

// butterfly makes of the numbers j of p transforms of length l those of one of length l·p, s times.
func (f *FFT) butterfly(out, in []complex128, j, l, p, s int) {
	in = in[j*p*s : (j+1)*p*s]
	step := j * f.n / (l * p)
	row := func(g int) []complex128 { return out[(j+l*g)*s:][:s] }
	switch p {
	case 2:
		w := f.roots[step]
		y0, y1, x0, x1 := row(0), row(1), in[:s], in[s:2*s]
		for q, u := range x0 {
			v := x1[q] * w
			y0[q], y1[q] = u+v, u-v
		}
	case 4:
		w1, w2, w3 := f.roots[step], f.roots[2*step], f.roots[3*step]
		y0, y1, y2, y3 := row(0), row(1), row(2), row(3)
		x0, x1, x2, x3 := in[:s], in[s:2*s], in[2*s:3*s], in[3*s:4*s]
		for q := range x0 {
			a, b, c, d := x0[q], x1[q]*w1, x2[q]*w2, x3[q]*w3
			ac, bd, u, v := a+c, b+d, a-c, b-d
			iv := complex(imag(v), -real(v)) // -i·v
			y0[q], y1[q], y2[q], y3[q] = ac+bd, u+iv, ac-bd, u-iv
		}
	default:
		var w [largestFactor]complex128
		for g := range p {
			for r := range p {
				w[r] = f.roots[(r*step+r*g%p*(f.n/p))%f.n]
			}
			for q, y := 0, row(g); q < s; q++ {
				sum := in[q]
				for r := 1; r < p; r++ {
					sum += in[r*s+q] * w[r]
				}
				y[q] = sum
			}
		}
	}
}

func (f *FFT) bluestein(x, work []complex128) {
	m := len(f.kern)
	a, work := work[:m], work[m:]
	clear(a)
	for k, c := range f.chirp {
		a[k] = x[k] * c
	}
	f.inner.Transform(a, work)
	for k, w := range f.kern { // the inverse transform is the conjugate of that of the conjugate
		y := a[k] * w
		a[k] = complex(real(y), -imag(y))
	}
	f.inner.Transform(a, work)
	for k, c := range f.chirp {
		x[k] = complex(real(a[k])/float64(m), -imag(a[k])/float64(m)) * c
	}
}
