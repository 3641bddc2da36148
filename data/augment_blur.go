package data

import (
	"fmt"
	"math"
)

func init() {
	registerAugmentation("blur", func() Augmentation { return &blur{Low: 0.1, High: 2, P: 1} }, "blurred by a Gaussian",
		"https://pytorch.org/vision/stable/generated/torchvision.transforms.GaussianBlur.html")
}

type blur struct {
	Low    float64 `opt:"low" doc:"least standard deviation, in pixels"`
	High   float64 `opt:"high" doc:"largest standard deviation"`
	Kernel int     `opt:"kernel" doc:"width of the window, odd; 0: a tenth of the shorter side, at least 3"`
	P      float64 `opt:"p" doc:"probability"`
}

func (a *blur) short(v string) error {
	if err := shortRange(&a.Low, &a.High, v); err != nil {
		return err
	}
	a.High = max(a.High, a.Low)
	return nil
}

func (a *blur) check() error {
	switch {
	case !(a.Low > 0 && a.Low <= a.High && a.High <= 1000):
		return fmt.Errorf("%v to %v: want standard deviations above 0, the smaller first", a.Low, a.High)
	case a.Kernel < 0 || a.Kernel > 0 && a.Kernel%2 == 0:
		return fmt.Errorf("kernel=%d: want an odd number", a.Kernel)
	}
	return chance(a.P)
}

func (a *blur) apply(r random, s *scene) error {
	if r.float() >= a.P {
		return nil
	}
	h, w := s.size()
	kernel := a.Kernel
	if kernel == 0 {
		kernel = max(3, min(h, w)/10|1)
	}
	if kernel/2 >= min(h, w) {
		return fmt.Errorf("a window of %d on a picture of %d×%d", kernel, w, h)
	}
	return s.colours(perPlane(blurred(kernel, r.between(a.Low, a.High))))
}

// blurred is torchvision's gaussian_blur of one channel: borders are mirrored, the result is rounded to even.
func blurred(kernel int, sigma float64) func(dst, src []uint8, h, w int) {
	half := kernel / 2
	weight, sum := make([]float64, kernel), 0.0
	for i := range weight {
		x := float64(i - half)
		weight[i] = math.Exp(-0.5 * (x / sigma) * (x / sigma))
		sum += weight[i]
	}
	for i := range weight {
		weight[i] /= sum
	}
	mirror := func(i, n int) int {
		if i < 0 {
			return -i
		}
		if i >= n {
			return 2*n - 2 - i
		}
		return i
	}
	return func(dst, src []uint8, h, w int) {
		rows := make([]float64, h*w)
		for y := range h {
			for x := range w {
				v := 0.0
				for k, c := range weight {
					v += float64(c * float64(src[y*w+mirror(x+k-half, w)]))
				}
				rows[y*w+x] = v
			}
		}
		for y := range h {
			for x := range w {
				v := 0.0
				for k, c := range weight {
					v += float64(c * rows[mirror(y+k-half, h)*w+x])
				}
				dst[y*w+x] = cut8(int(math.RoundToEven(v)))
			}
		}
	}
}
