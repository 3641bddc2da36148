package data

import "fmt"

func init() {
	registerAugmentation("solarize", func() Augmentation { return &solarize{Threshold: 128, P: 0.5} }, "invert all values from a threshold on",
		"https://pytorch.org/vision/stable/generated/torchvision.transforms.RandomSolarize.html")
}

type solarize struct {
	Threshold float64 `opt:"threshold" doc:"0 to 256"`
	P         float64 `opt:"p" doc:"probability"`
}

func (a *solarize) short(v string) error { return shortP(&a.Threshold, v) }

func (a *solarize) check() error {
	if !(a.Threshold >= 0 && a.Threshold <= 256) {
		return fmt.Errorf("threshold=%v: want a value from 0 to 256", a.Threshold)
	}
	return chance(a.P)
}

func (a *solarize) apply(r random, s *scene) error {
	if r.float() >= a.P {
		return nil
	}
	return s.colours(solarized(a.Threshold))
}

// solarized is Pillow's ImageOps.solarize.
func solarized(threshold float64) recolour {
	var table [256]uint8
	for v := range table {
		if table[v] = uint8(v); float64(v) >= threshold {
			table[v] = uint8(255 - v)
		}
	}
	return perValue(&table)
}
