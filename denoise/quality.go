package denoise

import (
	"fmt"
	"math"
)

// PSNR is the ratio of the peak 1 to the root of the mean square difference of x, cut to [0,1], from the clean picture, in dB; +Inf where
// there is no difference. All channels count alike.
func PSNR(x, clean []float32) (float64, error) {
	if len(x) != len(clean) || len(x) == 0 {
		return 0, fmt.Errorf("denoise: PSNR of %d and %d numbers", len(x), len(clean))
	}
	sum := 0.0
	for i, v := range x {
		d := float64(min(max(v, 0), 1)) - float64(clean[i])
		sum += d * d
	}
	return 10 * math.Log10(float64(len(x))/sum), nil
}

// Quality is how alike a picture and the clean one are.
type Quality struct {
	PSNR float64 `json:"psnr"` // dB
	SSIM float64 `json:"ssim"`
}

// Compare measures x [C,H,W] against the clean picture.
func Compare(x, clean []float32, c, h, w int) (q Quality, err error) {
	if q.PSNR, err = PSNR(x, clean); err != nil {
		return q, err
	}
	if min(h, w) < 2*ssimRadius+1 {
		q.SSIM = math.NaN()
		return q, nil
	}
	q.SSIM, err = SSIM(x, clean, c, h, w)
	return q, err
}

// The window of SSIM.
const (
	ssimRadius = 5
	ssimSigma  = 1.5
)

// SSIM is the structural similarity of x, cut to [0,1], and the clean picture, both [C,H,W]: its mean over all windows that lie within the
// picture, and over channels. Sides must be 11 at least.
//
// Source: Wang, Bovik, Sheikh, Simoncelli 2004, "Image quality assessment: from error visibility to structural similarity": Gaussian
// window of 11×11 with deviation 1.5, K₁ = 0.01, K₂ = 0.03, peak 1.
func SSIM(x, clean []float32, c, h, w int) (float64, error) {
	if len(x) != c*h*w || len(clean) != c*h*w {
		return 0, fmt.Errorf("denoise: SSIM of %d and %d numbers as [%d,%d,%d]", len(x), len(clean), c, h, w)
	}
	if h < 2*ssimRadius+1 || w < 2*ssimRadius+1 {
		return 0, fmt.Errorf("denoise: SSIM looks at windows of 11×11, and the picture is %d×%d", h, w)
	}
	var window [2*ssimRadius + 1]float64
	sum := 0.0
	for i := range window {
		d := float64(i - ssimRadius)
		window[i] = math.Exp(-d * d / (2 * ssimSigma * ssimSigma))
		sum += window[i]
	}
	for i := range window {
		window[i] /= sum
	}
	oh, ow := h-2*ssimRadius, w-2*ssimRadius
	rows := make([]float64, h*ow)
	blur := func(at func(i int) float64, out []float64) {
		for y := range h {
			for x := range ow {
				s := 0.0
				for k, v := range window {
					s += v * at(y*w+x+k)
				}
				rows[y*ow+x] = s
			}
		}
		for y := range oh {
			for x := range ow {
				s := 0.0
				for k, v := range window {
					s += v * rows[(y+k)*ow+x]
				}
				out[y*ow+x] = s
			}
		}
	}
	const c1, c2 = 0.01 * 0.01, 0.03 * 0.03
	var m [5][]float64
	for k := range m {
		m[k] = make([]float64, oh*ow)
	}
	total := 0.0
	for ch := range c {
		p, q := x[ch*h*w:], clean[ch*h*w:]
		a := func(i int) float64 { return float64(min(max(p[i], 0), 1)) }
		b := func(i int) float64 { return float64(q[i]) }
		blur(a, m[0])
		blur(b, m[1])
		blur(func(i int) float64 { return a(i) * a(i) }, m[2])
		blur(func(i int) float64 { return b(i) * b(i) }, m[3])
		blur(func(i int) float64 { return a(i) * b(i) }, m[4])
		for i := range m[0] {
			ma, mb := m[0][i], m[1][i]
			va, vb, cov := m[2][i]-ma*ma, m[3][i]-mb*mb, m[4][i]-ma*mb
			total += (2*ma*mb + c1) * (2*cov + c2) / ((ma*ma + mb*mb + c1) * (va + vb + c2))
		}
	}
	return total / float64(c*oh*ow), nil
}
