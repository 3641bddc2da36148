package denoise

import "fmt"

// gaussian is additive white noise of one deviation. Its level is that deviation in steps of 8 bits: 25 is 25/255.
type gaussian struct{}

func init() {
	families.Register("gaussian", gaussian{}, "additive white noise; the level is its deviation, of 255", "https://arxiv.org/abs/2106.07009")
}

func (gaussian) Noisy(r *Random, x, level float64) float64 { return x + level/255*r.Normal() }

func (gaussian) Scale(float64) float64 { return 1 }

// Denoised is y + σ²·s.
func (gaussian) Denoised(y, score, level float64) float64 {
	return y + level/255*(level/255)*score
}

func (gaussian) Variance(_, level, _ float64) float64 { return level / 255 * (level / 255) }

func (gaussian) Deviation(_, level float64) float64 { return level / 255 }

func (gaussian) Anneal() Anneal { return Anneal{Max: 0.05, Min: 0.001, Over: 22000} }

func (gaussian) Grid() []float64 { return evenly(5, 55, 50) }

func (gaussian) Range() (low, high float64) { return 20, 55 }

// Penalty is the total variation.
func (gaussian) Penalty(x, _ Plane) float64 { return x.TotalVariation() }

func (gaussian) Unit() string { return "the deviation of the noise, of 255" }

func (g gaussian) Check(level float64) error {
	if level > 255 {
		return fmt.Errorf("level %g: the deviation is of 255, and more than that leaves no picture", level)
	}
	return positive(level, g.Unit())
}

func (gaussian) Shape(float64) float64 { return 1 }

func (gaussian) LevelOf(factor float64) float64 { return 255 * factor }

func (gaussian) variance(b *composer, _ string) string {
	return b.number(b.p.Level / 255 * (b.p.Level / 255))
}

func (gaussian) tweedie(b *composer, y, score string) string {
	sigma := b.node("Mul", b.level, b.number(1.0/255))
	return b.node("Add", y, b.node("Mul", b.node("Mul", sigma, sigma), score))
}
