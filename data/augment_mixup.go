package data

import (
	"fmt"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	registerAugmentation("mixup", func() Augmentation { return &mixUp{Alpha: 0.2, P: 1} },
		"each example of a batch is mixed with the one before it, and what they are compared with alike",
		"https://arxiv.org/abs/1710.09412")
}

// mixUp is λ·x + (1 − λ)·x′ with λ from Beta(Alpha, Alpha), one for each batch.
//
// Source: Zhang et al. 2017, https://arxiv.org/abs/1710.09412; the pairs and the order of the arithmetic are torchvision's.
type mixUp struct {
	Alpha float64 `opt:"alpha" doc:"of the Beta distribution of the shares: 1 takes all alike, less favours one of the two"`
	P     float64 `opt:"p" doc:"probability that a batch is mixed"`
}

func (a *mixUp) short(v string) error { return shortP(&a.Alpha, v) }
func (a *mixUp) check() error         { return mixes(a.Alpha, a.P) }

// mixes checks the options of what mixes.
func mixes(alpha, p float64) error {
	if !(alpha > 0 && alpha <= 1000) {
		return fmt.Errorf("alpha=%v: want a number above 0", alpha)
	}
	return chance(p)
}

func (a *mixUp) mix(r random, b *Batch, _ lie) {
	if r.float() < a.P {
		b.mixUp(r.beta(a.Alpha))
	}
}

// mixUp mixes b with the share lambda of each example itself.
func (b *Batch) mixUp(lambda float64) {
	if b.X.DType() == tensor.Float64 {
		mixRows(tensor.Data[float64](b.X), b.Len(), lambda)
	} else {
		mixRows(b.X.F32(), b.Len(), lambda)
	}
	b.mixed(lambda)
}

// mixRows makes each of n rows λ of itself and 1 − λ of the one before, in the order of rounding of torchvision.
func mixRows[T float32 | float64](d []T, n int, lambda float64) {
	k := len(d) / n
	last := append([]T(nil), d[(n-1)*k:]...)
	own, other := T(lambda), T(1-lambda)
	for i := n - 1; i >= 0; i-- {
		before := last
		if i > 0 {
			before = d[(i-1)*k : i*k]
		}
		for j, v := range d[i*k : (i+1)*k] {
			d[i*k+j] = T(v*own) + T(before[j]*other)
		}
	}
}
