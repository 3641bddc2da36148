package optim

import (
	"fmt"
	"math"
)

func init() {
	registerSchedule(ScheduleInfo{
		Name: "cosine", Doc: "half a cosine from the learning rate down to the minimal one",
		Source: "https://arxiv.org/abs/1608.03983 equation 5, without restarts",
		build: func(c ScheduleConfig) (Schedule, error) {
			if !(c.MinLR >= 0 && c.MinLR <= c.LR) {
				return nil, fmt.Errorf("minimal learning rate %v: must be in [0, %v]", c.MinLR, c.LR)
			}
			return Cosine{Max: c.LR, Min: c.MinLR}, c.noStep()
		},
	})
}

// Cosine goes from Max at the first step along half a cosine to Min, which it would reach one step after the last.
//
// Source: Loshchilov and Hutter, https://arxiv.org/abs/1608.03983, equation 5, without restarts.
type Cosine struct{ Max, Min float64 }

// LR is Min + (Max−Min)/2·(1 + cos(π·(step−1)/total)).
func (c Cosine) LR(step, total int) float64 {
	t := min(1, max(0, float64(step-1)/float64(max(total, 1))))
	return c.Min + (c.Max-c.Min)/2*(1+math.Cos(math.Pi*t))
}
