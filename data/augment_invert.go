package data

func init() {
	registerAugmentation("invert", func() Augmentation { return &invert{P: 0.5} }, "the negative",
		"https://pytorch.org/vision/stable/generated/torchvision.transforms.RandomInvert.html")
}

type invert struct {
	P float64 `opt:"p" doc:"probability"`
}

func (a *invert) short(v string) error { return shortP(&a.P, v) }
func (a *invert) check() error         { return chance(a.P) }

func (a *invert) apply(r random, s *scene) error {
	if r.float() >= a.P {
		return nil
	}
	return s.colours(inverted)
}

// inverted is Pillow's ImageOps.invert.
func inverted(dst, src []uint8, _, _, _ int) {
	for i, v := range src {
		dst[i] = 255 - v
	}
}
