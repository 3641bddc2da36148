package data

func init() {
	registerAugmentation("grayscale", func() Augmentation { return &grayscale{P: 0.1} }, "without colours",
		"https://pytorch.org/vision/stable/generated/torchvision.transforms.RandomGrayscale.html")
}

type grayscale struct {
	P float64 `opt:"p" doc:"probability"`
}

func (g *grayscale) short(v string) error { return shortP(&g.P, v) }
func (g *grayscale) check() error         { return chance(g.P) }

func (g *grayscale) apply(r random, s *scene) error {
	if r.float() >= g.P {
		return nil
	}
	return s.colours(func(dst, src []uint8, c, h, w int) {
		grey := inGrey(src, c, h*w)
		for k := range c {
			copy(dst[k*h*w:], grey)
		}
	})
}
