package denoise

import (
	"fmt"
	"math"
)

// poisson is the noise of counted photons: y = ζ·Pois(x/ζ), whose level is ζ, the value of one photon. The score is that of counts, y/ζ.
type poisson struct{}

func init() {
	families.Register("poisson", poisson{}, "noise of counted photons; the level is the value of one, of 1",
		"https://arxiv.org/abs/2106.07009")
}

func (poisson) Noisy(r *Random, x, level float64) float64 {
	return level * float64(r.Poisson(max(x, 0)/level))
}

// Scale is 1/ζ: z is counts.
func (poisson) Scale(level float64) float64 { return 1 / level }

// poissonMost bounds the score from above: pixels that are e⁴ times as bright as what was counted are a network's mistake.
const poissonMost = 4

// Denoised is (y + ζ/2)·exp(s), which is an approximation: exact is the rule of Robbins, (c+1)·p(c+1)/p(c).
func (poisson) Denoised(y, score, level float64) float64 {
	return (y + level/2) * math.Exp(min(score, poissonMost))
}

// Variance is the count, and half a one more.
func (poisson) Variance(z, _, _ float64) float64 { return max(z, 0) + 0.5 }

func (poisson) Deviation(m, _ float64) float64 { return math.Sqrt(max(m, 1)) }

func (poisson) Anneal() Anneal { return Anneal{Max: 1, Min: 0.5, Over: 22000} }

// Grid goes down from 0.09905 to 0.005 by 100 steps.
func (poisson) Grid() []float64 {
	out := make([]float64, 100)
	for i := range out {
		out[i] = 0.005 + 0.00095*float64(99-i)
	}
	return out
}

func (poisson) Range() (low, high float64) { return 0.005, 0.1 }

// Penalty is a tenth of the total variation of what is positive, and how badly x explains y as counts.
func (poisson) Penalty(x, y Plane) float64 {
	sum, n := 0.0, 0
	positive := Plane{X: make([]float64, len(x.X)), H: x.H, W: x.W}
	for i, v := range x.X {
		if v > 0 {
			sum += v - y.X[i]*math.Log(v)
			positive.X[i] = v
			n++
		}
	}
	if n == 0 {
		return math.Inf(1)
	}
	return 0.1*positive.TotalVariation() + sum/float64(n)
}

func (poisson) Unit() string { return "the value of one photon, of 1" }

func (p poisson) Check(level float64) error {
	if level > 1 {
		return fmt.Errorf("level %g: it is the value of one photon, and the brightest pixel has 1", level)
	}
	return positive(level, p.Unit())
}

func (poisson) Shape(m float64) float64 { return math.Sqrt(max(m, 0)) }

func (poisson) LevelOf(factor float64) float64 { return factor * factor }

func (poisson) variance(b *composer, z string) string {
	return b.node("Add", b.node("Max", z, b.number(0)), b.number(0.5))
}

func (poisson) tweedie(b *composer, y, score string) string {
	return b.node("Mul", b.node("Add", y, b.node("Mul", b.level, b.number(0.5))), b.node("Exp", b.node("Min", score, b.number(poissonMost))))
}
