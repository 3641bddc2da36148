package data

import (
	"errors"
	"slices"
)

func init() {
	registerAugmentation("autoaugment", func() Augmentation { return &autoAugment{Interpolation: "nearest"} },
		"one of 25 pairs of changes that were found on ImageNet", "https://arxiv.org/abs/1805.09501 table 9, as torchvision's AutoAugment")
}

// autoAugment draws one of the sub-policies for ImageNet.
//
// Source: Cubuk et al. 2018, https://arxiv.org/abs/1805.09501, table 9.
type autoAugment struct {
	Interpolation string `opt:"interpolation" doc:"nearest or bilinear"`
	Fill          int    `opt:"fill" doc:"value beyond the border, 0 to 255"`
}

func (a *autoAugment) short(string) error { return errors.New("it has one policy, that of ImageNet") }
func (a *autoAugment) check() error       { return warps(a.Interpolation, a.Fill, 0) }

// chosen is a change, the probability that it is made, and its level of 10.
type chosen struct {
	op    string
	p     float64
	level int
}

var imageNetPolicy = [][2]chosen{
	{{"Posterize", 0.4, 8}, {"Rotate", 0.6, 9}},
	{{"Solarize", 0.6, 5}, {"AutoContrast", 0.6, 0}},
	{{"Equalize", 0.8, 0}, {"Equalize", 0.6, 0}},
	{{"Posterize", 0.6, 7}, {"Posterize", 0.6, 6}},
	{{"Equalize", 0.4, 0}, {"Solarize", 0.2, 4}},
	{{"Equalize", 0.4, 0}, {"Rotate", 0.8, 8}},
	{{"Solarize", 0.6, 3}, {"Equalize", 0.6, 0}},
	{{"Posterize", 0.8, 5}, {"Equalize", 1.0, 0}},
	{{"Rotate", 0.2, 3}, {"Solarize", 0.6, 8}},
	{{"Equalize", 0.6, 0}, {"Posterize", 0.4, 6}},
	{{"Rotate", 0.8, 8}, {"Color", 0.4, 0}},
	{{"Rotate", 0.4, 9}, {"Equalize", 0.6, 0}},
	{{"Equalize", 0.0, 0}, {"Equalize", 0.8, 0}},
	{{"Invert", 0.6, 0}, {"Equalize", 1.0, 0}},
	{{"Color", 0.6, 4}, {"Contrast", 1.0, 8}},
	{{"Rotate", 0.8, 8}, {"Color", 1.0, 2}},
	{{"Color", 0.8, 8}, {"Solarize", 0.8, 7}},
	{{"Sharpness", 0.4, 7}, {"Invert", 0.6, 0}},
	{{"ShearX", 0.6, 5}, {"Equalize", 1.0, 0}},
	{{"Color", 0.4, 0}, {"Equalize", 0.6, 0}},
	{{"Equalize", 0.4, 0}, {"Solarize", 0.2, 4}},
	{{"Solarize", 0.6, 5}, {"AutoContrast", 0.6, 0}},
	{{"Invert", 0.6, 0}, {"Equalize", 1.0, 0}},
	{{"Color", 0.6, 4}, {"Contrast", 1.0, 8}},
	{{"Equalize", 0.8, 0}, {"Equalize", 0.6, 0}},
}

func (a *autoAugment) apply(r random, s *scene) error {
	bilinear, _ := smooth(a.Interpolation)
	for _, c := range imageNetPolicy[r.intn(len(imageNetPolicy))] {
		if r.float() >= c.p {
			continue
		}
		op := randOps[slices.IndexFunc(randOps, func(o policyOp) bool { return o.name == c.op })]
		if err := op.apply(s, op.drawn(r, s, c.level, 10), bilinear, uint8(a.Fill)); err != nil {
			return err
		}
	}
	return nil
}
