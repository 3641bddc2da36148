package data

func init() {
	registerAugmentation("equalize", func() Augmentation { return &equalize{P: 0.5} }, "values spread so that all occur about as often",
		"https://pytorch.org/vision/stable/generated/torchvision.transforms.RandomEqualize.html")
}

type equalize struct {
	P float64 `opt:"p" doc:"probability"`
}

func (a *equalize) short(v string) error { return shortP(&a.P, v) }
func (a *equalize) check() error         { return chance(a.P) }

func (a *equalize) apply(r random, s *scene) error {
	if r.float() >= a.P {
		return nil
	}
	return s.colours(perPlane(equalized))
}

// equalized is Pillow's ImageOps.equalize of one channel.
func equalized(dst, src []uint8, h, w int) {
	var count [256]int
	for _, v := range src {
		count[v]++
	}
	kinds, last := 0, 0
	for _, n := range count {
		if n > 0 {
			kinds, last = kinds+1, n
		}
	}
	step := (h*w - last) / 255
	if kinds <= 1 || step == 0 {
		copy(dst, src)
		return
	}
	var table [256]uint8
	n := step / 2
	for v := range table {
		table[v] = cut8(n / step)
		n += count[v]
	}
	perValue(&table)(dst, src, 1, h, w)
}
