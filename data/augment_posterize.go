package data

import (
	"fmt"
	"strconv"
)

func init() {
	registerAugmentation("posterize", func() Augmentation { return &posterize{Bits: 4, P: 0.5} }, "fewer bits for each value",
		"https://pytorch.org/vision/stable/generated/torchvision.transforms.RandomPosterize.html")
}

type posterize struct {
	Bits int     `opt:"bits" doc:"that are kept, 1 to 8"`
	P    float64 `opt:"p" doc:"probability"`
}

func (a *posterize) short(v string) (err error) {
	if a.Bits, err = strconv.Atoi(v); err != nil {
		return fmt.Errorf("%q is no number of bits", v)
	}
	return nil
}

func (a *posterize) check() error {
	if a.Bits < 1 || a.Bits > 8 {
		return fmt.Errorf("bits=%d: want 1 to 8", a.Bits)
	}
	return chance(a.P)
}

func (a *posterize) apply(r random, s *scene) error {
	if r.float() >= a.P {
		return nil
	}
	return s.colours(posterized(a.Bits))
}

// posterized is Pillow's ImageOps.posterize.
func posterized(bits int) recolour {
	var table [256]uint8
	for v := range table {
		table[v] = uint8(v) &^ uint8(1<<(8-bits)-1)
	}
	return perValue(&table)
}
