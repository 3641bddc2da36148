package optim

import "fmt"

func init() {
	registerSchedule(ScheduleInfo{
		Name: "one-cycle", Doc: "up to the learning rate and down to nearly nothing, in one cycle",
		Source: "https://arxiv.org/abs/1708.07120, in the two phases of PyTorch's OneCycleLR; the momentum stays",
		recipe: func() recipe { return &oneCycleOptions{Rise: 0.3, Start: 25, End: 1e4, Shape: "cosine"} },
	})
}

type oneCycleOptions struct {
	Rise  float64 `opt:"rise" doc:"share of the training in which the rate rises, in (0, 1)"`
	Start float64 `opt:"start" doc:"the first rate is the highest divided by this"`
	End   float64 `opt:"end" doc:"the last rate is the first divided by this"`
	Shape string  `opt:"shape" doc:"cosine or linear"`
}

func (o *oneCycleOptions) schedule(lr float64, _ Timing) (Schedule, error) {
	switch {
	case !(o.Rise > 0 && o.Rise < 1):
		return nil, fmt.Errorf("rise=%v: must be in (0, 1)", o.Rise)
	case !(o.Start >= 1) || !(o.End >= 1):
		return nil, fmt.Errorf("start=%v, end=%v: must be at least 1", o.Start, o.End)
	case o.Shape != "cosine" && o.Shape != "linear":
		return nil, fmt.Errorf("shape=%q: want cosine or linear", o.Shape)
	}
	return OneCycle{Max: lr, Rise: o.Rise, Start: o.Start, End: o.End, Linear: o.Shape == "linear"}, nil
}

// OneCycle rises from Max/Start to Max, and falls to Max/Start/End at the last step.
//
// Source: Smith and Topin, https://arxiv.org/abs/1708.07120; PyTorch's OneCycleLR with two phases.
type OneCycle struct {
	Max        float64
	Rise       float64 // share of the training, in (0, 1)
	Start, End float64 // at least 1
	Linear     bool    // straight lines in place of half cosines
}

// LR is Max at step Rise·total, the highest.
func (c OneCycle) LR(step, total int) float64 {
	at, top, last := float64(max(step, 1)-1), c.Rise*float64(total)-1, float64(total-1)
	first := c.Max / c.Start
	line := func(a, b, t float64) float64 {
		if t = min(1, max(0, t)); c.Linear {
			return (b-a)*t + a
		}
		return halfCosine(a, b, t)
	}
	switch {
	case total <= 1:
		return c.Max
	case at <= top:
		return line(first, c.Max, at/top)
	}
	return line(c.Max, first/c.End, (at-top)/(last-top))
}
