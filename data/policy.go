package data

import (
	"fmt"
	"math"
)

// policyOp is one of the changes that the automatic policies draw from.
type policyOp struct {
	name   string
	signed bool // of either sign
	// strength is the magnitude of level k of n for a picture of h×w.
	strength func(k, n, h, w int) float64
	apply    func(s *scene, v float64, bilinear bool, fill uint8) error
}

// levels are n numbers from lo to hi, as torch.linspace has them in single precision.
func levels(lo, hi float64) func(k, n, h, w int) float64 {
	return func(k, n, _, _ int) float64 {
		a, b := float32(lo), float32(hi)
		step := (b - a) / float32(n-1)
		if k < n/2 {
			return float64(a + float32(step*float32(k)))
		}
		return float64(b - float32(step*float32(n-1-k)))
	}
}

// fewerBits goes from 8 bits down by most of them.
func fewerBits(most float64) func(k, n, h, w int) float64 {
	return func(k, n, _, _ int) float64 {
		return 8 - math.RoundToEven(float64(float32(k)/float32(float64(n-1)/most)))
	}
}

func ignored(int, int, int, int) float64 { return 0 }

// policyOps is the space of an automatic policy, by the largest shear, shift (of h×w), angle and change of colours, and the most bits that
// are dropped.
func policyOps(shear float64, shift func(side int) float64, angle, colour, bits float64) []policyOp {
	of := func(make func(float64) recolour) func(*scene, float64, bool, uint8) error {
		return func(s *scene, v float64, _ bool, _ uint8) error { return s.colours(make(1 + v)) }
	}
	plain := func(change recolour) func(*scene, float64, bool, uint8) error {
		return func(s *scene, _ float64, _ bool, _ uint8) error { return s.colours(change) }
	}
	sheared := func(x, y float64) func(*scene, float64, bool, uint8) error {
		return func(s *scene, v float64, bilinear bool, fill uint8) error {
			degrees := arctangent(v) * (180 / math.Pi)
			s.warp(around(0, 0, 0, 0, 0, 1, x*degrees, y*degrees), bilinear, fill)
			return nil
		}
	}
	moved := func(x, y float64) func(*scene, float64, bool, uint8) error {
		return func(s *scene, v float64, bilinear bool, fill uint8) error {
			h, w := s.size()
			v = math.Trunc(v)
			s.warp(around(float64(w)*0.5, float64(h)*0.5, 0, x*v, y*v, 1, 0, 0), bilinear, fill)
			return nil
		}
	}
	return []policyOp{
		{"Identity", false, ignored, func(*scene, float64, bool, uint8) error { return nil }},
		{"ShearX", true, levels(0, shear), sheared(1, 0)},
		{"ShearY", true, levels(0, shear), sheared(0, 1)},
		{"TranslateX", true, func(k, n, h, w int) float64 { return levels(0, shift(w))(k, n, h, w) }, moved(1, 0)},
		{"TranslateY", true, func(k, n, h, w int) float64 { return levels(0, shift(h))(k, n, h, w) }, moved(0, 1)},
		{"Rotate", true, levels(0, angle), func(s *scene, v float64, bilinear bool, fill uint8) error {
			s.rotate(v, bilinear, fill)
			return nil
		}},
		{"Brightness", true, levels(0, colour), of(brightness)},
		{"Color", true, levels(0, colour), of(saturation)},
		{"Contrast", true, levels(0, colour), of(contrast)},
		{"Sharpness", true, levels(0, colour), of(sharper)},
		{"Posterize", false, fewerBits(bits), func(s *scene, v float64, _ bool, _ uint8) error { return s.colours(posterized(int(v))) }},
		{"Solarize", false, levels(255, 0), func(s *scene, v float64, _ bool, _ uint8) error { return s.colours(solarized(v)) }},
		{"AutoContrast", false, ignored, plain(perPlane(contrasted))},
		{"Equalize", false, ignored, plain(perPlane(equalized))},
		{"Invert", false, ignored, plain(inverted)},
	}
}

// drawn is the strength of op at a level, of a random sign where it has one.
func (op policyOp) drawn(r random, s *scene, k, n int) float64 {
	h, w := s.size()
	v := op.strength(k, n, h, w)
	if op.signed && r.intn(2) == 1 {
		v = -v
	}
	return v
}

// policyOptions checks the options that all policies have.
func policyOptions(bins int, interpolation string, fill int) error {
	if bins < 2 || bins > 1<<20 {
		return fmt.Errorf("bins=%d: want at least 2", bins)
	}
	return warps(interpolation, fill, 0)
}
