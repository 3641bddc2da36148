package data

import (
	"errors"
	"math"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	registerAugmentation("cutmix", func() Augmentation { return &cutMix{Alpha: 1, P: 1} },
		"a rectangle of each picture of a batch is that of the one before it, in the mask too; labels are mixed by area",
		"https://arxiv.org/abs/1905.04899")
}

// cutMix pastes a rectangle whose area is 1 − λ of the picture, where it does not stick out, λ from Beta(Alpha, Alpha).
//
// Source: Yun et al. 2019, https://arxiv.org/abs/1905.04899; the rectangle is torchvision's.
type cutMix struct {
	Alpha float64 `opt:"alpha" doc:"of the Beta distribution of the shares: 1 takes all alike"`
	P     float64 `opt:"p" doc:"probability that a batch is mixed"`
}

func (a *cutMix) short(v string) error { return shortP(&a.Alpha, v) }
func (a *cutMix) check() error         { return mixes(a.Alpha, a.P) }

func (a *cutMix) fits(e Example) error {
	switch {
	case !e.Picture:
		return errors.New("the examples are no pictures, of which rectangles could be cut; mixup is for all real numbers")
	case e.Y != nil && e.Y.Rank() > 1:
		return errors.New("what the examples are compared with has places of its own, which would have to be changed alike")
	}
	return nil
}

func (a *cutMix) mix(r random, b *Batch, at lie) {
	if r.float() >= a.P {
		return
	}
	lambda := r.beta(a.Alpha)
	_, h, w, _, _, _ := at.chw(b.X)
	b.cutMix(cutBox(lambda, r.intn(w), r.intn(h), h, w), at)
}

// cutBox is the rectangle around (x, y) in a picture of h×w that leaves λ of it, cut at the borders.
func cutBox(lambda float64, x, y, h, w int) box {
	half := 0.5 * math.Sqrt(1-lambda)
	dx, dy := int(half*float64(w)), int(half*float64(h))
	return box{float64(max(0, y-dy)), float64(max(0, x-dx)), float64(min(h, y+dy)), float64(min(w, x+dx))}
}

// cutMix pastes the rectangle of each example from the one before.
func (b *Batch) cutMix(cut box, at lie) {
	c, h, w, dc, dh, dw := at.chw(b.X)
	n, k := b.Len(), c*h*w
	y0, x0, y1, x1 := int(cut.y0), int(cut.x0), int(cut.y1), int(cut.x1)
	d := b.X.F32()
	last := append([]float32(nil), d[(n-1)*k:]...)
	for i := n - 1; i >= 0; i-- {
		from := last
		if i > 0 {
			from = d[(i-1)*k:]
		}
		for ch := range c {
			for y := y0; y < y1; y++ {
				for x := x0; x < x1; x++ {
					p := ch*dc + y*dh + x*dw
					d[i*k+p] = from[p]
				}
			}
		}
	}
	if b.Mask != nil { // the truth is cut as the picture is
		pasteMasks(b.Mask, y0, x0, y1, x1)
		return
	}
	b.mixed(1 - float64((y1-y0)*(x1-x0))/float64(h*w))
}

func pasteMasks(mask *tensor.Tensor, y0, x0, y1, x1 int) {
	n, h, w := mask.Dim(0), mask.Dim(1), mask.Dim(2)
	d := mask.Bytes()
	last := append([]uint8(nil), d[(n-1)*h*w:]...)
	for i := n - 1; i >= 0; i-- {
		from := last
		if i > 0 {
			from = d[(i-1)*h*w:]
		}
		for y := y0; y < y1; y++ {
			copy(d[i*h*w+y*w+x0:i*h*w+y*w+x1], from[y*w+x0:])
		}
	}
}
