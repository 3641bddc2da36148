package data

import "fmt"

func init() {
	registerAugmentation("rotate", func() Augmentation { return &turnedBy{Degrees: 15, Interpolation: "nearest", P: 1} },
		"turned by up to so many degrees either way",
		"https://pytorch.org/vision/stable/generated/torchvision.transforms.RandomRotation.html")
}

type turnedBy struct {
	Degrees       float64 `opt:"degrees" doc:"largest angle"`
	Interpolation string  `opt:"interpolation" doc:"nearest or bilinear"`
	Fill          int     `opt:"fill" doc:"value beyond the border, 0 to 255"`
	P             float64 `opt:"p" doc:"probability"`
}

func (a *turnedBy) short(v string) error { return shortP(&a.Degrees, v) }

func (a *turnedBy) check() error {
	if !(a.Degrees >= 0 && a.Degrees <= 180) {
		return fmt.Errorf("degrees=%v: want an angle from 0 to 180", a.Degrees)
	}
	return warps(a.Interpolation, a.Fill, a.P)
}

// warps checks the options that all warps have.
func warps(interpolation string, fill int, p float64) error {
	if _, ok := smooth(interpolation); !ok {
		return fmt.Errorf("interpolation=%q: want nearest or bilinear", interpolation)
	}
	if err := grey8(fill); err != nil {
		return err
	}
	return chance(p)
}

func (a *turnedBy) apply(r random, s *scene) error {
	if r.float() < a.P {
		bilinear, _ := smooth(a.Interpolation)
		s.rotate(r.between(-a.Degrees, a.Degrees), bilinear, uint8(a.Fill))
	}
	return nil
}
