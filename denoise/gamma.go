package denoise

import (
	"fmt"
	"math"
)

// gammaNoise is multiplicative noise, as speckle averaged over several looks: y = x·G, G of the Gamma distribution of shape k and mean 1.
// The level is k: more is less noise.
type gammaNoise struct{}

func init() {
	families.Register("gamma", gammaNoise{}, "multiplicative noise of mean 1; the level is the shape k, more is less noise",
		"https://arxiv.org/abs/2106.07009")
}

func (gammaNoise) Noisy(r *Random, x, level float64) float64 { return x * r.Gamma(level) / level }

func (gammaNoise) Scale(float64) float64 { return 1 }

// gammaLeast bounds the denominator of the formula from below, as a share of k: an estimate of the score may make it nothing, or negative.
const gammaLeast = 1e-3

// Denoised is k·y / ((k−1) − y·s), which is 1/E[1/x], not E[x].
func (gammaNoise) Denoised(y, score, level float64) float64 {
	return level * y / max(level-1-y*score, gammaLeast*level)
}

// Variance is z²/k + floor².
func (gammaNoise) Variance(z, level, floor float64) float64 {
	z = max(z, 0)
	return z*z/level + floor*floor
}

func (gammaNoise) Deviation(m, level float64) float64 { return max(m, 1e-3) / math.Sqrt(level) }

func (gammaNoise) Anneal() Anneal { return Anneal{Max: 0.05, Min: 0.001, Over: 22000} }

func (gammaNoise) Grid() []float64 { return evenly(40, 120, 80) }

func (gammaNoise) Range() (low, high float64) { return 40, 120 }

// Penalty is the total variation, and how badly x explains y as a product.
func (gammaNoise) Penalty(x, y Plane) float64 {
	sum := 0.0
	for i, v := range x.X {
		if !(v > 0) {
			v = 1e-6
		}
		r := y.X[i] / v
		sum += math.Log(v) + r + r*r
	}
	return x.TotalVariation() + sum/float64(len(x.X))
}

func (gammaNoise) Unit() string { return "the shape k of the Gamma distribution" }

func (g gammaNoise) Check(level float64) error {
	if level <= 1 {
		return fmt.Errorf("level %g: want a shape k above 1", level)
	}
	return positive(level, g.Unit())
}

func (gammaNoise) Shape(m float64) float64 { return max(m, 0) }

func (gammaNoise) LevelOf(factor float64) float64 { return 1 / (factor * factor) }

func (gammaNoise) variance(b *composer, z string) string {
	z = b.node("Max", z, b.number(0))
	return b.node("Add", b.node("Div", b.node("Mul", z, z), b.number(b.p.Level)), b.number(b.p.Floor*b.p.Floor))
}

func (gammaNoise) tweedie(b *composer, y, score string) string {
	den := b.node("Sub", b.node("Sub", b.level, b.number(1)), b.node("Mul", y, score))
	den = b.node("Max", den, b.node("Mul", b.level, b.number(gammaLeast)))
	return b.node("Div", b.node("Mul", b.level, y), den)
}
