package data

import (
	"fmt"
	"strconv"
)

func init() {
	registerAugmentation("trivialaugment", func() Augmentation { return &trivialAugment{Bins: 31, Interpolation: "nearest"} },
		"one random change of a random strength", "https://arxiv.org/abs/2103.10158, as torchvision's TrivialAugmentWide")
}

// trivialAugment draws one of 14 changes and its level.
//
// Source: Müller and Hutter 2021, https://arxiv.org/abs/2103.10158; the wide space is torchvision's.
type trivialAugment struct {
	Bins          int    `opt:"bins" doc:"levels of strength that there are"`
	Interpolation string `opt:"interpolation" doc:"nearest or bilinear"`
	Fill          int    `opt:"fill" doc:"value beyond the border, 0 to 255"`
}

func (a *trivialAugment) short(v string) (err error) {
	if a.Bins, err = strconv.Atoi(v); err != nil {
		return fmt.Errorf("%q is no number of levels", v)
	}
	return nil
}

func (a *trivialAugment) check() error { return policyOptions(a.Bins, a.Interpolation, a.Fill) }

// trivialOps is its space: all but Invert.
var trivialOps = policyOps(0.99, func(int) float64 { return 32 }, 135, 0.99, 6)

func (a *trivialAugment) apply(r random, s *scene) error {
	bilinear, _ := smooth(a.Interpolation)
	op := trivialOps[r.intn(len(trivialOps)-1)]
	return op.apply(s, op.drawn(r, s, r.intn(a.Bins), a.Bins), bilinear, uint8(a.Fill))
}
