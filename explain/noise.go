package explain

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/gtk-onnx/gtk/tensor"
)

// noiseParams are the options of the methods that average over noisy copies of the input.
var noiseParams = []Param{
	{Name: "n", Default: "25", Doc: "noisy copies of each image; the number of recorded ones when noise is replayed", Says: "%s samples"},
	{Name: "noise-spread", Default: "0.15", Doc: "standard deviation of the noise as a fraction of the range of the preprocessed image",
		Says: "noise %s"},
	{Name: "noise-sigma", Doc: "standard deviation of the noise, absolute; instead of noise-spread", Says: "noise ±%s"},
}

// noise is Gaussian noise for the input.
type noise struct {
	n        int
	spread   float64
	sigma    float64
	absolute bool
}

// maxNoise bounds the number of noisy copies.
const maxNoise = 1 << 20

func parseNoise(o Options) (noise, error) {
	var z noise
	var err error
	if z.n, err = o.nonNegative("n"); err != nil {
		return z, err
	}
	if z.n < 1 || z.n > maxNoise {
		return z, fmt.Errorf("n=%d: want 1 to %d", z.n, maxNoise)
	}
	if o["noise-sigma"] != "" {
		z.absolute = true
		z.sigma, err = o.float("noise-sigma")
	} else {
		z.spread, err = o.float("noise-spread")
	}
	if err == nil && (z.sigma < 0 || z.spread < 0) {
		err = fmt.Errorf("noise-spread and noise-sigma must not be negative")
	}
	return z, err
}

// each runs a pass over the noisy copies of all rows of p, a batch at a time, and calls use with it; from[i] is the row that element i of
// the pass is a copy of. Copies of one row come in the order of their number. It returns how many copies each row had.
//
// Copy m of an image gets the noise of the seed and m alone, so that the map of an image does not depend on the batch it is in.
func (z noise) each(ctx context.Context, p *Probe, use func(pass *Pass, from []int)) (int, error) {
	x := p.Input()
	if x == nil {
		return 0, fmt.Errorf("explain: noise is added to the input, and numbers of tokens take none: choose a method without noise")
	}
	rows, c, h, w := x.Dim(0), x.Dim(1), x.Dim(2), x.Dim(3)
	k := c * h * w
	n := z.n
	replay := p.Noise()
	if replay != nil {
		if replay.DType() != tensor.Float32 || replay.Rank() != 4 || replay.Len() == 0 || !replay.Shape()[1:].Equal(x.Shape()[1:]) {
			return 0, fmt.Errorf("explain: recorded noise is %v; need float32 [n,%d,%d,%d]", replay, c, h, w)
		}
		n = replay.Dim(0)
	}
	unit := make([]float32, k)
	at := -1 // the copy that unit belongs to
	batch := max(1, p.Batch())
	for lo := 0; lo < n*rows; lo += batch {
		hi := min(lo+batch, n*rows)
		noisy := tensor.New(tensor.Float32, hi-lo, c, h, w)
		from := make([]int, hi-lo)
		for i := lo; i < hi; i++ {
			m, r := i/rows, i%rows
			from[i-lo] = r
			src, dst := x.F32()[r*k:(r+1)*k], noisy.F32()[(i-lo)*k:(i-lo+1)*k]
			if replay != nil {
				for j, e := range replay.F32()[m*k : (m+1)*k] {
					dst[j] = src[j] + e
				}
				continue
			}
			if at != m {
				gaussian(unit, p.Seed(), uint64(m))
				at = m
			}
			s := float32(z.sigmaOf(src))
			for j, e := range unit {
				dst[j] = src[j] + s*e
			}
		}
		pass, err := p.Pass(ctx, noisy, from)
		if err != nil {
			return 0, err
		}
		use(pass, from)
	}
	return n, nil
}

// sigmaOf is the standard deviation of the noise for an image x: absolute, or spread*(max x - min x).
func (z noise) sigmaOf(x []float32) float64 {
	if z.absolute {
		return z.sigma
	}
	lo, hi := x[0], x[0]
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
	}
	return z.spread * float64(hi-lo)
}

// gaussian fills dst with standard normal numbers that depend on seed and key alone.
func gaussian(dst []float32, seed, key uint64) {
	r := rand.New(rand.NewPCG(seed, key^0x9e3779b97f4a7c15))
	for i := range dst {
		dst[i] = float32(r.NormFloat64())
	}
}
