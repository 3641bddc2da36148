package data

import (
	"fmt"
	"strconv"
)

func init() {
	registerAugmentation("crop", func() Augmentation { return &crop{Pad: 4} },
		"surround the picture with pixels and crop it back to its size at a random place",
		"https://pytorch.org/vision/stable/generated/torchvision.transforms.RandomCrop.html")
}

type crop struct {
	Pad  int `opt:"pad" doc:"pixels on each side"`
	Fill int `opt:"fill" doc:"their value, 0 to 255"`
}

func (c *crop) short(v string) error {
	n, err := strconv.Atoi(v)
	if err != nil {
		return fmt.Errorf("%q is no number of pixels", v)
	}
	c.Pad = n
	return nil
}

func (c *crop) check() error {
	if c.Pad < 0 || c.Pad > maxSide {
		return fmt.Errorf("crop=%d: padding must be 0 or more", c.Pad)
	}
	return grey8(c.Fill)
}

// grey8 checks the value of a pixel.
func grey8(fill int) error {
	if fill < 0 || fill > 255 {
		return fmt.Errorf("fill=%d: want a value from 0 to 255", fill)
	}
	return nil
}

func (c *crop) apply(r random, s *scene) error {
	dy, dx := r.intn(2*c.Pad+1)-c.Pad, r.intn(2*c.Pad+1)-c.Pad
	if dy != 0 || dx != 0 {
		s.move(uint8(c.Fill), copies(func(dst, src []uint8, h, w int) { shifted(dst, src, h, w, dy, dx) },
			func(dst, src []uint16, h, w int) { shifted(dst, src, h, w, dy, dx) }))
	}
	return nil
}

// shifted takes pixel (y+dy, x+dx) of a plane to (y, x) of dst.
func shifted[T uint8 | uint16](dst, src []T, h, w, dy, dx int) {
	left, right := max(0, -dx), min(w, w-dx)
	if left >= right {
		return
	}
	for y := max(0, -dy); y < min(h, h-dy); y++ {
		copy(dst[y*w+left:y*w+right], src[(y+dy)*w+left+dx:])
	}
}
