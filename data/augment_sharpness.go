package data

import "fmt"

func init() {
	registerAugmentation("sharpness", func() Augmentation { return &sharpness{Factor: 2, P: 0.5} }, "sharper, or less sharp",
		"https://pytorch.org/vision/stable/generated/torchvision.transforms.RandomAdjustSharpness.html")
}

type sharpness struct {
	Factor float64 `opt:"factor" doc:"0 smooths, 1 leaves the picture, 2 sharpens it"`
	P      float64 `opt:"p" doc:"probability"`
}

func (a *sharpness) short(v string) error { return shortP(&a.Factor, v) }

func (a *sharpness) check() error {
	if !(a.Factor >= 0) {
		return fmt.Errorf("factor=%v: want a number of at least 0", a.Factor)
	}
	return chance(a.P)
}

func (a *sharpness) apply(r random, s *scene) error {
	if r.float() >= a.P {
		return nil
	}
	return s.colours(sharper(a.Factor))
}

// sharper is torchvision's adjust_sharpness: away from, or towards, the smoothed picture.
func sharper(factor float64) recolour {
	return perPlane(func(dst, src []uint8, h, w int) {
		smoothed(dst, src, h, w)
		for i, v := range src {
			dst[i] = blend(dst[i], v, float32(factor))
		}
	})
}

// smoothed is Pillow's ImageFilter.SMOOTH, (1 1 1, 1 5 1, 1 1 1)/13; the border stays as it is.
//
// Source: https://github.com/python-pillow/Pillow/blob/main/src/libImaging/Filter.c (the arithmetic; no code of it).
func smoothed(dst, src []uint8, h, w int) {
	copy(dst, src)
	const divisor = 13
	one, five := float32(1)/divisor, float32(5)/divisor
	row := func(at int, middle float32) float32 {
		return float32(float32(float32(src[at-1])*one)+float32(float32(src[at])*middle)) + float32(float32(src[at+1])*one)
	}
	for y := 1; y < h-1; y++ {
		for x := 1; x < w-1; x++ {
			v := float32(0.5)
			v += row((y+1)*w+x, one)
			v += row(y*w+x, five)
			v += row((y-1)*w+x, one)
			dst[y*w+x] = cut8(int(v))
		}
	}
}
