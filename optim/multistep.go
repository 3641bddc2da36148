package optim

import (
	"fmt"
	"math"
	"slices"
)

func init() {
	registerSchedule(ScheduleInfo{
		Name: "multi-step", Doc: "multiply the learning rate by gamma at given places",
		Source: "https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiStepLR.html",
		recipe: func() recipe { return &multiStepOptions{At: "50%+75%", Gamma: 0.1} },
	})
}

type multiStepOptions struct {
	At    string  `opt:"at" doc:"places of the drops, with + between: 30epochs+60epochs"`
	Gamma float64 `opt:"gamma" doc:"factor of each drop, in (0, 1]"`
}

func (o *multiStepOptions) schedule(lr float64, t Timing) (Schedule, error) {
	s := MultiStep{Base: lr, Gamma: o.Gamma}
	if !(s.Gamma > 0 && s.Gamma <= 1) {
		return nil, fmt.Errorf("gamma %v: must be in (0, 1]", s.Gamma)
	}
	all, err := parseStretches(o.At)
	if err != nil {
		return nil, fmt.Errorf("at=%w", err)
	}
	for _, x := range all {
		n, err := x.in(t)
		if err != nil {
			return nil, fmt.Errorf("at: %w", err)
		}
		s.At = append(s.At, n)
	}
	slices.Sort(s.At)
	return s, nil
}

// MultiStep multiplies Base by Gamma after each of the steps At, which grow.
type MultiStep struct {
	Base  float64
	At    []int
	Gamma float64
}

// LR is Base·Gamma^k, k the number of places before step.
func (s MultiStep) LR(step, _ int) float64 {
	k := 0
	for k < len(s.At) && s.At[k] < step {
		k++
	}
	return s.Base * math.Pow(s.Gamma, float64(k))
}
