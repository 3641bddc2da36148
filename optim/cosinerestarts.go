package optim

import (
	"fmt"
	"math"
)

func init() {
	registerSchedule(ScheduleInfo{
		Name: "cosine-restarts", Doc: "half cosines one after another, each from the learning rate down to the minimal one",
		Source: "https://arxiv.org/abs/1608.03983 equation 5 (SGDR)",
		recipe: func() recipe { return &cosineRestartsOptions{Period: "25%", Mult: 1} },
	})
}

type cosineRestartsOptions struct {
	Period string  `opt:"period" doc:"length of the first cosine"`
	Mult   float64 `opt:"mult" doc:"how much longer each cosine is than the one before, at least 1"`
	Min    float64 `opt:"min" doc:"learning rate at the end of each"`
}

func (o *cosineRestartsOptions) schedule(lr float64, t Timing) (Schedule, error) {
	period, err := length("period", o.Period, "", t)
	switch {
	case err != nil:
		return nil, err
	case !(o.Mult >= 1 && o.Mult <= 1e6):
		return nil, fmt.Errorf("mult=%v: must be at least 1, and not above a million", o.Mult)
	case !(o.Min >= 0 && o.Min <= lr):
		return nil, fmt.Errorf("minimal learning rate %v: must be in [0, %v]", o.Min, lr)
	}
	return CosineRestarts{Max: lr, Min: o.Min, Period: period, Mult: o.Mult}, nil
}

// CosineRestarts goes from Max along half a cosine of Period steps to Min, and then again and again, Mult times as long each time.
//
// Source: Loshchilov and Hutter, https://arxiv.org/abs/1608.03983, equation 5; PyTorch's CosineAnnealingWarmRestarts.
type CosineRestarts struct {
	Max, Min float64
	Period   int     // at least 1
	Mult     float64 // at least 1
}

// LR is that of the cosine in which step lies.
func (c CosineRestarts) LR(step, _ int) float64 {
	at, period := float64(max(step-1, 0)), float64(max(c.Period, 1))
	if c.Mult <= 1 {
		return halfCosine(c.Max, c.Min, math.Mod(at, period)/period)
	}
	begin := func(n float64) float64 { return period * (math.Pow(c.Mult, n) - 1) / (c.Mult - 1) } // of cosine n, from 0
	n := math.Floor(math.Log1p(at/period*(c.Mult-1)) / math.Log(c.Mult))
	if begin(n) > at {
		n--
	} else if begin(n+1) <= at {
		n++
	}
	return halfCosine(c.Max, c.Min, min(1, (at-begin(n))/(period*math.Pow(c.Mult, n))))
}
