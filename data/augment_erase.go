package data

import (
	"errors"
	"math"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	registerAugmentation("erase", func() Augmentation { return &erase{P: 0.5, Low: 0.02, High: 0.33, Slim: 0.3, Wide: 3.3, Value: "0"} },
		"a rectangle of the picture is wiped out, after normalisation",
		"https://pytorch.org/vision/stable/generated/torchvision.transforms.RandomErasing.html")
}

// erase wipes out a rectangle.
//
// Source: Zhong et al. 2017, https://arxiv.org/abs/1708.04896; torchvision RandomErasing.
type erase struct {
	P     float64 `opt:"p" doc:"probability"`
	Low   float64 `opt:"low" doc:"least share of the area"`
	High  float64 `opt:"high" doc:"largest share of the area"`
	Slim  float64 `opt:"slim" doc:"least ratio of height and width"`
	Wide  float64 `opt:"wide" doc:"largest ratio of height and width"`
	Value string  `opt:"value" doc:"a number, 0 being the mean after normalisation, or random"`
}

func (a *erase) short(v string) error { return shortP(&a.P, v) }

func (a *erase) check() error {
	switch {
	case !(a.Low > 0 && a.Low <= a.High && a.High <= 1):
		return errors.New("need 0 < low <= high <= 1")
	case !(a.Slim > 0 && a.Slim <= a.Wide):
		return errors.New("need 0 < slim <= wide")
	}
	if a.Value != "random" {
		if _, err := shortNumber(a.Value); err != nil {
			return err
		}
	}
	return chance(a.P)
}

func (a *erase) touch(r random, x *tensor.Tensor, at lie) error {
	if r.float() >= a.P {
		return nil
	}
	if x.DType() != tensor.Float32 {
		return errors.New("it wipes out after normalisation, and there is no preprocessing")
	}
	c, h, w, dc, dh, dw := at.chw(x)
	for range 10 {
		area := float64(h*w) * r.between(a.Low, a.High)
		ratio := math.Exp(r.between(math.Log(a.Slim), math.Log(a.Wide)))
		eh, ew := int(math.RoundToEven(math.Sqrt(area*ratio))), int(math.RoundToEven(math.Sqrt(area/ratio)))
		if eh >= h || ew >= w {
			continue
		}
		top, left := r.intn(h-eh+1), r.intn(w-ew+1)
		v, d := float32(0), x.F32()
		if a.Value != "random" {
			n, _ := shortNumber(a.Value) // checked
			v = float32(n)
		}
		for k := range c {
			for y := top; y < top+eh; y++ {
				for x := left; x < left+ew; x++ {
					if a.Value == "random" {
						v = float32(r.normal())
					}
					d[k*dc+y*dh+x*dw] = v
				}
			}
		}
		return nil
	}
	return nil
}
