package optim

import (
	"fmt"
	"math"
)

func init() {
	registerSchedule(ScheduleInfo{
		Name: "step", Doc: "multiply the learning rate by gamma at regular intervals",
		Source: "https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html",
		recipe: func() recipe { return &stepOptions{Gamma: 0.1} },
	})
}

type stepOptions struct {
	Every string  `opt:"every" doc:"length from one drop to the next; a third of the training unless given"`
	Gamma float64 `opt:"gamma" doc:"factor of each drop, in (0, 1]"`
}

func (o *stepOptions) schedule(lr float64, t Timing) (Schedule, error) {
	s := StepDecay{Base: lr, Gamma: o.Gamma}
	if !(s.Gamma > 0 && s.Gamma <= 1) {
		return nil, fmt.Errorf("gamma %v: must be in (0, 1]", s.Gamma)
	}
	if o.Every == "" {
		return s, nil
	}
	var err error
	s.Every, err = length("every", o.Every, "", t)
	return s, err
}

// StepDecay multiplies Base by Gamma each Every steps; an Every of 0 is a third of the training, rounded up.
type StepDecay struct {
	Base  float64
	Every int
	Gamma float64
}

// LR is Base·Gamma^⌊(step−1)/Every⌋.
func (s StepDecay) LR(step, total int) float64 {
	every := s.Every
	if every <= 0 {
		every = max(1, (total+2)/3)
	}
	return s.Base * math.Pow(s.Gamma, float64(max(step-1, 0)/every))
}
