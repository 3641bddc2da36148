package data

import (
	"fmt"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	registerAugmentation("noise", func() Augmentation { return &noise{Sigma: 0.05, P: 1} },
		"normal noise on the numbers that the model gets, of pictures, series and tables",
		"https://arxiv.org/abs/1706.00527 section 3 (jittering)")
}

type noise struct {
	Sigma float64 `opt:"sigma" doc:"standard deviation, in the unit of the model's input"`
	P     float64 `opt:"p" doc:"probability"`
}

func (a *noise) short(v string) error { return shortP(&a.Sigma, v) }

func (a *noise) check() error {
	if !(a.Sigma >= 0) {
		return fmt.Errorf("sigma=%v: want a number of at least 0", a.Sigma)
	}
	return chance(a.P)
}

func (a *noise) fits(e Example) error {
	if e.X == nil || e.Fields != nil {
		return fmt.Errorf("the examples have several arrays")
	}
	if !e.Picture && !e.X.DType().IsFloat() {
		return fmt.Errorf("the examples are %v: whole numbers, such as tokens, have no noise", e.X)
	}
	return nil
}

func (a *noise) touch(r random, x *tensor.Tensor, _ lie) error {
	if r.float() >= a.P {
		return nil
	}
	switch x.DType() {
	case tensor.Float32:
		for i := range x.F32() {
			x.F32()[i] += float32(a.Sigma * r.normal())
		}
	case tensor.Float64:
		d := tensor.Data[float64](x)
		for i := range d {
			d[i] += a.Sigma * r.normal()
		}
	default:
		return fmt.Errorf("%v: noise is for numbers of 32 and 64 bits", x)
	}
	return nil
}
