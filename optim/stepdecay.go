package optim

import (
	"fmt"
	"math"
)

func init() {
	registerSchedule(ScheduleInfo{
		Name: "step", Doc: "multiply the learning rate by gamma at regular intervals",
		Source: "https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html",
		build: func(c ScheduleConfig) (Schedule, error) {
			s := StepDecay{Base: c.LR, Every: c.Every, Gamma: c.Gamma}
			if s.Gamma == 0 {
				s.Gamma = 0.1
			}
			if !(s.Gamma > 0 && s.Gamma <= 1) {
				return nil, fmt.Errorf("gamma %v: must be in (0, 1]", s.Gamma)
			}
			if s.Every < 0 {
				return nil, fmt.Errorf("every %d: must be above 0", s.Every)
			}
			return s, c.noMin()
		},
	})
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
