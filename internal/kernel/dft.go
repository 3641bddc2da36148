package kernel

import "github.com/gtk-onnx/gtk/internal/parallel"

// DFT says what is done with each of many lines of numbers: the outer·inner lines of an array [outer, n, inner, parts], of one part, the
// real, or two.
type DFT struct {
	FFT           *FFT
	Inverse       bool // 1/N·Σ over the conjugate roots
	Onesided      bool // of a real signal there is half a spectrum
	Adjoint       bool // the transposed linear map, from the shape of the results to that of the signals
	Outer, Inner  int
	In, InParts   int // numbers of a line that there are, the rest are zeros, and parts of one
	Out, OutParts int // numbers of a line that are wanted, zeros where there are none, and parts of one
}

// DFTLines sets out to what d does with each line of in, computed in float64.
func DFTLines[T float32 | float64](p *parallel.Pool, d *DFT, out, in []T) {
	n := d.FFT.n
	p.For(d.Outer*d.Inner, max(1, 1<<12/n), func(lo, hi int) {
		x, work := make([]complex128, n), make([]complex128, d.FFT.Work())
		for line := lo; line < hi; line++ {
			o, i := line/d.Inner, line%d.Inner
			clear(x)
			for k := range min(d.In, n) {
				at := ((o*d.In+k)*d.Inner + i) * d.InParts
				if d.InParts == 2 {
					x[k] = complex(float64(in[at]), float64(in[at+1]))
				} else {
					x[k] = complex(float64(in[at]), 0)
				}
			}
			if d.Adjoint {
				d.adjoint(x, work)
			} else {
				d.forward(x, work)
			}
			for k := range d.Out {
				var v complex128
				if k < n {
					v = x[k]
				}
				at := ((o*d.Out+k)*d.Inner + i) * d.OutParts
				out[at] = T(real(v))
				if d.OutParts == 2 {
					out[at+1] = T(imag(v))
				}
			}
		}
	})
}

func (d *DFT) forward(x, work []complex128) {
	n := len(x)
	if d.Onesided && d.Inverse { // the other half are the conjugates
		x[0] = complex(real(x[0]), 0)
		for k := 1; 2*k <= n; k++ {
			if 2*k == n {
				x[k] = complex(real(x[k]), 0)
			}
			x[n-k] = conjugate(x[k])
		}
	}
	d.run(x, work, d.Inverse)
	if d.Inverse {
		scaleComplex(x, 1/float64(n))
	}
}

func (d *DFT) adjoint(x, work []complex128) {
	n := len(x)
	d.run(x, work, !d.Inverse)
	if !d.Inverse {
		return
	}
	scaleComplex(x, 1/float64(n))
	if !d.Onesided {
		return
	}
	for k := range x { // every number but the first and the middle one stands for two, and what is beyond for none
		switch {
		case 2*k > n:
			x[k] = 0
		case k > 0 && 2*k < n:
			x[k] *= 2
		}
	}
}

// run transforms x, or with conj by the conjugate roots.
func (d *DFT) run(x, work []complex128, conj bool) {
	if conj {
		for i, v := range x {
			x[i] = conjugate(v)
		}
	}
	d.FFT.Transform(x, work)
	if conj {
		for i, v := range x {
			x[i] = conjugate(v)
		}
	}
}

func conjugate(x complex128) complex128 { return complex(real(x), -imag(x)) }

func scaleComplex(x []complex128, k float64) {
	for i := range x {
		x[i] *= complex(k, 0)
	}
}
