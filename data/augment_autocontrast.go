package data

func init() {
	registerAugmentation("autocontrast", func() Augmentation { return &autocontrast{P: 0.5} },
		"the values of each channel stretched to all that there are",
		"https://pytorch.org/vision/stable/generated/torchvision.transforms.RandomAutocontrast.html")
}

type autocontrast struct {
	P float64 `opt:"p" doc:"probability"`
}

func (a *autocontrast) short(v string) error { return shortP(&a.P, v) }
func (a *autocontrast) check() error         { return chance(a.P) }

func (a *autocontrast) apply(r random, s *scene) error {
	if r.float() >= a.P {
		return nil
	}
	return s.colours(perPlane(contrasted))
}

// contrasted is Pillow's ImageOps.autocontrast of one channel, with nothing cut off.
func contrasted(dst, src []uint8, h, w int) {
	lo, hi := uint8(255), uint8(0)
	for _, v := range src {
		lo, hi = min(lo, v), max(hi, v)
	}
	var table [256]uint8
	for v := range table {
		if table[v] = uint8(v); hi > lo {
			scale := 255 / float64(hi-lo)
			offset := float64(-float64(lo) * scale)
			table[v] = cut8(int(float64(float64(v)*scale) + offset))
		}
	}
	perValue(&table)(dst, src, 1, h, w)
}
