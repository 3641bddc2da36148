package optim

import (
	"fmt"
	"math"
)

func init() {
	registerSchedule(ScheduleInfo{
		Name: "polynomial", Doc: "a power of what is left of the training, times the learning rate",
		Source: "https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.PolynomialLR.html over the whole training",
		recipe: func() recipe { return &polynomialOptions{Power: 0.9} },
	})
}

type polynomialOptions struct {
	Power float64 `opt:"power" doc:"the power, above 0"`
	End   float64 `opt:"end" doc:"share of the learning rate at the end"`
}

func (o *polynomialOptions) schedule(lr float64, _ Timing) (Schedule, error) {
	if !(o.Power > 0) {
		return nil, fmt.Errorf("power=%v: must be above 0", o.Power)
	}
	return Polynomial{Base: lr, Power: o.Power, End: o.End}, share("end", o.End, 0)
}

// Polynomial goes from Base at the first step to End·Base, which it would reach one step after the last.
//
// Source: Chen et al., https://arxiv.org/abs/1606.00915, section 4 ("poly" policy, power 0.9).
type Polynomial struct {
	Base, Power float64
	End         float64 // share of Base, 0 to 1
}

// LR is Base·(End + (1−End)·(1 − (step−1)/total)^Power).
func (p Polynomial) LR(step, total int) float64 {
	return p.Base * (p.End + (1-p.End)*math.Pow(1-done(step, total), p.Power))
}
