package data

import (
	"fmt"
	"slices"
)

func init() {
	registerAugmentation("autoaugment", func() Augmentation { return &autoAugment{Policy: "imagenet", Interpolation: "nearest"} },
		"one of 25 pairs of changes that were found to be good for a data set", "https://arxiv.org/abs/1805.09501, as torchvision's AutoAugment")
}

// autoAugment draws one of the sub-policies of a policy.
//
// Source: Cubuk et al. 2018, https://arxiv.org/abs/1805.09501.
type autoAugment struct {
	Policy        string `opt:"policy" doc:"imagenet, cifar10 or svhn"`
	Interpolation string `opt:"interpolation" doc:"nearest or bilinear"`
	Fill          int    `opt:"fill" doc:"value beyond the border, 0 to 255"`
}

func (a *autoAugment) short(v string) error { a.Policy = v; return nil }

func (a *autoAugment) check() error {
	if autoPolicies[a.Policy] == nil {
		return fmt.Errorf("policy=%q: want imagenet, cifar10 or svhn", a.Policy)
	}
	return warps(a.Interpolation, a.Fill, 0)
}

// chosen is a change, the probability that it is made, and its level of 10.
type chosen struct {
	op    string
	p     float64
	level int
}

func (a *autoAugment) apply(r random, s *scene) error {
	bilinear, _ := smooth(a.Interpolation)
	pairs := autoPolicies[a.Policy]
	for _, c := range pairs[r.intn(len(pairs))] {
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
