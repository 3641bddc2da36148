package data

import (
	"errors"
	"math"
)

func init() {
	registerAugmentation("affine", func() Augmentation {
		return &affine{Degrees: 10, Translate: 0.1, Low: 0.9, High: 1.1, Interpolation: "nearest", P: 1}
	}, "turned, moved, scaled and sheared", "https://pytorch.org/vision/stable/generated/torchvision.transforms.RandomAffine.html")
}

type affine struct {
	Degrees       float64 `opt:"degrees" doc:"largest angle either way"`
	Translate     float64 `opt:"translate" doc:"largest shift either way, as a share of the side"`
	Low           float64 `opt:"low" doc:"least scale"`
	High          float64 `opt:"high" doc:"largest scale"`
	Shear         float64 `opt:"shear" doc:"largest shear along the rows either way, in degrees"`
	Interpolation string  `opt:"interpolation" doc:"nearest or bilinear"`
	Fill          int     `opt:"fill" doc:"value beyond the border, 0 to 255"`
	P             float64 `opt:"p" doc:"probability"`
}

func (a *affine) short(v string) error { return shortP(&a.Degrees, v) }

func (a *affine) check() error {
	switch {
	case !(a.Degrees >= 0 && a.Degrees <= 180):
		return errors.New("degrees: want an angle from 0 to 180")
	case !(a.Translate >= 0 && a.Translate <= 1):
		return errors.New("translate: want a share from 0 to 1")
	case !(a.Low > 0 && a.Low <= a.High):
		return errors.New("need 0 < low <= high")
	case !(a.Shear >= 0 && a.Shear < 90):
		return errors.New("shear: want an angle from 0 to below 90")
	}
	return warps(a.Interpolation, a.Fill, a.P)
}

func (a *affine) apply(r random, s *scene) error {
	if r.float() >= a.P {
		return nil
	}
	h, w := s.size()
	angle := r.between(-a.Degrees, a.Degrees)
	mx, my := a.Translate*float64(w), a.Translate*float64(h)
	tx, ty := math.RoundToEven(r.between(-mx, mx)), math.RoundToEven(r.between(-my, my))
	m := around(float64(w)*0.5, float64(h)*0.5, angle, tx, ty, r.between(a.Low, a.High), r.between(-a.Shear, a.Shear), 0)
	bilinear, _ := smooth(a.Interpolation)
	s.warp(m, bilinear, uint8(a.Fill))
	return nil
}
