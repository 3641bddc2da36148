package data

func init() {
	registerAugmentation("vflip", func() Augmentation { return &vflip{P: 0.5} }, "mirror top and bottom",
		"https://pytorch.org/vision/stable/generated/torchvision.transforms.RandomVerticalFlip.html")
}

type vflip struct {
	P float64 `opt:"p" doc:"probability"`
}

func (f *vflip) short(v string) error { return shortP(&f.P, v) }
func (f *vflip) check() error         { return chance(f.P) }

func (f *vflip) apply(r random, s *scene) error {
	if r.float() < f.P {
		s.move(0, copies(turnedOver[uint8], turnedOver[uint16]))
	}
	return nil
}

// turnedOver takes a plane to dst, top and bottom exchanged.
func turnedOver[T uint8 | uint16](dst, src []T, h, w int) {
	for y := range h {
		copy(dst[(h-1-y)*w:][:w], src[y*w:][:w])
	}
}
