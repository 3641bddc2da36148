package optim

import (
	"fmt"
	"math"
)

func init() {
	registerSchedule(ScheduleInfo{
		Name: "cosine", Doc: "half a cosine from the learning rate down to the minimal one",
		Source: "https://arxiv.org/abs/1608.03983 equation 5, without restarts",
		recipe: func() recipe { return &Cosine{} },
	})
}

// Cosine goes from Max at the first step along half a cosine to Min, which it would reach one step after the last.
//
// Source: Loshchilov and Hutter, https://arxiv.org/abs/1608.03983, equation 5, without restarts.
type Cosine struct {
	Max float64
	Min float64 `opt:"min" doc:"learning rate at the end"`
}

func (c *Cosine) schedule(lr float64, _ Timing) (Schedule, error) {
	if !(c.Min >= 0 && c.Min <= lr) {
		return nil, fmt.Errorf("minimal learning rate %v: must be in [0, %v]", c.Min, lr)
	}
	return Cosine{Max: lr, Min: c.Min}, nil
}

// LR is Min + (Max−Min)/2·(1 + cos(π·(step−1)/total)).
func (c Cosine) LR(step, total int) float64 { return halfCosine(c.Max, c.Min, done(step, total)) }

// done is how much of a training lies before a step, 0 to 1.
func done(step, total int) float64 { return min(1, max(0, float64(step-1)/float64(max(total, 1)))) }

// halfCosine goes from a at t = 0 to b at t = 1.
func halfCosine(a, b, t float64) float64 { return b + (a-b)/2*(1+math.Cos(math.Pi*t)) }
