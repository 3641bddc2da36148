package data

import (
	"fmt"
	"math"
)

func init() {
	registerAugmentation("jitter", func() Augmentation { return &jitter{0.4, 0.4, 0.4, 0.1, 1} },
		"other brightness, contrast, saturation and hue, in a random order",
		"https://pytorch.org/vision/stable/generated/torchvision.transforms.ColorJitter.html")
}

type jitter struct {
	Brightness float64 `opt:"brightness" doc:"factor from 1 less this to 1 more"`
	Contrast   float64 `opt:"contrast" doc:"likewise"`
	Saturation float64 `opt:"saturation" doc:"likewise"`
	Hue        float64 `opt:"hue" doc:"turn of the hue by up to this share of a circle, 0 to 0.5"`
	P          float64 `opt:"p" doc:"probability"`
}

func (j *jitter) short(v string) error {
	x, err := shortNumber(v)
	j.Brightness, j.Contrast, j.Saturation, j.Hue = x, x, x, min(x/4, 0.5)
	return err
}

func (j *jitter) check() error {
	for _, v := range []float64{j.Brightness, j.Contrast, j.Saturation} {
		if !(v >= 0) {
			return fmt.Errorf("%v: want a number of at least 0", v)
		}
	}
	if !(j.Hue >= 0 && j.Hue <= 0.5) {
		return fmt.Errorf("hue=%v: want a number from 0 to 0.5", j.Hue)
	}
	return chance(j.P)
}

func (j *jitter) apply(r random, s *scene) error {
	if r.float() >= j.P {
		return nil
	}
	order := []int{0, 1, 2, 3}
	shuffle(r, order)
	var factor [4]float64
	for k, v := range []float64{j.Brightness, j.Contrast, j.Saturation} {
		factor[k] = r.between(max(0, 1-v), 1+v)
	}
	factor[3] = r.between(-j.Hue, j.Hue)
	for _, k := range order {
		change := []func(float64) recolour{brightness, contrast, saturation, hue}[k]
		if k < 3 && factor[k] == 1 || k == 3 && j.Hue == 0 {
			continue
		}
		if err := s.colours(change(factor[k])); err != nil {
			return err
		}
	}
	return nil
}

// recolour writes the values of a picture src [C,H,W] to dst.
type recolour = func(dst, src []uint8, c, h, w int)

// blend is a + f·(b − a) of two values, as Pillow's Image.blend computes it: in single precision, cut at the ends, rounded towards zero.
//
// Source: https://github.com/python-pillow/Pillow/blob/main/src/libImaging/Blend.c (the arithmetic; no code of it).
func blend(a, b uint8, f float32) uint8 {
	v := float32(a) + float32(f*float32(int(b)-int(a)))
	switch {
	case v <= 0:
		return 0
	case v >= 255:
		return 255
	}
	return uint8(v)
}

// brightness is torchvision's adjust_brightness.
func brightness(factor float64) recolour {
	var table [256]uint8
	for v := range table {
		table[v] = blend(0, uint8(v), float32(factor))
	}
	return perValue(&table)
}

// contrast is torchvision's adjust_contrast: away from, or towards, the mean grey.
func contrast(factor float64) recolour {
	return func(dst, src []uint8, c, h, w int) {
		sum := 0
		for _, v := range inGrey(src, c, h*w) {
			sum += int(v)
		}
		mean := uint8(float64(sum)/float64(h*w) + 0.5)
		var table [256]uint8
		for v := range table {
			table[v] = blend(mean, uint8(v), float32(factor))
		}
		perValue(&table)(dst, src, c, h, w)
	}
}

// saturation is torchvision's adjust_saturation: away from, or towards, grey.
func saturation(factor float64) recolour {
	return func(dst, src []uint8, c, h, w int) {
		g := inGrey(src, c, h*w)
		for i, v := range src {
			dst[i] = blend(g[i%(h*w)], v, float32(factor))
		}
	}
}

// inGrey is a picture of n pixels in grey.
func inGrey(src []uint8, c, n int) []uint8 {
	if c == 1 {
		return src
	}
	g := make([]uint8, n)
	luma(g, src)
	return g
}

// hue is torchvision's adjust_hue: the hue is turned by a share of the circle, −0.5 to 0.5, in Pillow's HSV of bytes.
//
// Source: https://github.com/python-pillow/Pillow/blob/main/src/libImaging/Convert.c (the arithmetic; no code of it).
func hue(turn float64) recolour {
	by := uint8(int(turn * 255))
	return func(dst, src []uint8, c, h, w int) {
		n := h * w
		if c == 1 {
			copy(dst, src)
			return
		}
		for i := range n {
			h, s, v := toHSV(src[i], src[n+i], src[2*n+i])
			dst[i], dst[n+i], dst[2*n+i] = fromHSV(h+by, s, v)
		}
	}
}

func toHSV(r, g, b uint8) (h, s, v uint8) {
	v = max(r, g, b)
	low := min(r, g, b)
	if v == low {
		return 0, 0, v
	}
	span := float32(v - low)
	rc, gc, bc := float32(v-r)/span, float32(v-g)/span, float32(v-b)/span
	var a float32
	switch v {
	case r:
		a = bc - gc
	case g:
		a = float32(2 + float64(rc) - float64(bc))
	default:
		a = float32(4 + float64(gc) - float64(rc))
	}
	a = float32(math.Mod(float64(a)/6+1, 1))
	return cut8(int(float64(a) * 255)), cut8(int(float64(span/float32(v)) * 255)), v
}

func fromHSV(h, s, v uint8) (r, g, b uint8) {
	if s == 0 {
		return v, v, v
	}
	sector := int(math.Floor(float64(h) * 6 / 255))
	f := float64(float32(float64(h)*6/255 - float64(sector)))
	fs := float64(float32(float64(s) / 255))
	p := cut8(int(math.Round(float64(v) * (1 - fs))))
	q := cut8(int(math.Round(float64(v) * (1 - float64(fs*f)))))
	t := cut8(int(math.Round(float64(v) * (1 - float64(fs*(1-f))))))
	switch sector % 6 {
	case 0:
		return v, t, p
	case 1:
		return q, v, p
	case 2:
		return p, v, t
	case 3:
		return p, q, v
	case 4:
		return t, p, v
	}
	return v, p, q
}

func cut8(v int) uint8 { return uint8(min(max(v, 0), 255)) }
