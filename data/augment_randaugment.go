package data

import (
	"fmt"
	"strconv"
)

func init() {
	registerAugmentation("randaugment", func() Augmentation {
		return &randAugment{N: 2, Magnitude: 9, Bins: 31, Interpolation: "nearest"}
	}, "so many random changes of one strength", "https://arxiv.org/abs/1909.13719, as torchvision's RandAugment")
}

// randAugment draws N of 14 changes, each at the same level.
//
// Source: Cubuk et al. 2019, https://arxiv.org/abs/1909.13719; the space is torchvision's.
type randAugment struct {
	N             int    `opt:"n" doc:"changes one after another"`
	Magnitude     int    `opt:"magnitude" doc:"their level, 0 to bins - 1"`
	Bins          int    `opt:"bins" doc:"levels of strength that there are"`
	Interpolation string `opt:"interpolation" doc:"nearest or bilinear"`
	Fill          int    `opt:"fill" doc:"value beyond the border, 0 to 255"`
}

func (a *randAugment) short(v string) (err error) {
	if a.Magnitude, err = strconv.Atoi(v); err != nil {
		return fmt.Errorf("%q is no level", v)
	}
	return nil
}

func (a *randAugment) check() error {
	if err := policyOptions(a.Bins, a.Interpolation, a.Fill); err != nil {
		return err
	}
	if a.N < 0 || a.Magnitude < 0 || a.Magnitude >= a.Bins {
		return fmt.Errorf("n=%d, magnitude=%d: want changes, and a level from 0 to %d", a.N, a.Magnitude, a.Bins-1)
	}
	return nil
}

// randOps is its space: all but Invert.
var randOps = policyOps(0.3, func(side int) float64 { return 150. / 331 * float64(side) }, 30, 0.9, 4)

func (a *randAugment) apply(r random, s *scene) error {
	bilinear, _ := smooth(a.Interpolation)
	for range a.N {
		op := randOps[r.intn(len(randOps)-1)]
		if err := op.apply(s, op.drawn(r, s, a.Magnitude, a.Bins), bilinear, uint8(a.Fill)); err != nil {
			return err
		}
	}
	return nil
}
