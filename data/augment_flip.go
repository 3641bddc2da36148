package data

func init() {
	registerAugmentation("flip", func() Augmentation { return &flip{P: 0.5} }, "mirror left and right",
		"https://pytorch.org/vision/stable/generated/torchvision.transforms.RandomHorizontalFlip.html")
}

type flip struct {
	P float64 `opt:"p" doc:"probability"`
}

func (f *flip) short(v string) error { return shortP(&f.P, v) }
func (f *flip) check() error         { return chance(f.P) }

func (f *flip) apply(r random, s *scene) error {
	if r.float() < f.P {
		s.move(0, copies(mirrored[uint8], mirrored[uint16]))
	}
	return nil
}

// mirrored takes a plane to dst, left and right exchanged.
func mirrored[T uint8 | uint16](dst, src []T, h, w int) {
	for y := range h {
		to, from := dst[y*w:][:w], src[y*w:][:w]
		for x, v := range from {
			to[w-1-x] = v
		}
	}
}
